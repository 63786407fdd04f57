//! How a provider behaves: well, unless a knob says otherwise.

use std::time::Duration;

use attache::catalogue::ScopeSet;

use super::http::Answer;

/// The knobs. [`super::Provider`] has one method for each, named after the behaviour.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent knobs, each on or off: no state machine hides here"
)]
pub(super) struct Behaviour {
    pub(super) denies_access: bool,
    pub(super) granted_scopes: Option<ScopeSet>,
    pub(super) adds_up_grants: bool,
    pub(super) writing_implies_reading: bool,
    pub(super) says_scopes: bool,
    pub(super) iss: Iss,
    pub(super) refresh_tokens: RefreshTokens,
    pub(super) forgives_replays: bool,
    pub(super) expected_replays: usize,
    pub(super) access_token_lifetime: Duration,
    pub(super) refresh_token_lifetime: Option<Duration>,
    pub(super) says_lifetime: bool,
    pub(super) refresh: RefreshHabits,
    pub(super) token_answer: Option<Answer>,
    pub(super) token_answers_to_lose: usize,
    pub(super) revocation_is_down: bool,
    pub(super) revocations_to_miss: usize,
    pub(super) revocation_answers_to_lose: usize,
    pub(super) revocation_ends_grant: bool,
    pub(super) ignores_revocations: bool,
    pub(super) dead_token_refusal: Option<(u16, String)>,
    pub(super) revoked_tokens_linger: Duration,
    pub(super) introspection_answer: Option<Answer>,
    pub(super) api_answer: Option<Answer>,
    pub(super) expired_token_status: u16,
    /// Id and name of each site of the account; none where there are no sites.
    pub(super) sites: Option<Vec<(String, String)>>,
    /// What token replies say in `instance`.
    pub(super) instance: String,
}

/// What else happens when access is renewed.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent knobs, each on or off: no state machine hides here"
)]
pub(super) struct RefreshHabits {
    /// A refresh token that is kept stands in the reply all the same.
    pub(super) repeats_token: bool,
    /// How long a spent refresh token still works.
    pub(super) grace: Option<Duration>,
    /// The access tokens of the grant die.
    pub(super) ends_access_tokens: bool,
    /// A use puts the end of the refresh token off.
    pub(super) use_prolongs: bool,
    /// A refresh token lives as long as the access token beside it.
    pub(super) dies_with_access: bool,
    /// How long a grant lives, however often it is renewed.
    pub(super) grant_lifetime: Option<Duration>,
    /// What a refresh leaves of the grant.
    pub(super) narrowed_scopes: Option<ScopeSet>,
    /// Refusals with status 200.
    pub(super) refuses_with_200: bool,
    /// Refusals without an error code.
    pub(super) names_no_errors: bool,
    /// Every second use of one refresh token is refused.
    pub(super) half_of_the_uses_win: bool,
    /// Two access tokens of one second are the same, and the second is dead.
    pub(super) repeats_dead_access_tokens: bool,
}

/// What the callback says about the issuer.
#[derive(Debug)]
pub(super) enum Iss {
    Own,
    Missing,
    Other(String),
}

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefreshTokens {
    Kept,
    /// The old one is spent.
    Rotated,
    /// As `Rotated`, at every second refresh; at the others it is kept.
    RotatedAtTimes,
    /// A new one each time, beside the old one, which stays alive.
    Added,
    NotIssued,
}

impl Behaviour {
    /// A provider without quirks.
    pub(super) fn good() -> Self {
        Self {
            denies_access: false,
            granted_scopes: None,
            adds_up_grants: false,
            writing_implies_reading: false,
            says_scopes: true,
            iss: Iss::Own,
            refresh_tokens: RefreshTokens::Kept,
            forgives_replays: false,
            expected_replays: 0,
            access_token_lifetime: Duration::from_hours(1),
            refresh_token_lifetime: None,
            says_lifetime: true,
            refresh: RefreshHabits::default(),
            token_answer: None,
            token_answers_to_lose: 0,
            revocation_is_down: false,
            revocations_to_miss: 0,
            revocation_answers_to_lose: 0,
            revocation_ends_grant: false,
            ignores_revocations: false,
            dead_token_refusal: None,
            revoked_tokens_linger: Duration::ZERO,
            introspection_answer: None,
            api_answer: None,
            expired_token_status: 401,
            sites: None,
            instance: "one".to_owned(),
        }
    }

    /// Ends the faults and keeps the habits (rotation, lifetimes).
    pub(super) fn recover(&mut self) {
        self.denies_access = false;
        self.granted_scopes = None;
        self.iss = Iss::Own;
        self.token_answer = None;
        self.token_answers_to_lose = 0;
        self.revocation_is_down = false;
        self.revocations_to_miss = 0;
        self.revocation_answers_to_lose = 0;
        self.ignores_revocations = false;
        self.refresh.narrowed_scopes = None;
        self.refresh.names_no_errors = false;
        self.refresh.half_of_the_uses_win = false;
        self.refresh.repeats_dead_access_tokens = false;
        self.introspection_answer = None;
        self.api_answer = None;
    }

    /// Whether this revocation request falls into an outage that ends by itself.
    pub(super) fn take_revocation_fault(&mut self) -> bool {
        let left = self.revocations_to_miss.checked_sub(1);
        self.revocations_to_miss = left.unwrap_or_default();
        left.is_some()
    }
}
