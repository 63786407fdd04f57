//! Removing a connection that cannot be read: the question, and what was done.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::pages::{Problem, RemovePage, RemovedPage};
use super::visitor::{Submitter, Viewer, layout};
use super::{Web, problem, render};
use crate::base::ConnectionId;
use crate::gateway::{DisconnectError, SignedIn};

/// `GET /connections/{connection}/remove`: names the effect and asks. Changes nothing.
pub(super) async fn page(
    State(web): State<Web>,
    Viewer(signed_in): Viewer,
    Path(connection): Path<String>,
) -> Response {
    let Ok(id) = ConnectionId::parse(&connection) else {
        return unknown(&web, &signed_in);
    };
    let damaged = match web.gateway.damaged_connections(&signed_in.principal).await {
        Ok(damaged) => damaged,
        Err(fault) => return problem::fault(&web, Some(&signed_in), &fault),
    };
    if !damaged.iter().any(|one| one.connection == id) {
        return unknown(&web, &signed_in);
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
        return unknown(&web, &signed_in);
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
        Err(DisconnectError::UnknownConnection | DisconnectError::Damaged) => {
            unknown(&web, &signed_in)
        }
        Err(DisconnectError::Fault(fault)) => problem::fault(&web, Some(&signed_in), &fault),
    }
}

/// The same answer whether the connection is another's, nobody's, or one that can be read.
fn unknown(web: &Web, signed_in: &SignedIn) -> Response {
    problem::page(
        web,
        Some(signed_in),
        StatusCode::NOT_FOUND,
        Problem::NotFound,
        None,
    )
}
