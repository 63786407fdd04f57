//! Looking after a request whose answer nobody has seen: whether the provider acted, and whether a replay can wait.

use std::time::Duration;

use super::{KEEP_ALIVE, Outcome, PROBE_AGAIN, Renewable, Stale, Step};
use crate::connection::ExpiredReason;
use crate::gateway::probe::Probe;
use crate::gateway::{Fault, Gateway};
use crate::store::WriteError;

impl Gateway {
    /// Looks after a request that was announced and never answered, of this process or of one that is gone: whether the
    /// old access token still works tells whether the provider acted, and whether there is any hurry.
    pub(super) async fn look_back(&self, key: &str, renewable: Renewable) -> Step<Renewable> {
        let credential = &renewable.credential.value;
        let Some(intent) = credential
            .intent
            .as_ref()
            .filter(|intent| intent.unanswered > 0)
        else {
            return Ok(Ok(renewable));
        };
        let rules = &renewable.ready.oauth.refresh;
        let left = self.remaining(key, credential);
        if !rules.single_use || left.is_some_and(|left| left.is_zero()) {
            return Ok(Ok(renewable));
        }
        let access_token = &credential.access_token;
        match self
            .probe(&renewable.service, &renewable.ready, access_token)
            .await
        {
            Probe::Works if rules.ends_access_token => {
                // It would be dead if the provider had acted.
                let untouched = credential.untouched();
                let credentials = self.parts.store.credentials();
                let written = credentials.replace(&renewable.credential, &untouched).await;
                match written {
                    Ok(credential) => Ok(Ok(Renewable {
                        credential,
                        ..renewable
                    })),
                    Err(WriteError::Conflict) => Ok(Err(Outcome::NotNow { wait: PROBE_AGAIN })),
                    Err(error) => Err(error.into()),
                }
            }
            Probe::Works => {
                let now = self.parts.clock.now();
                let in_grace = rules
                    .reuse_grace
                    .is_some_and(|grace| now < intent.since + grace);
                let reserve = credential.reserve();
                // A provider that watches for reuse may end everything at a replay: it waits as long as it can.
                match left.map(|left| left.saturating_sub(reserve)) {
                    Some(wait) if !in_grace && !wait.is_zero() => Ok(Err(Outcome::NotNow { wait })),
                    None if !in_grace => Ok(Err(Outcome::NotNow { wait: KEEP_ALIVE })),
                    _ => Ok(Ok(renewable)),
                }
            }
            Probe::Refused => Ok(Ok(renewable)),
            Probe::Unknown => Ok(Err(Outcome::NotNow { wait: PROBE_AGAIN })),
        }
    }

    /// The refresh token must not be sent again: what is left is the access token, for as long as it works.
    pub(super) async fn exhausted(
        &self,
        key: &str,
        renewable: &Renewable,
        stale: &Stale,
    ) -> Result<Outcome, Fault> {
        let left = self.remaining(key, &renewable.credential.value);
        if stale.refused.is_none() && left != Some(Duration::ZERO) {
            let wait = left.unwrap_or(KEEP_ALIVE);
            return Ok(Outcome::NotNow { wait });
        }
        let reason = ExpiredReason::InterruptedRefresh;
        let connection = self.set_apart(self.parts.store.connections().get(key).await)?;
        if let Ok(Some(connection)) = connection {
            self.end(key, connection, &renewable.credential, reason)
                .await?;
        }
        Ok(Outcome::Ended(reason))
    }
}
