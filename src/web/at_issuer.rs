//! Signing in with the issuer: the browser leaves for it, and comes back.

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::callback::parameters;
use super::pages::{ContinuePage, Label, Problem, SIGN_IN_PATH, WayOut, WebAddress};
use super::sign_in::return_path;
use super::visitor::layout;
use super::{Web, cookies, form, problem, render};
use crate::gateway::{Arrived, Attempt, Departing, SignInError};
use crate::identity::{ClientAddress, SignInAttempt};

/// `POST /sign-in`: sends the browser to the issuer with a page, not with a redirect: Chromium applies `form-action` to
/// redirects after a POST. Only our own page begins: nobody else can make a browser sign in.
pub(super) async fn leave(State(web): State<Web>, headers: HeaderMap) -> Response {
    if web.gateway.issuer_name().is_none() {
        return refused(&web, SignInError::NotOffered);
    }
    if !form::is_from_here(&headers, web.gateway.links()) {
        return problem::page(
            &web,
            None,
            StatusCode::FORBIDDEN,
            Problem::StaleForm,
            Some(back_to_sign_in()),
        );
    }
    match web.gateway.begin_sign_in(&return_path(&headers)).await {
        Ok(departing) => go_on(&web, &departing),
        Err(error) => refused(&web, error),
    }
}

fn go_on(web: &Web, departing: &Departing) -> Response {
    let Ok(destination) = WebAddress::parse(departing.authentication_url.as_str()) else {
        let message = "the address of the issuer cannot be shown".to_owned();
        return refused(web, SignInError::Unreachable(message));
    };
    let page = ContinuePage {
        layout: layout(None),
        service: issuer(web),
        lead: ContinuePage::SIGNS_IN,
        destination,
    };
    let mut response = render::html(web, StatusCode::OK, &page);
    let cookie = cookies::set(
        &departing.flow_cookie_name,
        &departing.flow_cookie,
        SignInAttempt::LIFETIME,
    );
    response
        .headers_mut()
        .extend(cookie.map(|line| (header::SET_COOKIE, line)));
    response
}

/// `GET /sign-in/callback` (OpenID Connect Core section 3.1.2.5).
pub(super) async fn come_back(
    State(web): State<Web>,
    headers: HeaderMap,
    address: Option<Extension<ClientAddress>>,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = parameters(query.as_deref().unwrap_or_default());
    let flow_cookie_name = parameters.flow_cookie_name();
    let flow_cookie = flow_cookie_name
        .as_deref()
        .and_then(|name| cookies::read(&headers, name));
    let old = cookies::read(&headers, cookies::SESSION);
    let completed = web
        .gateway
        .complete_sign_in(&parameters, flow_cookie.as_ref(), old.as_ref());
    match completed.await {
        Ok(arrived) => welcome(&web, &arrived, flow_cookie_name.as_deref()),
        Err(error) => {
            let is_made_up = matches!(error, SignInError::Lost);
            let answer = refused(&web, error);
            if is_made_up {
                return problem::after_failing(&web, Attempt::SignIn, address, answer);
            }
            answer
        }
    }
}

fn welcome(web: &Web, arrived: &Arrived, flow_cookie_name: Option<&str>) -> Response {
    let mut response = Redirect::to(&arrived.return_path).into_response();
    let lifetime = web.gateway.session_limits().absolute;
    let set = [
        cookies::set(cookies::SESSION, &arrived.cookie, lifetime),
        cookies::clear(cookies::RETURN),
        flow_cookie_name.and_then(cookies::clear),
    ];
    for line in set.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

fn issuer(web: &Web) -> Label {
    web.gateway.issuer_name().unwrap_or_default().into()
}

fn back_to_sign_in() -> WayOut {
    WayOut::Link {
        text: "Back to sign-in".into(),
        path: SIGN_IN_PATH.to_owned(),
    }
}

/// Why nobody was signed in. What exactly did not fit goes to the log and not to whoever sent it.
fn refused(web: &Web, error: SignInError) -> Response {
    let issuer = issuer(web);
    let (status, problem) = match error {
        SignInError::NotOffered => {
            return problem::page(web, None, StatusCode::NOT_FOUND, Problem::NotFound, None);
        }
        SignInError::TooMany => (StatusCode::TOO_MANY_REQUESTS, Problem::TooMany),
        SignInError::Lost => (StatusCode::BAD_REQUEST, Problem::SignInLost),
        SignInError::Untrusted(reason) => {
            tracing::warn!(reason, "what the issuer sent back was not accepted");
            (StatusCode::BAD_REQUEST, Problem::SignInUntrusted { issuer })
        }
        SignInError::Cancelled => (StatusCode::OK, Problem::SignInCancelled { issuer }),
        SignInError::Refused(reason) => {
            let reason = reason.as_str().into();
            (
                StatusCode::BAD_GATEWAY,
                Problem::SignInRefused { issuer, reason },
            )
        }
        SignInError::Unreachable(reason) => {
            tracing::error!(
                reason,
                "the issuer that people sign in with could not be asked"
            );
            (StatusCode::BAD_GATEWAY, Problem::SignInDown { issuer })
        }
        SignInError::Clocks(reason) => {
            tracing::error!(reason, "an ID token is not valid now");
            (StatusCode::BAD_REQUEST, Problem::SignInClocks { issuer })
        }
        SignInError::NotAMember => (StatusCode::FORBIDDEN, Problem::NotAMember { issuer }),
        SignInError::Fault(fault) => return problem::fault(web, None, &fault),
    };
    problem::page(web, None, status, problem, Some(back_to_sign_in()))
}
