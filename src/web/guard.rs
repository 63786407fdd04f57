//! What holds for every page: the host it is asked under, and the headers it is sent with.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::pages;
use crate::gateway::Links;

/// The names under which the gateway is asked.
#[derive(Clone)]
pub(super) struct Hosts {
    links: Links,
    known: Arc<[String]>,
}

impl Hosts {
    pub(super) fn new(links: Links, known: Vec<String>) -> Self {
        Self {
            links,
            known: known.into(),
        }
    }
}

/// Answers under known names only (DNS rebinding), and sends browsers to the public one.
pub(super) async fn known_host(
    State(hosts): State<Hosts>,
    request: Request,
    next: Next,
) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if host.eq_ignore_ascii_case(hosts.links.authority()) {
        return next.run(request).await;
    }
    if !hosts
        .known
        .iter()
        .any(|known| known.eq_ignore_ascii_case(host))
    {
        let sentence = format!(
            "This gateway does not answer under that name. It lives at {}.",
            hosts.links.origin()
        );
        return (StatusCode::MISDIRECTED_REQUEST, sentence).into_response();
    }
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    Redirect::temporary(&format!("{}{path}", hosts.links.origin())).into_response()
}

/// Nothing is cached, framed, sniffed, or told to other sites; no script runs.
pub(super) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    set_default(headers, header::CACHE_CONTROL.as_str(), "no-store");
    set_default(
        headers,
        header::CONTENT_SECURITY_POLICY.as_str(),
        pages::CONTENT_SECURITY_POLICY,
    );
    set_default(headers, header::X_FRAME_OPTIONS.as_str(), "DENY");
    set_default(headers, header::X_CONTENT_TYPE_OPTIONS.as_str(), "nosniff");
    set_default(headers, header::REFERRER_POLICY.as_str(), "no-referrer");
    set_default(headers, "cross-origin-opener-policy", "same-origin");
    set_default(headers, "cross-origin-resource-policy", "same-origin");
    response
}

fn set_default(headers: &mut HeaderMap, name: &'static str, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}
