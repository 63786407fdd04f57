//! The issuer as it is known at the moment: asked once, kept for a while, asked again when its keys have changed.
//!
//! Owns how often the issuer is asked, whoever knocks. Refuses to know who may come in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::Clock;
use crate::egress::Egress;
use crate::identity::{GroupRules, SessionLimits};
use crate::oauth::{Issuer, IssuerSettings, SignInTrouble};

/// Who vouches for people here, and what their word is worth.
#[derive(Clone, Debug)]
pub struct SignInSettings {
    /// The issuer, and as which client it is asked.
    pub issuer: IssuerSettings,
    /// What the issuer is called on pages.
    pub name: String,
    /// Which of its groups mean what.
    pub groups: GroupRules,
    /// How long sessions hold.
    pub sessions: SessionLimits,
}

/// How long what an issuer says of itself is believed without asking again.
const FRESH: Duration = Duration::from_hours(1);

/// How long it is not asked again for new keys, or after a failure: strangers cannot make us hammer it.
const NEW_KEYS_EVERY: Duration = Duration::from_mins(1);
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// So many sign-ins may begin in so long, by whomever: each leaves a record for ten minutes.
const BEGINNINGS: u32 = 200;
const IN: Duration = Duration::from_secs(10);

/// The door through which people come in who are vouched for.
pub(in crate::gateway) struct IssuerDoor {
    pub(super) settings: SignInSettings,
    known: tokio::sync::Mutex<Known>,
    beginnings: Mutex<(Duration, u32)>,
}

/// Moments are those of [`Clock::monotonic`].
#[derive(Default)]
struct Known {
    issuer: Option<Arc<Issuer>>,
    asked: Option<Duration>,
    failed: Option<(Duration, SignInTrouble)>,
}

impl IssuerDoor {
    pub(in crate::gateway) fn new(settings: SignInSettings) -> Self {
        Self {
            settings,
            known: tokio::sync::Mutex::default(),
            beginnings: Mutex::default(),
        }
    }

    /// Whether one more sign-in may begin now.
    pub(super) fn admits(&self, clock: &Clock) -> bool {
        let now = clock.monotonic();
        let mut window = self
            .beginnings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(window.0) >= IN {
            *window = (now, 0);
        }
        window.1 += 1;
        window.1 <= BEGINNINGS
    }

    /// The issuer as it is known, asked when that is too old. One that does not answer is believed to be as it was.
    pub(super) async fn issuer(
        &self,
        egress: &Egress,
        clock: &Clock,
    ) -> Result<Arc<Issuer>, SignInTrouble> {
        let mut known = self.known.lock().await;
        let now = clock.monotonic();
        let is_fresh = known.is_younger_than(FRESH, now);
        if let Some(issuer) = known.issuer.clone().filter(|_| is_fresh) {
            return Ok(issuer);
        }
        if let Some((at, trouble)) = &known.failed
            && now.saturating_sub(*at) < AFTER_FAILURE
        {
            return known.issuer.clone().ok_or_else(|| trouble.clone());
        }
        let asked = self.ask(&mut known, egress, clock).await;
        match (asked, known.issuer.clone()) {
            (Err(trouble), Some(as_it_was)) => {
                tracing::warn!(%trouble, "the issuer of sign-ins is believed to be as it was");
                Ok(as_it_was)
            }
            (asked, _) => asked,
        }
    }

    /// The issuer with keys that are newer than those of `old`; none when it was asked only a moment ago.
    pub(super) async fn with_newer_keys(
        &self,
        old: &Arc<Issuer>,
        egress: &Egress,
        clock: &Clock,
    ) -> Option<Arc<Issuer>> {
        let mut known = self.known.lock().await;
        if let Some(newer) = known
            .issuer
            .clone()
            .filter(|known| !Arc::ptr_eq(known, old))
        {
            return Some(newer);
        }
        if known.is_younger_than(NEW_KEYS_EVERY, clock.monotonic()) {
            return None;
        }
        match self.ask(&mut known, egress, clock).await {
            Ok(issuer) => Some(issuer),
            Err(trouble) => {
                tracing::warn!(%trouble, "the issuer of sign-ins could not be asked for new keys");
                None
            }
        }
    }

    async fn ask(
        &self,
        known: &mut Known,
        egress: &Egress,
        clock: &Clock,
    ) -> Result<Arc<Issuer>, SignInTrouble> {
        let discovered = Issuer::discover(egress, &self.settings.issuer).await;
        let now = clock.monotonic();
        known.asked = Some(now);
        match discovered {
            Ok(issuer) => {
                let issuer = Arc::new(issuer);
                known.failed = None;
                known.issuer = Some(Arc::clone(&issuer));
                Ok(issuer)
            }
            Err(trouble) => {
                known.failed = Some((now, trouble.clone()));
                Err(trouble)
            }
        }
    }
}

impl Known {
    fn is_younger_than(&self, age: Duration, now: Duration) -> bool {
        self.asked
            .is_some_and(|asked| now.saturating_sub(asked) < age)
    }
}
