//! Disconnecting: the question, and the receipt.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::pages::{
    AtProvider as Shown, DisconnectPage, DisconnectedPage, Obstacle as ShownObstacle,
    Revoking as ShownRevoking, WebAddress, When,
};
use super::visitor::{Submitter, Viewer, layout};
use super::{Web, problem, render};
use crate::base::ConnectionId;
use crate::catalogue::Revocation;
use crate::connection::{AtProvider, RevokedReason};
use crate::gateway::{DisconnectError, Obstacle, Receipt, Revoking, SignedIn};

/// `GET /connections/{connection}/disconnect`: names the effect and asks; once it was done, shows the receipt.
pub(super) async fn page(
    State(web): State<Web>,
    Viewer(signed_in): Viewer,
    Path(connection): Path<String>,
) -> Response {
    let Ok(id) = ConnectionId::parse(&connection) else {
        return problem::unknown_connection(&web, &signed_in);
    };
    let (connection, service) = match web.gateway.find_connection(&signed_in.principal, &id).await {
        Ok(found) => found,
        // What cannot be read can only be removed.
        Err(DisconnectError::Damaged) => {
            return Redirect::to(&format!("/connections/{id}/remove")).into_response();
        }
        Err(error) => return refused(&web, &signed_in, error),
    };
    match web.gateway.receipt(&signed_in.principal, &id).await {
        Ok(None) => {}
        Ok(Some(receipt)) => {
            let page = receipt_page(&web, &signed_in, receipt);
            return render::html(&web, StatusCode::OK, &page);
        }
        Err(error) => return refused(&web, &signed_in, error),
    }
    let provider = service.as_ref().map(|service| &service.provider);
    let ready = service.as_ref().and_then(|service| service.ready());
    let name = provider.map_or(connection.service.as_str(), |provider| provider.name());
    let page = DisconnectPage {
        layout: layout(Some(&signed_in)),
        service: name.into(),
        account: Some(connection.account.label.into()),
        tools: provider.map_or(0, |provider| provider.tools().len()),
        revocation: match ready.map(|ready| &ready.oauth.revocation) {
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
        return problem::unknown_connection(&web, &signed_in);
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
    let now = web.gateway.clock().now();
    let at_provider = match (receipt.at_provider, receipt.revoking) {
        (AtProvider::Confirmed, _) => Shown::Confirmed,
        (AtProvider::Unsupported, _) => Shown::Unsupported(manual),
        (AtProvider::Pending, Some(revoking)) => Shown::Pending(ShownRevoking {
            obstacle: obstacle(&revoking),
            answers_until: revoking.answers_until.map(|end| When::new(end, now)),
            next: revoking
                .next
                .filter(|next| *next > now)
                .map(|next| When::new(next, now)),
            kept_until: When::new(revoking.kept_until, now),
            page: manual,
            retry: format!("/connections/{}/disconnect", receipt.connection),
        }),
        (AtProvider::GaveUp | AtProvider::Pending, _) => Shown::GaveUp(manual),
    };
    DisconnectedPage {
        layout: layout(Some(signed_in)),
        service: receipt.service_name.into(),
        account: Some(receipt.account.into()),
        by_admin: receipt.reason == RevokedReason::DisconnectedByAdmin,
        at_provider,
        at: When::new(receipt.disconnected, now),
    }
}

fn obstacle(revoking: &Revoking) -> ShownObstacle {
    match revoking.obstacle {
        Obstacle::NotConfirmed => ShownObstacle::NotConfirmed,
        Obstacle::StillAnswers => ShownObstacle::StillAnswers,
        Obstacle::NotSetUp => ShownObstacle::NotSetUp,
        Obstacle::SetUpAnew => ShownObstacle::SetUpAnew,
    }
}

pub(super) fn refused(web: &Web, signed_in: &SignedIn, error: DisconnectError) -> Response {
    match error {
        DisconnectError::UnknownConnection | DisconnectError::Damaged => {
            problem::unknown_connection(web, signed_in)
        }
        DisconnectError::Fault(fault) => problem::fault(web, Some(signed_in), &fault),
    }
}
