//! From a page's context to a response.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::Web;
use super::pages::Template;

/// A page, rendered.
pub(super) fn html(web: &Web, status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, host = web.gateway.links().authority(), "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
