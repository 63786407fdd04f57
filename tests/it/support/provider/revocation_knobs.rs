//! The knobs of taking access back: every style that real providers have, and what goes wrong at them.

use std::time::Duration;

use super::dialect::ClientProof;
use super::{Provider, RevocationStyle};

impl Provider {
    /// Tokens are taken back in this style and no other, and the file says so: turn it before the gateway starts.
    pub(crate) fn revokes_by(&self, style: RevocationStyle) -> &Self {
        self.with(|ledger| {
            ledger.dialect.revocation = style;
            if style == RevocationStyle::JsonOwnNames {
                ledger.dialect.client_proof = Some(ClientProof::Body);
            }
        })
    }

    /// Taking any token back ends its whole grant.
    pub(crate) fn ends_the_grant_with_any_token(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.revocation_ends_grant = true)
    }

    /// The revocation endpoint answers the next requests with 503 and then heals.
    pub(crate) fn revocation_is_down_for(&self, requests: usize) -> &Self {
        self.with(|ledger| ledger.behaviour.revocations_to_miss = requests)
    }

    /// The revocation endpoint acts on the next request and then the connection breaks.
    pub(crate) fn loses_the_next_revocation_answer(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.revocation_answers_to_lose = 1)
    }

    /// A token that is dead already is refused with this, instead of the success of RFC 7009 section 2.2.
    pub(crate) fn refuses_to_revoke_dead_tokens(&self, status: u16, error: &str) -> &Self {
        let refusal = (status, error.to_owned());
        self.with(|ledger| ledger.behaviour.dead_token_refusal = Some(refusal))
    }

    /// The API goes on taking access tokens for this long after they died, as where they are signed and checked on the
    /// spot.
    pub(crate) fn takes_dead_access_tokens_for(&self, time: Duration) -> &Self {
        self.with(|ledger| ledger.behaviour.revoked_tokens_linger = time)
    }

    /// Revocations are answered with success and nothing happens.
    pub(crate) fn only_pretends_to_revoke(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.ignores_revocations = true)
    }
}
