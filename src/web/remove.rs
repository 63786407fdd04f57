//! Removing a connection that cannot be read: the question, and what was done.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::disconnect::refused;
use super::pages::{RemovePage, RemovedPage};
use super::visitor::{Submitter, Viewer, layout};
use super::{Web, problem, render};
use crate::base::ConnectionId;

/// `GET /connections/{connection}/remove`: names the effect and asks. Changes nothing.
pub(super) async fn page(
    State(web): State<Web>,
    Viewer(signed_in): Viewer,
    Path(connection): Path<String>,
) -> Response {
    let Ok(id) = ConnectionId::parse(&connection) else {
        return problem::unknown_connection(&web, &signed_in);
    };
    let damaged = match web.gateway.damaged_connections(&signed_in.principal).await {
        Ok(damaged) => damaged,
        Err(fault) => return problem::fault(&web, Some(&signed_in), &fault),
    };
    if !damaged.iter().any(|one| one.connection == id) {
        return problem::unknown_connection(&web, &signed_in);
    }
    let page = RemovePage {
        layout: layout(Some(&signed_in)),
        connection: id.as_str().into(),
        action: format!("/connections/{id}/remove"),
    };
    render::html(&web, StatusCode::OK, &page)
}

/// `POST /connections/{connection}/remove`: does it.
pub(super) async fn remove(
    State(web): State<Web>,
    Path(connection): Path<String>,
    Submitter(signed_in): Submitter,
) -> Response {
    let Ok(id) = ConnectionId::parse(&connection) else {
        return problem::unknown_connection(&web, &signed_in);
    };
    match web
        .gateway
        .remove_damaged_connection(&signed_in.principal, &id)
        .await
    {
        Ok(()) => {
            let page = RemovedPage {
                layout: layout(Some(&signed_in)),
                connection: id.as_str().into(),
            };
            render::html(&web, StatusCode::OK, &page)
        }
        Err(error) => refused(&web, &signed_in, error),
    }
}
