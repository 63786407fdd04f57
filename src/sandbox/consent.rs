//! The consent page: a person sees who asks for what, takes scopes away if they like, and allows or cancels.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::response::Response;
use http::HeaderMap;
use url::Url;

use super::accounts::Account;
use super::authorize::{self, ReturnAddress};
use super::browser::Browser;
use super::digest::Digest;
use super::pages::{ConsentPage, Page, Refused};
use super::parameters::Parameters;
use super::protocol::{ErrorCode, Refusal};
use super::scope::{Scope, ScopeSet};
use super::server::Service;
use super::state::{Code, Grant, PendingRequest, State};
use crate::base::{Secret, Timestamp};

/// How long a code can be redeemed.
const CODE_LIFETIME: Duration = Duration::from_mins(1);

/// The page.
pub(super) fn page(
    state: &State,
    request: &PendingRequest,
    handle: &str,
    account: Account,
    browser: &Browser,
) -> Result<Response, Refused> {
    let client = state
        .clients
        .get(&request.client_id)
        .ok_or(Refused::RequestGone)?;
    let earlier = state
        .grants
        .values()
        .any(|grant| grant.account == account && grant.client_id == request.client_id);
    let page = ConsentPage {
        client: &client.name,
        destination: destination(&request.redirect_uri),
        account,
        scopes: request.scope.iter().collect(),
        earlier,
        request: handle,
        csrf: browser.csrf(),
    };
    Page::show(&page, browser)
}

/// The host, and the port if it is unusual, that the person is sent back to.
fn destination(redirect_uri: &str) -> String {
    let url = Url::parse(redirect_uri).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    match url.as_ref().and_then(Url::port) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// What a person decided.
enum Decision {
    Allow(ScopeSet),
    Cancel,
}

impl Decision {
    fn read(form: &Parameters) -> Result<Self, Refused> {
        match form.one("decision") {
            Some("cancel") => Ok(Self::Cancel),
            Some("allow") => form
                .all("scope")
                .map(Scope::parse)
                .collect::<Option<_>>()
                .map(Self::Allow)
                .ok_or(Refused::ForeignForm),
            _ => Err(Refused::ForeignForm),
        }
    }
}

/// What the client hears.
enum Outcome {
    Granted,
    Denied,
}

/// `POST /consent`.
pub(super) async fn answer(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let form = Parameters::parse(&body);
    let browser = Browser::read(&headers, &service.random);
    browser.verify(&form)?;
    let decision = Decision::read(&form)?;
    let handle = form.one("request").unwrap_or_default();
    let code = service.random.token();
    let grant_id = format!("grant_{}", service.random_id());
    let now = service.clock.now();
    let (address, outcome) = service
        .store
        .change(|state| {
            let account = browser.account(state, now).ok_or(Refused::ForeignForm)?;
            let request = authorize::pending(state, handle, &browser, now)
                .filter(|request| still_registered(state, request))
                .cloned()
                .ok_or(Refused::RequestGone)?;
            let outcome = match decision {
                Decision::Cancel => Outcome::Denied,
                Decision::Allow(scope) => {
                    if scope.is_empty() {
                        return Err(Refused::NothingTicked(authorize::continue_path(handle)));
                    }
                    if !scope.is_subset(&request.scope) {
                        return Err(Refused::ForeignForm);
                    }
                    grant(state, &request, account, scope, grant_id, &code, now);
                    Outcome::Granted
                }
            };
            state.requests.remove(&Digest::of(handle));
            let address = ReturnAddress {
                redirect_uri: request.redirect_uri,
                state: request.state,
            };
            Ok((address, outcome))
        })
        .await??;
    match outcome {
        Outcome::Granted => address.grant(code.expose(), &service.url),
        Outcome::Denied => {
            let refusal = Refusal::new(ErrorCode::AccessDenied, "the person said no");
            address.refuse(&refusal, &service.url)
        }
    }
}

/// Whether the client still has the redirect URI that the request was checked against.
fn still_registered(state: &State, request: &PendingRequest) -> bool {
    let client = state.clients.get(&request.client_id);
    client.is_some_and(|client| client.redirect_uri == request.redirect_uri)
}

fn grant(
    state: &mut State,
    request: &PendingRequest,
    account: Account,
    scope: ScopeSet,
    id: String,
    code: &Secret,
    now: Timestamp,
) {
    let issued = Code {
        grant: id.clone(),
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.code_challenge.clone(),
        expires_at: now + CODE_LIFETIME,
        used: false,
    };
    let grant = Grant {
        client_id: request.client_id.clone(),
        account,
        scope,
        granted_at: now,
    };
    state.grants.insert(id, grant);
    state.codes.insert(Digest::of(code.expose()), issued);
}
