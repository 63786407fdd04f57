//! Floor 5: the browser surface.
//!
//! Owns the pages, the OAuth callback, sign-in and the rules that every page lives under (host, origin, cookies,
//! headers). Refuses to know storage, the way out and OAuth: it translates between browsers and the verbs of `gateway`.

mod assets;
mod at_issuer;
mod callback;
mod connect;
mod connections;
mod cookies;
mod default_account;
mod disconnect;
mod form;
mod guard;
mod outage;
pub mod pages;
mod problem;
mod remove;
mod render;
mod sign_in;
mod visitor;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

pub use outage::outage_router;

use crate::gateway::Gateway;
use crate::identity::Mode;

/// What every handler gets.
#[derive(Clone)]
struct Web {
    gateway: Gateway,
    mode: Mode,
}

/// The pages. `authorities` are the values of `Host` that are answered; those that are not the public one are sent to
/// it, since cookies belong to one host.
pub fn router(gateway: Gateway, mode: Mode, authorities: Vec<String>) -> Router {
    let links = gateway.links().clone();
    let web = Web { gateway, mode };
    let pages = Router::new()
        .route("/", get(connections::home))
        .route("/connections", get(connections::page))
        .route(
            "/connections/{connection}/disconnect",
            get(disconnect::page).post(disconnect::disconnect),
        )
        .route(
            "/connections/{connection}/remove",
            get(remove::page).post(remove::remove),
        )
        .route(
            "/connections/{connection}/reconnect",
            post(connect::begin_with_connection),
        )
        .route(
            "/connections/{connection}/default",
            post(default_account::set),
        )
        .route(
            "/connections/{connection}/no-default",
            post(default_account::clear),
        )
        .route(
            "/services/{service}/connect",
            post(connect::begin_with_service),
        )
        .route(
            "/connect/{ticket}",
            get(connect::page).post(connect::begin_with_ticket),
        )
        .route("/oauth/callback/{service}", get(callback::complete))
        .route("/sign-in", get(sign_in::page).post(at_issuer::leave))
        .route("/sign-in/callback", get(at_issuer::come_back))
        .route("/sign-in/{token}", get(sign_in::sign_in))
        .route(
            "/sign-out",
            get(sign_in::sign_out_page).post(sign_in::sign_out),
        )
        .route("/sign-out/everywhere", post(sign_in::sign_out_everywhere))
        .route("/assets/{file}", get(assets::file))
        .fallback(problem::not_found)
        .with_state(web)
        .layer(from_fn(guard::security_headers))
        .layer(from_fn_with_state(
            guard::Hosts::new(links, authorities),
            guard::known_host,
        ));
    // Asked by supervisors under whatever name they know.
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .merge(pages)
}
