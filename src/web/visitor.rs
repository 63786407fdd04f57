//! Who looks at a page.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};

use super::pages::Layout;
use super::{Web, cookies, problem};
use crate::base::Secret;
use crate::gateway::SignedIn;

impl Web {
    /// Who is signed in, if anyone is. A fault of the store is a page of its own.
    pub(super) async fn visitor(&self, headers: &HeaderMap) -> Result<Option<SignedIn>, Response> {
        let Some(cookie) = cookies::read(headers, cookies::SESSION) else {
            return Ok(None);
        };
        self.gateway
            .signed_in(&cookie)
            .await
            .map_err(|fault| problem::fault(self, None, &fault))
    }

    /// Who is signed in; others are sent to sign in first, and afterwards back to `path`.
    pub(super) async fn signed_in(
        &self,
        headers: &HeaderMap,
        path: &str,
    ) -> Result<SignedIn, Response> {
        self.visitor(headers)
            .await?
            .ok_or_else(|| sign_in_first(path))
    }
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

fn sign_in_first(path: &str) -> Response {
    const REMEMBERED: std::time::Duration = std::time::Duration::from_mins(30);
    let mut response = Redirect::to("/sign-in").into_response();
    if let Some(cookie) = cookies::set(cookies::RETURN, &Secret::new(path), REMEMBERED) {
        response
            .headers_mut()
            .append(axum::http::header::SET_COOKIE, cookie);
    }
    response
}
