//! Disconnecting: the question, and the receipt.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::pages::{
    AtProvider as Shown, DisconnectPage, DisconnectedPage, Problem, WebAddress, When,
};
use super::visitor::{Submitter, Viewer, layout};
use super::{Web, problem, render};
use crate::base::ConnectionId;
use crate::catalogue::Revocation;
use crate::connection::AtProvider;
use crate::gateway::{DisconnectError, Receipt, SignedIn};

/// `GET /connections/{connection}/disconnect`: names the effect and asks.
pub(super) async fn page(
    State(web): State<Web>,
    Viewer(signed_in): Viewer,
    Path(connection): Path<String>,
) -> Response {
    let Ok(id) = ConnectionId::parse(&connection) else {
        return unknown(&web, &signed_in);
    };
    let (connection, service) = match web.gateway.find_connection(&signed_in.principal, &id).await {
        Ok(found) => found,
        Err(error) => return refused(&web, &signed_in, error),
    };
    let revocation = service.ready().map(|ready| &ready.oauth.revocation);
    let page = DisconnectPage {
        layout: layout(Some(&signed_in)),
        service: service.provider.name().into(),
        account: Some(connection.account.label.into()),
        tools: service.provider.tools().len(),
        revocation: match revocation {
            Some(Revocation::Unsupported { manual_url }) => super::pages::Revocation::Unsupported(
                manual_url
                    .as_ref()
                    .and_then(|url| WebAddress::parse(url.as_str()).ok()),
            ),
            Some(Revocation::Request(_)) | None => super::pages::Revocation::Supported,
        },
        action: format!("/connections/{id}/disconnect"),
    };
    render::html(&web, StatusCode::OK, &page)
}

/// `POST /connections/{connection}/disconnect`: does it, and tries again where the provider has not confirmed.
pub(super) async fn disconnect(
    State(web): State<Web>,
    Path(connection): Path<String>,
    Submitter(signed_in): Submitter,
) -> Response {
    let Ok(id) = ConnectionId::parse(&connection) else {
        return unknown(&web, &signed_in);
    };
    match web.gateway.disconnect(&signed_in.principal, &id).await {
        Ok(receipt) => render::html(
            &web,
            StatusCode::OK,
            &receipt_page(&web, &signed_in, receipt),
        ),
        Err(error) => refused(&web, &signed_in, error),
    }
}

fn receipt_page(web: &Web, signed_in: &SignedIn, receipt: Receipt) -> DisconnectedPage {
    let manual = receipt
        .manual_url
        .as_deref()
        .and_then(|url| WebAddress::parse(url).ok());
    DisconnectedPage {
        layout: layout(Some(signed_in)),
        service: receipt.service_name.into(),
        account: Some(receipt.account.into()),
        at_provider: match receipt.at_provider {
            AtProvider::Confirmed => Shown::Confirmed,
            AtProvider::Unsupported => Shown::Unsupported(manual),
            AtProvider::GaveUp => Shown::GaveUp(manual),
            AtProvider::Pending => Shown::Pending {
                retry: format!("/connections/{}/disconnect", receipt.connection),
            },
        },
        at: When::new(receipt.disconnected, web.gateway.clock().now()),
    }
}

fn refused(web: &Web, signed_in: &SignedIn, error: DisconnectError) -> Response {
    match error {
        DisconnectError::UnknownConnection => unknown(web, signed_in),
        DisconnectError::Fault(fault) => problem::fault(web, Some(signed_in), &fault),
    }
}

/// The same answer whether the connection is another's or nobody's.
fn unknown(web: &Web, signed_in: &SignedIn) -> Response {
    problem::page(
        web,
        Some(signed_in),
        StatusCode::NOT_FOUND,
        Problem::NotFound,
        None,
    )
}
