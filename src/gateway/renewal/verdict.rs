//! What an answer of the token endpoint means for a credential. Pure: the gateway acts on it, a drill only tells of it.

use std::time::Duration;

use crate::base::Timestamp;
use crate::catalogue::{RefreshRules, ScopeSet};
use crate::connection::{Credential, ExpiredReason, Renewal};
use crate::oauth::{TokenError, TokenReply};

/// What becomes of a credential after one token request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// There is a new one.
    Renewed {
        /// What the provider gave.
        renewal: Renewal,
        /// What it says that is granted now, if it says so.
        granted: Option<ScopeSet>,
    },
    /// The grant has ended: no further request.
    Ended(ExpiredReason),
    /// The provider answered, and brought nothing; the credential stays as it is.
    Later {
        /// It may have acted all the same.
        unclear: bool,
        /// How long it asks to be left alone.
        wait: Option<Duration>,
    },
    /// The request was sent, and nothing usable came back: the refresh token may be spent.
    Lost,
}

impl Verdict {
    /// The verdict on `outcome`, for the credential whose request was announced. `granted` is when the person allowed it.
    pub(crate) fn on(
        outcome: Result<TokenReply, TokenError>,
        announced: &Credential,
        rules: &RefreshRules,
        granted: Timestamp,
        now: Timestamp,
    ) -> Self {
        let error = match outcome {
            Ok(reply) => {
                let renewal = Renewal {
                    access_token: reply.access_token,
                    refresh_token: reply.refresh_token,
                    expires_in: reply.expires_in,
                    refresh_expires_in: reply.refresh_expires_in,
                };
                let granted = reply.scopes;
                return Self::Renewed { renewal, granted };
            }
            Err(error) => error,
        };
        if error.grant_is_dead() {
            return Self::Ended(reason(announced, rules, granted, now));
        }
        match error {
            TokenError::Unavailable { retry_after, .. } => Self::Later {
                unclear: error.grant_may_be_spent(),
                wait: retry_after,
            },
            error if error.grant_may_be_spent() => Self::Lost,
            _ => Self::Later {
                unclear: false,
                wait: None,
            },
        }
    }
}

/// Why a refresh token is dead, as far as it can be known here.
fn reason(
    announced: &Credential,
    rules: &RefreshRules,
    granted: Timestamp,
    now: Timestamp,
) -> ExpiredReason {
    let intent = announced.intent.as_ref();
    if intent.is_some_and(|intent| intent.unanswered > 1 || intent.unclear) {
        return ExpiredReason::InterruptedRefresh;
    }
    match announced.refresh_token_ends(rules, granted) {
        Some(end) if end <= now => ExpiredReason::RefreshTokenTooOld,
        _ => ExpiredReason::RefusedByProvider,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn announced() -> Credential {
        let credential = Credential {
            access_token: Secret::new("a"),
            refresh_token: Some(Secret::new("r")),
            obtained: NOON,
            expires: None,
            refresh_expires: None,
            generation: 1,
            intent: None,
        };
        credential
            .announce("one", &RefreshRules::default(), NOON)
            .unwrap()
    }

    fn refused(status: u16, error: Option<&str>) -> TokenError {
        TokenError::Refused {
            status,
            error: error.map(str::to_owned),
            description: None,
        }
    }

    fn unavailable(status: u16) -> TokenError {
        let retry_after = None;
        TokenError::Unavailable {
            status,
            retry_after,
        }
    }

    fn on(error: TokenError, credential: &Credential) -> String {
        let rules = RefreshRules::default();
        let verdict = Verdict::on(Err(error), credential, &rules, NOON, NOON);
        format!("{verdict:?}")
    }

    #[test]
    fn only_a_refused_grant_ends_a_connection() {
        let first = announced();
        let ended = "Ended(RefusedByProvider)";
        assert_eq!(on(refused(400, Some("invalid_grant")), &first), ended);
        assert_eq!(on(refused(400, None), &first), ended);
        let later = "Later { unclear: false, wait: None }";
        assert_eq!(on(refused(401, Some("invalid_client")), &first), later);
        assert_eq!(on(refused(400, Some("invalid_request")), &first), later);
        assert_eq!(on(unavailable(429), &first), later);
        assert_eq!(on(unavailable(503), &first), later);
        let unclear = "Later { unclear: true, wait: None }";
        assert_eq!(on(unavailable(500), &first), unclear);
        assert_eq!(on(unavailable(504), &first), unclear);
        assert_eq!(on(TokenError::NoAccessToken, &first), "Lost");
    }

    #[test]
    fn a_refusal_after_a_lost_answer_is_told_as_what_it_is() {
        let rules = RefreshRules::default();
        let replay = announced().announce("two", &rules, NOON).unwrap();
        let dead = || refused(400, Some("invalid_grant"));
        assert_eq!(on(dead(), &replay), "Ended(InterruptedRefresh)");
        let unclear = announced().answered(true);
        let again = unclear.announce("one", &rules, NOON).unwrap();
        assert_eq!(on(dead(), &again), "Ended(InterruptedRefresh)");
        let mut old = announced();
        old.refresh_expires = Some(NOON);
        assert_eq!(on(dead(), &old), "Ended(RefreshTokenTooOld)");
    }
}
