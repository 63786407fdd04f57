//! `GET /authorize`: a client asks for something, through a person's browser (RFC 6749 section 4.1.1).
//!
//! Client and redirect URI are checked first, and a mistake there is shown to the person: sending them anywhere would
//! make this server an open redirector. Every later mistake is the client's to hear, at its redirect URI. A good request
//! is kept here under a handle; the pages that follow carry the handle alone.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State as Extract};
use axum::response::Response;
use http::HeaderMap;
use url::Url;

use super::browser::Browser;
use super::consent;
use super::digest::Digest;
use super::pages::{Page, Refused};
use super::parameters::Parameters;
use super::protocol::{ErrorCode, Refusal};
use super::scope::ScopeSet;
use super::server::Service;
use super::sign_in;
use super::state::{PendingRequest, State};
use crate::base::Timestamp;

/// How long a person can take to answer.
const ANSWER_TIME: Duration = Duration::from_mins(10);

/// Where an answer goes, whatever it is.
pub(super) struct ReturnAddress {
    /// The client's redirect URI.
    pub(super) redirect_uri: String,
    /// The client's `state`.
    pub(super) state: Option<String>,
}

/// What a good request asks for.
struct Wish {
    scope: ScopeSet,
    code_challenge: String,
}

/// `GET /authorize`.
pub(super) async fn begin(
    Extract(service): Extract<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let (client_id, address) = service
        .store
        .read(|state| return_address(state, &parameters))
        .await?;
    let wish = match Wish::read(&parameters) {
        Ok(wish) => wish,
        Err(refusal) => return address.refuse(&refusal, &service.url),
    };
    let browser = Browser::read(&headers, &service.random);
    let handle = service.random.token();
    let request = PendingRequest {
        browser: browser.key(),
        client_id,
        redirect_uri: address.redirect_uri,
        state: address.state,
        scope: wish.scope,
        code_challenge: wish.code_challenge,
        expires_at: service.clock.now() + ANSWER_TIME,
    };
    let key = Digest::of(handle.expose());
    service
        .store
        .change(|state| state.requests.insert(key, request))
        .await?;
    Ok(Page::see_other(&continue_path(handle.expose()), &browser))
}

/// `GET /authorize/continue?request=…`: the sign-in page, or the consent page for whoever is signed in.
pub(super) async fn resume(
    Extract(service): Extract<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes());
    let handle = parameters.one("request").unwrap_or_default();
    let browser = Browser::read(&headers, &service.random);
    let now = service.clock.now();
    service
        .store
        .read(|state| {
            let request = pending(state, handle, &browser, now).ok_or(Refused::RequestGone)?;
            match browser.account(state, now) {
                None => sign_in::page(state, request, handle, &browser),
                Some(account) => consent::page(state, request, handle, account, &browser),
            }
        })
        .await
}

/// Where a request's pages are.
pub(super) fn continue_path(handle: &str) -> String {
    format!("/authorize/continue?request={handle}")
}

/// The request that `handle` stands for, if this browser brought it.
pub(super) fn pending<'a>(
    state: &'a State,
    handle: &str,
    browser: &Browser,
    now: Timestamp,
) -> Option<&'a PendingRequest> {
    state
        .requests
        .get(&Digest::of(handle))
        .filter(|request| request.browser == browser.key() && now < request.expires_at)
}

/// The client, and its own redirect URI: compared character by character (OAuth 2.1 section 2.3.1).
fn return_address(
    state: &State,
    parameters: &Parameters,
) -> Result<(String, ReturnAddress), Refused> {
    let client_id = parameters.one("client_id").ok_or(Refused::UnknownClient)?;
    let client = state.clients.get(client_id).ok_or(Refused::UnknownClient)?;
    match parameters.one("redirect_uri") {
        Some(redirect_uri) if redirect_uri == client.redirect_uri => Ok((
            client_id.to_owned(),
            ReturnAddress {
                redirect_uri: redirect_uri.to_owned(),
                state: parameters.one("state").map(str::to_owned),
            },
        )),
        _ => Err(Refused::ForeignRedirect),
    }
}

impl Wish {
    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        let invalid = |description| Refusal::new(ErrorCode::InvalidRequest, description);
        if parameters.repeated().is_some() {
            return Err(invalid("a parameter is there more than once"));
        }
        match parameters.one("response_type") {
            Some("code") => {}
            Some(_) => {
                return Err(Refusal::new(
                    ErrorCode::UnsupportedResponseType,
                    "response_type must be code",
                ));
            }
            None => return Err(invalid("response_type is missing")),
        }
        let code_challenge = parameters
            .one("code_challenge")
            .ok_or_else(|| invalid("code_challenge is missing: PKCE is required"))?;
        if parameters.one("code_challenge_method") != Some("S256") {
            return Err(invalid("code_challenge_method must be S256"));
        }
        if !is_challenge(code_challenge) {
            return Err(invalid(
                "code_challenge must be the SHA-256 of the verifier in base64url, 43 characters",
            ));
        }
        let scope = parameters
            .one("scope")
            .and_then(ScopeSet::parse)
            .filter(|scope| !scope.is_empty())
            .ok_or(Refusal::new(
                ErrorCode::InvalidScope,
                "scope must name some of: profile notes:read notes:write",
            ))?;
        Ok(Self {
            scope,
            code_challenge: code_challenge.to_owned(),
        })
    }
}

/// A SHA-256 in unpadded base64url (RFC 7636 section 4.2).
fn is_challenge(text: &str) -> bool {
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() == 43 && text.bytes().all(base64url)
}

impl ReturnAddress {
    /// Sends the person back with a code (RFC 6749 section 4.1.2).
    pub(super) fn grant(&self, code: &str, issuer: &str) -> Result<Response, Refused> {
        self.send(&[("code", code)], issuer)
    }

    /// Sends the person back with an error (RFC 6749 section 4.1.2.1).
    pub(super) fn refuse(&self, refusal: &Refusal, issuer: &str) -> Result<Response, Refused> {
        let answer = [
            ("error", refusal.code.as_str()),
            ("error_description", refusal.description),
        ];
        self.send(&answer, issuer)
    }

    /// Adds the answer, the client's `state` and our name (RFC 9207) to the redirect URI.
    ///
    /// With 303, so that the form that was posted here is not posted there (OAuth 2.1 section 7.5.2).
    fn send(&self, answer: &[(&str, &str)], issuer: &str) -> Result<Response, Refused> {
        let mut url = Url::parse(&self.redirect_uri).map_err(|_| Refused::ForeignRedirect)?;
        url.query_pairs_mut()
            .extend_pairs(answer)
            .extend_pairs(self.state.as_ref().map(|state| ("state", state)))
            .append_pair("iss", issuer);
        Ok(Page::leave(url.as_str()))
    }
}
