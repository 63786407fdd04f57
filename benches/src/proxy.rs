//! The minimal proxy: what anything that stands between a client and an API costs at least.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

#[derive(Clone)]
struct Proxy {
    http: reqwest::Client,
    upstream: Arc<str>,
}

/// Serves until the benchmark ends.
pub(crate) async fn serve(upstream: &str) -> anyhow::Result<()> {
    let proxy = Proxy {
        http: client()?,
        upstream: upstream.into(),
    };
    let router = Router::new().route("/{*path}", get(pass)).with_state(proxy);
    crate::serving::until_stdin_ends(router).await
}

/// The HTTP client of every server that stands in between.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

async fn pass(State(proxy): State<Proxy>, Path(path): Path<String>) -> Response {
    let url = format!("{}/{path}", proxy.upstream);
    let answer = async { proxy.http.get(url).send().await?.bytes().await };
    match answer.await {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}
