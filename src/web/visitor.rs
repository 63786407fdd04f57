//! Who looks at a page, and who submits a form: what handlers ask for in their arguments.

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::form::{self, Confirmation};
use super::pages::{HOME_PATH, Layout};
use super::{Web, cookies, problem, sign_in};
use crate::base::Secret;
use crate::gateway::SignedIn;

/// Whoever looks, signed in or not.
pub(super) struct Visitor(pub(super) Option<SignedIn>);

impl FromRequestParts<Web> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let Some(cookie) = cookies::read(&parts.headers, cookies::SESSION) else {
            return Ok(Self(None));
        };
        let signed_in = web.gateway.signed_in(&cookie).await;
        signed_in
            .map(Self)
            .map_err(|fault| problem::fault(web, None, &fault))
    }
}

/// Someone who is signed in. Others are sent to sign in first, and afterwards back to the page that they wanted.
pub(super) struct Viewer(pub(super) SignedIn);

impl FromRequestParts<Web> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let Visitor(visitor) = Visitor::from_request_parts(parts, web).await?;
        visitor
            .map(Self)
            .ok_or_else(|| sign_in_first(parts.uri.path()))
    }
}

/// Someone who is signed in and pressed a button on one of our own pages, in this session.
pub(super) struct Submitter(pub(super) SignedIn);

impl FromRequest<Web> for Submitter {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Viewer(signed_in) = Viewer::from_request_parts(&mut parts, web).await?;
        let headers = parts.headers.clone();
        let form = Form::<Confirmation>::from_request(Request::from_parts(parts, body), web).await;
        match form {
            Ok(Form(form)) if is_genuine(web, &form, &signed_in, &headers) => Ok(Self(signed_in)),
            _ => Err(problem::stale_form(web, &signed_in)),
        }
    }
}

fn is_genuine(web: &Web, form: &Confirmation, signed_in: &SignedIn, headers: &HeaderMap) -> bool {
    form::is_genuine(form, signed_in, headers, web.gateway.links())
}

/// The frame of a page.
pub(super) fn layout(visitor: Option<&SignedIn>) -> Layout {
    match visitor {
        Some(signed_in) => Layout::signed_in(
            signed_in.principal.name.as_str(),
            signed_in.form_token.clone(),
        ),
        None => Layout::signed_out(),
    }
}

fn sign_in_first(wanted: &str) -> Response {
    const REMEMBERED: std::time::Duration = std::time::Duration::from_mins(30);
    let path = if sign_in::is_own_page(wanted) {
        wanted
    } else {
        HOME_PATH
    };
    let mut response = Redirect::to("/sign-in").into_response();
    if let Some(cookie) = cookies::set(cookies::RETURN, &Secret::new(path), REMEMBERED) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
