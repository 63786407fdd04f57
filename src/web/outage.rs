//! The pages of a gateway whose store cannot be opened: every address answers with the one page that says so.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use super::pages::{Outage, OutagePage, Template};
use super::{assets, guard};
use crate::gateway::Links;

/// Supervisors and browsers are told to look again after so many seconds.
const AGAIN_AFTER: HeaderValue = HeaderValue::from_static("5");

/// What is answered while there is no store. `authorities` as in [`super::router`].
pub fn outage_router(
    links: Links,
    authorities: Vec<String>,
    outage: watch::Receiver<Outage>,
) -> Router {
    let pages = Router::new()
        .route("/assets/{file}", get(assets::file))
        .fallback(page)
        .with_state(outage.clone())
        .layer(from_fn(guard::security_headers))
        .layer(from_fn_with_state(
            guard::Hosts::new(links, authorities),
            guard::known_host,
        ));
    Router::new()
        .route("/healthz", get(health))
        .with_state(outage)
        .merge(pages)
}

async fn page(State(outage): State<watch::Receiver<Outage>>) -> Response {
    let outage = *outage.borrow();
    match OutagePage::new(outage).render() {
        Ok(html) => unavailable(Html(html)),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            unavailable(outage.happened())
        }
    }
}

async fn health(State(outage): State<watch::Receiver<Outage>>) -> Response {
    let outage = *outage.borrow();
    unavailable(format!("{} {}\n", outage.happened(), outage.remedy()))
}

fn unavailable(body: impl IntoResponse) -> Response {
    let wait = [(header::RETRY_AFTER, AGAIN_AFTER)];
    (StatusCode::SERVICE_UNAVAILABLE, wait, body).into_response()
}
