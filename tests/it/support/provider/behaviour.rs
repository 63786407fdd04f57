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
    pub(super) token_answer: Option<Answer>,
    pub(super) token_answers_to_lose: usize,
    pub(super) revocation_is_down: bool,
    pub(super) api_answer: Option<Answer>,
    pub(super) expired_token_status: u16,
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
    Rotated,
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
            token_answer: None,
            token_answers_to_lose: 0,
            revocation_is_down: false,
            api_answer: None,
            expired_token_status: 401,
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
        self.api_answer = None;
    }
}
