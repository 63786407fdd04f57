//! Choosing the account that agents use when they name none. Both forms lead back to the Connections page, which shows it.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::pages::HOME_PATH;
use super::visitor::Submitter;
use super::{Web, problem};
use crate::base::ConnectionId;
use crate::connection::Connection;
use crate::gateway::{DefaultAccountError, SignedIn};

/// `POST /connections/{connection}/default`.
pub(super) async fn set(
    State(web): State<Web>,
    Path(connection): Path<String>,
    Submitter(signed_in): Submitter,
) -> Response {
    let Ok(id) = ConnectionId::parse(&connection) else {
        return problem::unknown_connection(&web, &signed_in);
    };
    let done = web.gateway.set_default_account(&signed_in.principal, &id);
    back(&web, &signed_in, done.await)
}

/// `POST /connections/{connection}/no-default`.
pub(super) async fn clear(
    State(web): State<Web>,
    Path(connection): Path<String>,
    Submitter(signed_in): Submitter,
) -> Response {
    let Ok(id) = ConnectionId::parse(&connection) else {
        return problem::unknown_connection(&web, &signed_in);
    };
    let done = web.gateway.clear_default_account(&signed_in.principal, &id);
    back(&web, &signed_in, done.await)
}

fn back(
    web: &Web,
    signed_in: &SignedIn,
    done: Result<Connection, DefaultAccountError>,
) -> Response {
    match done {
        // One that was disconnected meanwhile: the page shows that too.
        Ok(_) | Err(DefaultAccountError::Missing(_)) => Redirect::to(HOME_PATH).into_response(),
        Err(DefaultAccountError::UnknownConnection) => problem::unknown_connection(web, signed_in),
        Err(DefaultAccountError::Fault(fault)) => problem::fault(web, Some(signed_in), &fault),
    }
}
