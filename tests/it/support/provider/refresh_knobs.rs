//! The knobs of renewing access: every kind of refresh that real providers have, and what goes wrong at them.
//!
//! A knob that changes what the gateway must send or read changes the provider file as well: turn it before the gateway
//! starts.

use std::time::Duration;

use attache::catalogue::ScopeSet;

use super::Provider;
use super::behaviour::RefreshTokens;
use super::dialect::{ClientProof, DeadGrant, Repeated, Requests};
use super::http::Answer;
use super::ledger::Ledger;

impl Provider {
    // -- what becomes of the refresh token ---------------------------------------------------------------------------

    /// Refresh tokens are never replaced, and the file says so.
    pub(crate) fn keeps_refresh_tokens(&self) -> &Self {
        self.with(|ledger| {
            ledger.behaviour.refresh_tokens = RefreshTokens::Kept;
            ledger.dialect.refresh.rotates = Some("never");
        })
    }

    /// The reply to a refresh names the refresh token that was used.
    pub(crate) fn repeats_refresh_tokens(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.refresh.repeats_token = true)
    }

    /// Every second refresh of a grant gives a new refresh token and spends the old one; the others keep it.
    pub(crate) fn rotates_refresh_tokens_at_times(&self) -> &Self {
        self.with(|ledger| {
            ledger.behaviour.refresh_tokens = RefreshTokens::RotatedAtTimes;
            ledger.dialect.refresh.rotates = Some("maybe");
        })
    }

    /// Every refresh gives a new refresh token, and those before it stay alive.
    pub(crate) fn adds_refresh_tokens(&self) -> &Self {
        self.with(|ledger| {
            ledger.behaviour.refresh_tokens = RefreshTokens::Added;
            ledger.dialect.refresh.rotates = Some("maybe");
        })
    }

    /// A spent refresh token works for this long after it was replaced. Its second use must be announced all the same.
    pub(crate) fn accepts_spent_refresh_tokens_for(&self, grace: Duration) -> &Self {
        self.rotates_refresh_tokens().with(|ledger| {
            ledger.behaviour.refresh.grace = Some(grace);
            ledger.dialect.refresh.reuse_grace = Some(grace);
        })
    }

    /// There are no refresh tokens, and the file says so.
    pub(crate) fn has_no_refresh(&self) -> &Self {
        self.with(|ledger| {
            ledger.behaviour.refresh_tokens = RefreshTokens::NotIssued;
            ledger.dialect.refresh.unsupported = true;
        })
    }

    /// There are refresh tokens, and the file says that there are none.
    pub(crate) fn documents_no_refresh(&self) -> &Self {
        self.with(|ledger| ledger.dialect.refresh.unsupported = true)
    }

    /// A refresh ends the access tokens before it at once.
    pub(crate) fn ends_access_tokens_at_refresh(&self) -> &Self {
        self.with(|ledger| {
            ledger.behaviour.refresh.ends_access_tokens = true;
            ledger.dialect.refresh.ends_access_token = true;
        })
    }

    /// A refresh token dies when it is not used for this long; a use puts its end off.
    pub(crate) fn unused_refresh_tokens_last(&self, lifetime: Duration) -> &Self {
        self.refresh_tokens_last(lifetime).with(|ledger| {
            ledger.behaviour.refresh.use_prolongs = true;
            ledger.dialect.refresh.idle_ttl = Some(lifetime);
        })
    }

    /// A grant made from now on ends after this long, however often it is renewed.
    pub(crate) fn grants_last(&self, lifetime: Duration) -> &Self {
        self.with(|ledger| {
            ledger.behaviour.refresh.grant_lifetime = Some(lifetime);
            ledger.dialect.refresh.absolute_ttl = Some(lifetime);
        })
    }

    /// A refresh token dies together with the access token that came with it.
    pub(crate) fn refresh_tokens_die_with_access_tokens(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.refresh.dies_with_access = true)
    }

    // -- what a refresh looks like -----------------------------------------------------------------------------------

    /// Refreshes have an address of their own; the token endpoint knows nothing of them.
    pub(crate) fn refreshes_elsewhere(&self) -> &Self {
        self.with(|ledger| ledger.dialect.refresh.elsewhere = true)
    }

    /// A refresh without this parameter is refused.
    pub(crate) fn wants_at_refresh(&self, name: &str, value: &str) -> &Self {
        let param = (name.to_owned(), value.to_owned());
        self.with(|ledger| ledger.dialect.refresh.params.push(param))
    }

    /// A refresh that does not name the granted scopes is refused.
    pub(crate) fn wants_the_scope_at_refresh(&self) -> &Self {
        self.with(|ledger| ledger.dialect.refresh.repeats.push(Repeated::Scope))
    }

    /// A refresh that does not repeat the redirect URI is refused.
    pub(crate) fn wants_the_redirect_uri_at_refresh(&self) -> &Self {
        self.with(|ledger| ledger.dialect.refresh.repeats.push(Repeated::RedirectUri))
    }

    /// Clients prove themselves in this way and no other.
    pub(crate) fn authenticates_clients_by(&self, proof: ClientProof) -> &Self {
        self.with(|ledger| ledger.dialect.client_proof = Some(proof))
    }

    /// Token requests are JSON.
    pub(crate) fn wants_json_token_requests(&self) -> &Self {
        self.with(|ledger| ledger.dialect.requests = Requests::Json)
    }

    // -- what the replies look like ----------------------------------------------------------------------------------

    /// Token replies are form-encoded (RFC 6749 knew no better before its drafts chose JSON).
    pub(crate) fn replies_with_forms(&self) -> &Self {
        self.with(|ledger| ledger.dialect.replies.form_encoded = true)
    }

    /// The person's tokens lie below `person` in the reply to a code, and at the top in the reply to a refresh.
    pub(crate) fn nests_the_tokens_of_a_code(&self) -> &Self {
        self.with(|ledger| ledger.dialect.replies.nested_below = Some("person"))
    }

    /// Token replies say in this field how many seconds the refresh token lives.
    pub(crate) fn says_when_refresh_tokens_expire(&self, field: &str) -> &Self {
        self.with(|ledger| ledger.dialect.replies.refresh_expires_in = Some(field.to_owned()))
    }

    /// Access tokens live this long; only the documentation says so, and with it the file.
    pub(crate) fn documents_the_lifetime(&self, lifetime: Duration) -> &Self {
        self.access_tokens_last(lifetime)
            .does_not_say_when_tokens_expire()
            .with(|ledger| ledger.dialect.replies.documented_lifetime = Some(lifetime))
    }

    /// Scopes come back in another spelling than they were asked for.
    pub(crate) fn rewrites_scopes(&self) -> &Self {
        self.with(|ledger| ledger.dialect.rewrites_scopes = true)
    }

    /// A refresh leaves these scopes alone, and says so.
    pub(crate) fn narrows_scopes_at_refresh(&self, scopes: &str) -> &Self {
        let scopes = ScopeSet::parse(scopes, "");
        self.with(|ledger| ledger.behaviour.refresh.narrowed_scopes = Some(scopes))
    }

    // -- how it refuses ----------------------------------------------------------------------------------------------

    /// A dead refresh token is refused with this status and code; the file knows the code.
    pub(crate) fn calls_dead_grants(&self, status: u16, error: &str) -> &Self {
        let error = error.to_owned();
        self.with(|ledger| ledger.dialect.replies.dead_grant = Some(DeadGrant { status, error }))
    }

    /// The token endpoint refuses with status 200 and an error code.
    pub(crate) fn refuses_with_200(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.refresh.refuses_with_200 = true)
    }

    /// The token endpoint refuses with status 400 and says nothing.
    pub(crate) fn names_no_errors(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.refresh.names_no_errors = true)
    }

    /// Of the uses of one refresh token, every second one is refused and the others win, each with tokens of its own.
    pub(crate) fn lets_half_of_the_refreshes_win(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.refresh.half_of_the_uses_win = true)
    }

    /// A refresh within the second in which the access token was issued returns the very same access token, and that
    /// one is revoked.
    pub(crate) fn repeats_dead_access_tokens(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.refresh.repeats_dead_access_tokens = true)
    }

    /// Every access token that was issued so far is dead from now on, and its grant is not.
    pub(crate) fn access_tokens_die(&self) -> &Self {
        self.with(Ledger::spend_access_tokens)
    }

    /// The token endpoint answers every request with 429 and asks to be left alone for this long.
    pub(crate) fn limits_token_requests(&self, retry_after: Duration) -> &Self {
        let answer = Answer::json(429, &serde_json::json!({ "error": "slow_down" }))
            .header("retry-after", retry_after.as_secs().to_string());
        self.with(|ledger| ledger.behaviour.token_answer = Some(answer))
    }
}
