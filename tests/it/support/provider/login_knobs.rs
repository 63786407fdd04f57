//! Knobs for what providers do in a login beyond RFC 6749.

use super::dialect::{OptionalScopes, Requests};
use super::http::Answer;
use super::{Provider, Request};

/// Where whoever asks learns how long a token lives.
pub(crate) const INTROSPECTION_PATH: &str = "/introspect";

/// The parameter of a callback that says what was granted, where one does.
pub(super) const CALLBACK_SCOPES: &str = "granted_scope";

impl Provider {
    /// Token requests carry everything in their query.
    pub(crate) fn wants_token_requests_in_the_query(&self) -> &Self {
        self.with(|ledger| ledger.dialect.requests = Requests::Query)
    }

    /// Token replies are forms, and their content type says that they are web pages.
    pub(crate) fn replies_with_forms_called_web_pages(&self) -> &Self {
        self.replies_with_forms()
            .with(|ledger| ledger.dialect.replies.calls_forms_web_pages = true)
    }

    /// What was granted stands in the callback alone.
    pub(crate) fn says_scopes_in_the_callback(&self) -> &Self {
        self.does_not_say_scopes()
            .with(|ledger| ledger.dialect.replies.scope_from = Some("callback"))
    }

    /// What was granted is said nowhere, and `scope` of the replies means something else.
    pub(crate) fn never_says_scopes(&self) -> &Self {
        self.with(|ledger| ledger.dialect.replies.scope_from = Some("none"))
    }

    /// How long access tokens live is said only to whoever asks (RFC 7662).
    pub(crate) fn tells_lifetimes_when_asked(&self) -> &Self {
        self.does_not_say_when_tokens_expire()
            .with(|ledger| ledger.dialect.introspects = true)
    }

    /// The introspection endpoint answers every request with exactly this.
    pub(crate) fn answers_introspection_with(&self, status: u16, body: &str) -> &Self {
        let answer = Answer::new(status, "application/json", body);
        self.with(|ledger| ledger.behaviour.introspection_answer = Some(answer))
    }

    /// Every callback carries an HMAC of its query.
    pub(crate) fn proves_callbacks(&self) -> &Self {
        self.with(|ledger| ledger.dialect.proves_callbacks = true)
    }

    /// `scope` may be refused, and is asked for in a parameter of its own.
    pub(crate) fn has_an_optional_scope(
        &self,
        scope: &'static str,
        required_param: &'static str,
        optional_param: &'static str,
    ) -> &Self {
        let optional = OptionalScopes {
            required_param,
            optional_param,
            scope,
        };
        self.with(|ledger| ledger.dialect.optional = Some(optional))
    }

    /// A parameter of the latest authorization request.
    pub(crate) fn was_asked_in(&self, param: &str) -> Option<String> {
        let requests = self.requests_to("/authorize");
        let asked = requests.iter().rfind(|request| request.method == "GET");
        let mut pairs = asked
            .expect("an authorization request")
            .query_pairs()
            .into_iter();
        pairs
            .find(|(name, _)| name == param)
            .map(|(_, value)| value)
    }

    /// What arrived at the introspection endpoint.
    pub(crate) fn introspections(&self) -> Vec<Request> {
        self.requests_to(INTROSPECTION_PATH)
    }
}
