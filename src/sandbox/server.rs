//! The HTTP side: which path is whose, and what holds for every answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::journal::{self, Journal};
use super::orders::Orders;
use super::store::Store;
use super::{
    api, authorize, consent, control, home, metadata, pages, sign_in, token, token_status,
};
use crate::base::{Clock, Random, Secret};

/// The largest body that is read, in bytes. The longest note, every character escaped, fits.
const LARGEST_BODY: usize = 64 * 1024;

/// What every handler works with.
#[derive(Debug)]
pub(super) struct Service {
    /// What is remembered.
    pub(super) store: Store,
    /// The time.
    pub(super) clock: Clock,
    /// Where tokens come from.
    pub(super) random: Random,
    /// `http://localhost:PORT`: address and issuer.
    pub(super) url: String,
    /// The port in it.
    pub(super) port: u16,
    /// What it was told to do wrong.
    pub(super) orders: Orders,
    /// What it has seen.
    pub(super) journal: Journal,
    /// Lets others give orders.
    pub(super) control_secret: Secret,
}

/// Every path.
pub(super) fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", get(home::show))
        .route("/style.css", get(pages::style))
        .route(
            "/.well-known/oauth-authorization-server",
            get(metadata::show),
        )
        .route("/authorize", get(authorize::begin))
        .route("/authorize/continue", get(authorize::resume))
        .route("/sign-in", post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/consent", post(consent::answer))
        .route("/take-back", post(home::take_back))
        .route("/token", post(token::issue))
        .route("/revoke", post(token_status::revoke))
        .route("/introspect", post(token_status::introspect))
        .route("/control", get(control::report).post(control::order))
        .nest("/api", api::routes())
        .fallback(pages::not_found)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&service),
            journal::keep,
        ))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&service),
            for_us_only,
        ))
        .layer(middleware::map_response(protect))
        .with_state(service)
}

/// Refuses requests that were meant for another host: a page elsewhere whose name is pointed at this machine (DNS
/// rebinding) would otherwise read our pages as its own.
async fn for_us_only(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    if is_ours(request.headers(), service.port) {
        next.run(request).await
    } else {
        let message = format!("This is {}; no other name is served here.\n", service.url);
        (StatusCode::MISDIRECTED_REQUEST, message).into_response()
    }
}

fn is_ours(headers: &HeaderMap, port: u16) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let Some((name, at)) = host.and_then(|host| host.rsplit_once(':')) else {
        return false;
    };
    at == port.to_string() && ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

/// The headers of every answer.
///
/// The policy leaves `form-action` out on purpose: Chromium applies it to the redirects that follow a form as well, and
/// the consent form's answer is a redirect to whichever client asked. The redirect goes to a registered URI only.
async fn protect(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
