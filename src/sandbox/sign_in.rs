//! Signing in and out: a button for each account, no passwords.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::response::Response;
use http::HeaderMap;

use super::accounts::Account;
use super::authorize::continue_path;
use super::browser::{Browser, SESSION_LIFETIME};
use super::pages::{Page, Refused, SignInPage};
use super::parameters::Parameters;
use super::server::Service;
use super::state::{PendingRequest, Session, State};

/// The page on which a person says who they are.
pub(super) fn page(
    state: &State,
    request: &PendingRequest,
    handle: &str,
    browser: &Browser,
) -> Result<Response, Refused> {
    let client = state
        .clients
        .get(&request.client_id)
        .ok_or(Refused::RequestGone)?;
    let page = SignInPage {
        client: &client.name,
        request: handle,
        csrf: browser.csrf(),
        accounts: Account::ALL,
    };
    Page::show(&page, browser)
}

/// `POST /sign-in`.
pub(super) async fn sign_in(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let form = Parameters::parse(&body);
    let account = form.one("account").and_then(Account::parse);
    let account = account.ok_or(Refused::ForeignForm)?;
    replace(&service, &headers, &form, Some(account)).await
}

/// `POST /sign-out`: also how a person turns to the other account.
pub(super) async fn sign_out(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    replace(&service, &headers, &Parameters::parse(&body), None).await
}

/// Gives the browser a new cookie under which `account`, or nobody, is signed in; requests that wait stay the browser's.
async fn replace(
    service: &Service,
    headers: &HeaderMap,
    form: &Parameters,
    account: Option<Account>,
) -> Result<Response, Refused> {
    let former = Browser::read(headers, &service.random);
    former.verify(form)?;
    let browser = Browser::new(&service.random);
    let expires_at = service.clock.now() + SESSION_LIFETIME;
    service
        .store
        .change(|state| {
            state.sessions.remove(&former.key());
            if let Some(account) = account {
                let session = Session {
                    account,
                    expires_at,
                };
                state.sessions.insert(browser.key(), session);
            }
            let waiting = state.requests.values_mut();
            for request in waiting.filter(|request| request.browser == former.key()) {
                request.browser = browser.key();
            }
        })
        .await?;
    let next = form
        .one("request")
        .filter(|handle| handle.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(|| "/".to_owned(), continue_path);
    Ok(Page::see_other(&next, &browser))
}
