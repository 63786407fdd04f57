//! A third-party provider that a test can tell how to behave.
//!
//! Owns a small OAuth 2 server and API **with state** (accounts, single-use codes, token families, scopes) on a port of
//! its own. It behaves well until a knob says otherwise, and it judges: a code used twice, a wrong verifier, a
//! refresh token used twice and the like are [`Violation`]s, and dropping a provider that saw one fails the test.
//! Refuses to know the product: it learns of it only what arrives over HTTP.

mod api;
mod authorization;
mod behaviour;
mod dialect;
mod file;
mod hold;
mod http;
mod introspection;
mod ledger;
mod login_knobs;
mod refresh_knobs;
mod revocation;
mod revocation_knobs;
mod tokens;
mod violation;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::Duration;

use attache::base::Clock;
use attache::catalogue::ScopeSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use behaviour::{Iss, RefreshTokens};
use http::{Answer, Shared};
use ledger::Ledger;
use login_knobs::{CALLBACK_SCOPES, INTROSPECTION_PATH};

pub(crate) use dialect::ClientProof;
pub(crate) use hold::Hold;
pub(crate) use http::Request;
pub(crate) use revocation::RevocationStyle;
pub(crate) use violation::Violation;

/// Every secret that a fake provider issues starts like this, so that a leak can be searched for.
pub(crate) const CANARY: &str = "canary_";

/// How inbound access tokens of the gateway start. None may ever arrive here.
pub(crate) const INBOUND_TOKEN: &str = "att_";

/// Where refreshes go at a provider that has a place of their own for them.
pub(crate) const REFRESH_PATH: &str = "/token/refresh";

/// Everything that the provider's tools can ask for.
pub(crate) const SCOPES: &str = "profile things:read things:write";

/// A provider that runs until it is dropped. Knobs may be turned at any time and chained.
pub(crate) struct Provider {
    shared: Arc<Shared>,
    stop: CancellationToken,
    server: Option<thread::JoinHandle<()>>,
}

impl Provider {
    /// The provider `acme`, whose codes and tokens expire by `clock`.
    pub(crate) fn start(clock: &Clock) -> Self {
        Self::start_named("acme", clock)
    }

    /// A provider under another name, for tests with several. The name is also its file's name.
    ///
    /// It runs on a thread of its own: a test that blocks does not stop it.
    pub(crate) fn start_named(name: &str, clock: &Clock) -> Self {
        let listener = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .expect("a free port on the loopback interface");
        let port = listener.local_addr().expect("a bound socket").port();
        let base = Url::parse(&format!("http://localhost:{port}")).expect("a valid address");
        let shared = Arc::new(Shared::new(Ledger::new(name, base, clock.clone())));
        let stop = CancellationToken::new();
        let server = thread::spawn({
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            move || http::serve(listener, shared, &stop)
        });
        Self {
            shared,
            stop,
            server: Some(server),
        }
    }

    /// The provider's id: the stem of its file's name, and the prefix of its tools.
    pub(crate) fn name(&self) -> String {
        self.ledger().name.clone()
    }

    /// Where it is, without a path: also its issuer identifier (RFC 8414 section 2), which has no slash at its end.
    pub(crate) fn issuer(&self) -> String {
        self.ledger().issuer()
    }

    /// The address of `path` at this provider.
    pub(crate) fn url(&self, path: &str) -> Url {
        self.ledger().url(path)
    }

    /// The identifier under which the gateway is registered here.
    pub(crate) fn client_id(&self) -> String {
        self.ledger().client_id.clone()
    }

    /// The secret that belongs to [`Provider::client_id`]; a canary.
    pub(crate) fn client_secret(&self) -> String {
        self.ledger().client_secret.clone()
    }

    /// The provider file that makes the gateway know this provider.
    pub(crate) fn provider_file(&self) -> String {
        let ledger = self.ledger();
        let implies = ledger.behaviour.writing_implies_reading;
        let (name, origin) = (&ledger.name, ledger.issuer());
        let text = file::provider_file(name, &origin, &ledger.dialect, implies);
        if ledger.behaviour.sites.is_none() {
            text
        } else {
            let sites = format!("{}\n[account]", file::sites_tables(&origin));
            text.replacen("[account]", &sites, 1)
        }
    }

    /// The file of its product, where it has sites; it must be called `{name}_notes.toml`.
    pub(crate) fn product_file(&self) -> Option<String> {
        let ledger = self.ledger();
        let has_sites = ledger.behaviour.sites.is_some();
        has_sites.then(|| file::product_file(&ledger.name, &ledger.issuer()))
    }

    /// Every account reaches these sites, by id and name. Its file and that of its product say how to find them.
    pub(crate) fn has_sites(&self, sites: &[(&str, &str)]) -> &Self {
        let owned = |(id, name): &(&str, &str)| ((*id).to_owned(), (*name).to_owned());
        self.ledger().behaviour.sites = Some(sites.iter().map(owned).collect());
        self
    }

    /// Token replies say this in `instance`, and the sites are below it.
    pub(crate) fn is_instance(&self, instance: &str) -> &Self {
        instance.clone_into(&mut self.ledger().behaviour.instance);
        self
    }

    // -- who is there ------------------------------------------------------------------------------------------------

    /// Creates the account and signs it in: the next consent is this person's.
    pub(crate) fn has_account(&self, person: &str) -> &Self {
        self.with(|ledger| ledger.sign_in(person))
    }

    /// Accepts this redirect URI alone, compared as an exact string (RFC 9700 section 2.1). Without it, the provider
    /// takes every redirect URI and insists only that both legs name the same.
    pub(crate) fn registers_redirect_uri(&self, redirect_uri: &str) -> &Self {
        self.with(|ledger| ledger.redirect_uri = Some(redirect_uri.to_owned()))
    }

    /// The person removes the gateway's access on the provider's own pages: every token dies at once.
    pub(crate) fn access_is_removed_by(&self, person: &str) -> &Self {
        self.with(|ledger| ledger.revoke_grants_of(person))
    }

    /// Whether a token of either kind still works here.
    pub(crate) fn takes(&self, token: &str) -> bool {
        self.ledger().is_live(token)
    }

    /// How many grants of this person still work.
    pub(crate) fn live_grants_of(&self, person: &str) -> usize {
        self.ledger().live_grants_of(person)
    }

    // -- how it authorizes -------------------------------------------------------------------------------------------

    /// The person presses "Deny": the callback gets `error=access_denied` (RFC 6749 section 4.1.2.1).
    pub(crate) fn denies_access(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.denies_access = true)
    }

    /// The person, or the provider, grants these scopes whatever was asked for.
    pub(crate) fn grants_fewer_scopes(&self, scopes: &str) -> &Self {
        self.with(|ledger| ledger.behaviour.granted_scopes = Some(ScopeSet::parse(scopes, "")))
    }

    /// What a person has granted once stays granted, whatever is asked for later (as with `include_granted_scopes`).
    pub(crate) fn adds_up_grants(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.adds_up_grants = true)
    }

    /// Who may write may read as well, here and by the provider file.
    pub(crate) fn writing_implies_reading(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.writing_implies_reading = true)
    }

    /// Takes a scope out of everything that this person has granted; the tokens stay alive.
    pub(crate) fn withdraws(&self, person: &str, scope: &str) -> &Self {
        self.with(|ledger| ledger.withdraw(person, scope))
    }

    /// Token replies do not name the granted scopes: they are those that were asked for (RFC 6749 section 5.1).
    pub(crate) fn does_not_say_scopes(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.says_scopes = false)
    }

    /// What the latest authorization request asked for.
    pub(crate) fn asked_for(&self) -> String {
        let requests = self.requests_to("/authorize");
        let asked = requests.iter().rfind(|request| request.method == "GET");
        let asked = asked.expect("an authorization request");
        let scope = asked
            .query_pairs()
            .into_iter()
            .find(|(name, _)| name == "scope");
        scope.map(|(_, scopes)| scopes).unwrap_or_default()
    }

    /// The callback gets no `iss`, although the provider announces it (RFC 9207).
    pub(crate) fn sends_no_iss(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.iss = Iss::Missing)
    }

    /// The callback gets another issuer's `iss`: a mix-up (RFC 9207 section 2.4).
    pub(crate) fn sends_wrong_iss(&self, issuer: &str) -> &Self {
        self.with(|ledger| ledger.behaviour.iss = Iss::Other(issuer.to_owned()))
    }

    // -- how it issues tokens ----------------------------------------------------------------------------------------

    /// Every refresh gives a new refresh token and spends the old one; a second use kills the whole family, the newest
    /// token too (RFC 9700 section 4.14.2). Its file says so.
    pub(crate) fn rotates_refresh_tokens(&self) -> &Self {
        self.with(|ledger| {
            ledger.behaviour.refresh_tokens = RefreshTokens::Rotated;
            ledger.dialect.refresh.rotates = Some("always");
        })
    }

    /// No refresh token at all.
    pub(crate) fn gives_no_refresh_token(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.refresh_tokens = RefreshTokens::NotIssued)
    }

    /// A spent refresh token still refreshes, as at providers with a grace period. Its second use is a violation all
    /// the same, unless it was announced with [`Provider::expects_replays`].
    pub(crate) fn forgives_replays(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.forgives_replays = true)
    }

    /// The test knows that `count` spent refresh tokens will be tried again, and why: after a lost answer.
    pub(crate) fn expects_replays(&self, count: usize) -> &Self {
        self.with(|ledger| ledger.behaviour.expected_replays = count)
    }

    /// One more answer may have been lost.
    pub(crate) fn expects_one_more_replay(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.expected_replays += 1)
    }

    /// Access tokens issued from now on live this long; an hour otherwise.
    pub(crate) fn access_tokens_last(&self, lifetime: Duration) -> &Self {
        self.with(|ledger| ledger.behaviour.access_token_lifetime = lifetime)
    }

    /// Refresh tokens issued from now on live this long; for ever otherwise.
    pub(crate) fn refresh_tokens_last(&self, lifetime: Duration) -> &Self {
        self.with(|ledger| ledger.behaviour.refresh_token_lifetime = Some(lifetime))
    }

    /// Token replies have no `expires_in` (RFC 6749 section 5.1: it is only recommended).
    pub(crate) fn does_not_say_when_tokens_expire(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.says_lifetime = false)
    }

    /// The token endpoint refuses every request with this error code and status 400 (RFC 6749 section 5.2).
    pub(crate) fn answers_token_error(&self, error: &str) -> &Self {
        let body =
            serde_json::json!({ "error": error, "error_description": "as told by the test" });
        self.answers_token_with(400, "application/json", body.to_string())
    }

    /// The token endpoint answers every request with exactly this and does nothing.
    pub(crate) fn answers_token_with(
        &self,
        status: u16,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> &Self {
        let answer = Answer::new(status, content_type, body);
        self.with(|ledger| ledger.behaviour.token_answer = Some(answer))
    }

    /// The token endpoint acts on the next request and then the connection breaks: what it issued is lost on the wire.
    pub(crate) fn loses_the_next_token_answer(&self) -> &Self {
        self.loses_token_answers(1)
    }

    /// The same, for so many requests.
    pub(crate) fn loses_token_answers(&self, count: usize) -> &Self {
        self.with(|ledger| ledger.behaviour.token_answers_to_lose = count)
    }

    /// The revocation endpoint answers 503.
    pub(crate) fn revocation_is_down(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.revocation_is_down = true)
    }

    // -- how its API answers -----------------------------------------------------------------------------------------

    /// The API answers every request with exactly this JSON, whoever asks.
    pub(crate) fn answers_api_with(&self, status: u16, body: impl Into<Vec<u8>>) -> &Self {
        let answer = Answer::new(status, "application/json", body);
        self.with(|ledger| ledger.behaviour.api_answer = Some(answer))
    }

    /// The API answers an expired token with this status instead of 401.
    pub(crate) fn answers_expired_tokens_with(&self, status: u16) -> &Self {
        self.with(|ledger| ledger.behaviour.expired_token_status = status)
    }

    /// Holds every request to `path` until the test releases it.
    pub(crate) fn is_slow_to_answer(&self, path: &str) -> Hold {
        self.shared.hold(path)
    }

    /// Turns every fault off: scripted answers, denial, wrong `iss`, a revocation endpoint that is down.
    pub(crate) fn recovers(&self) -> &Self {
        self.with(|ledger| ledger.behaviour.recover())
    }

    // -- what it saw -------------------------------------------------------------------------------------------------

    /// Everything that arrived, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.ledger().requests.clone()
    }

    /// What arrived at `path`, in order.
    pub(crate) fn requests_to(&self, path: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.path == path);
        requests
    }

    /// What arrived at the token endpoint.
    pub(crate) fn token_requests(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(Request::is_token_request);
        requests
    }

    /// What arrived at the revocation endpoint.
    pub(crate) fn revocation_requests(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(Request::is_revocation);
        requests
    }

    /// What arrived at the API.
    pub(crate) fn api_requests(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.path.starts_with("/api/"));
        requests
    }

    /// Every secret that this provider issued or was shown: its client secret, codes, tokens, code verifiers. None
    /// may appear in a log, a page, an MCP message, the audit trail or the raw store.
    pub(crate) fn canaries(&self) -> Vec<String> {
        self.ledger().canaries.clone()
    }

    /// What was wrong with what arrived. Taking the violations is for tests that provoke them.
    pub(crate) fn take_violations(&self) -> Vec<Violation> {
        std::mem::take(&mut self.ledger().violations)
    }

    /// Fails the test when something was wrong with what arrived.
    pub(crate) fn assert_no_violations(&self) {
        let violations = self.take_violations();
        let list: Vec<_> = violations.iter().map(Violation::to_string).collect();
        assert!(
            violations.is_empty(),
            "the provider `{}` was treated badly:\n- {}",
            self.name(),
            list.join("\n- ")
        );
    }

    // -- the person at the browser -----------------------------------------------------------------------------------

    /// Does what the person does at the provider: opens the authorization request, reads the page, decides. Returns
    /// the callback that the browser is sent to.
    pub(crate) async fn consent(&self, authorization_url: &Url) -> Url {
        match self.try_consent(authorization_url).await {
            Ok(callback) => callback,
            Err(refusal) => {
                panic!(
                    "the provider refused to show its consent page for {authorization_url}: {refusal}"
                )
            }
        }
    }

    /// As [`Provider::consent`], for requests that the provider may refuse to show a page for.
    ///
    /// # Errors
    /// What the provider's error page says: it must not redirect when it cannot trust the redirect URI (RFC 6749
    /// section 4.1.2.1).
    pub(crate) async fn try_consent(&self, authorization_url: &Url) -> Result<Url, String> {
        authorization::visit(authorization_url).await
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.shared.ledger()
    }

    fn with(&self, change: impl FnOnce(&mut Ledger)) -> &Self {
        change(&mut self.ledger());
        self
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop.cancel();
        let stopped = self
            .server
            .take()
            .is_none_or(|server| server.join().is_ok());
        if !thread::panicking() {
            assert!(stopped, "the provider's server panicked");
            self.assert_no_violations();
        }
    }
}
