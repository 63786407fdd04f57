//! Signing in by a one-time link, and out again.

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::pages::{HOME_PATH, Problem, SIGN_IN_PATH, SignInPage, SignOutPage};
use super::visitor::{Submitter, Viewer, Visitor, layout};
use super::{Web, cookies, problem, render};
use crate::base::Secret;
use crate::gateway::{Attempt, SignedIn};
use crate::identity::ClientAddress;

/// `GET /sign-in`: how to sign in.
pub(super) async fn page(
    State(web): State<Web>,
    Visitor(visitor): Visitor,
    headers: HeaderMap,
) -> Response {
    if visitor.is_some() {
        return Redirect::to(&return_path(&headers)).into_response();
    }
    let purpose = return_path(&headers)
        .starts_with("/connect/")
        .then(|| "connect a service for your agent".into());
    let page = SignInPage {
        layout: layout(None),
        mode: web.mode,
        issuer: web.gateway.issuer_name().unwrap_or_default().into(),
        purpose,
    };
    render::html(&web, StatusCode::OK, &page)
}

/// `GET /sign-in/{token}`: spends the link and begins a session. Looking ahead (HEAD, prefetch) spends nothing.
pub(super) async fn sign_in(
    State(web): State<Web>,
    Visitor(visitor): Visitor,
    method: Method,
    headers: HeaderMap,
    address: Option<Extension<ClientAddress>>,
    Path(token): Path<String>,
) -> Response {
    if method == Method::HEAD || headers.contains_key("sec-purpose") {
        return StatusCode::NO_CONTENT.into_response();
    }
    let (cookie, _) = match web.gateway.sign_in(&Secret::new(token)).await {
        Ok(Some(signed_in)) => signed_in,
        Ok(None) => {
            let answer = used_link(&web, visitor.as_ref(), &headers);
            return problem::after_failing(&web, Attempt::SignIn, address, answer);
        }
        Err(fault) => return problem::fault(&web, None, &fault),
    };
    if let Some(old) = cookies::read(&headers, cookies::SESSION)
        && let Err(fault) = web.gateway.sign_out(&old).await
    {
        tracing::error!(%fault, "an old session could not be ended");
    }
    let mut response = Redirect::to(&return_path(&headers)).into_response();
    let set = [
        cookies::set(
            cookies::SESSION,
            &cookie,
            web.gateway.session_limits().absolute,
        ),
        cookies::clear(cookies::RETURN),
    ];
    for line in set.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

/// A link that was used already. Someone who is signed in meant to come in, and may.
fn used_link(web: &Web, visitor: Option<&SignedIn>, headers: &HeaderMap) -> Response {
    if visitor.is_some() {
        return Redirect::to(&return_path(headers)).into_response();
    }
    problem::page(web, None, StatusCode::GONE, Problem::LinkUsed, None)
}

/// `POST /sign-out`.
pub(super) async fn sign_out(
    State(web): State<Web>,
    headers: HeaderMap,
    Submitter(signed_in): Submitter,
) -> Response {
    if let Some(cookie) = cookies::read(&headers, cookies::SESSION)
        && let Err(fault) = web.gateway.sign_out(&cookie).await
    {
        return problem::fault(&web, Some(&signed_in), &fault);
    }
    signed_out()
}

/// `GET /sign-out`: where one wants to be signed out.
pub(super) async fn sign_out_page(State(web): State<Web>, Viewer(signed_in): Viewer) -> Response {
    let page = SignOutPage {
        layout: layout(Some(&signed_in)),
    };
    render::html(&web, StatusCode::OK, &page)
}

/// `POST /sign-out/everywhere`: every session of this person is over, this one among them.
pub(super) async fn sign_out_everywhere(
    State(web): State<Web>,
    Submitter(signed_in): Submitter,
) -> Response {
    let person = &signed_in.principal.id;
    match web.gateway.sign_out_everywhere(person).await {
        Ok(_) => signed_out(),
        Err(fault) => problem::fault(&web, Some(&signed_in), &fault),
    }
}

fn signed_out() -> Response {
    let mut response = Redirect::to(SIGN_IN_PATH).into_response();
    response
        .headers_mut()
        .extend(cookies::clear(cookies::SESSION).map(|line| (header::SET_COOKIE, line)));
    response
}

/// Where the browser wanted to go: one of our own pages, or the Connections page. Anything else is not followed.
pub(super) fn return_path(headers: &HeaderMap) -> String {
    let wanted = cookies::read(headers, cookies::RETURN);
    let wanted = wanted
        .as_ref()
        .map(Secret::expose)
        .filter(|path| is_own_page(path));
    wanted.unwrap_or(HOME_PATH).to_owned()
}

/// Whether a path is one of the pages that a person is sent back to after signing in.
pub(super) fn is_own_page(path: &str) -> bool {
    let ticket = path.strip_prefix("/connect/");
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    path == HOME_PATH || ticket.is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::is_own_page;

    #[test]
    fn only_our_own_pages_are_returned_to() {
        assert!(is_own_page("/connections") && is_own_page("/connect/Ab-_9"));
        for other in [
            "",
            "/",
            "//evil.example",
            "https://evil.example",
            "/connect/",
            "/connect/../x",
            "/connect//evil.example",
            "/connect/a?b",
            "/connect/a#b",
            "/connect/%2e",
            "/\\evil.example",
            "/connect/a\r\nb",
        ] {
            assert!(!is_own_page(other), "{other}");
        }
    }
}
