//! The pages for when something did not work, each with its status and a number to quote.

use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::pages::{ErrorPage, Label, Problem, WayOut};
use super::visitor::{Visitor, layout};
use super::{Web, render};
use crate::connection::{CallbackRefusal, TicketRefusal};
use crate::gateway::{Attempt, ConnectError, Fault, SignedIn};
use crate::identity::ClientAddress;

/// An error page.
pub(super) fn page(
    web: &Web,
    visitor: Option<&SignedIn>,
    status: StatusCode,
    problem: Problem,
    way_out: Option<WayOut>,
) -> Response {
    let request_id = web.gateway.request_id();
    tracing::info!(
        request_id,
        status = status.as_u16(),
        ?problem,
        "answered with an error page"
    );
    let page = ErrorPage {
        layout: layout(visitor),
        problem,
        way_out,
        request_id: request_id.into(),
    };
    render::html(web, status, &page)
}

/// A fault on our side: the cause goes to the log.
pub(super) fn fault(web: &Web, visitor: Option<&SignedIn>, fault: &Fault) -> Response {
    if fault.is_full_disk() {
        tracing::error!(%fault, "a page needs what cannot be written");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return page(web, visitor, status, Problem::DiskFull, None);
    }
    tracing::error!(%fault, "a page failed on our side");
    page(
        web,
        visitor,
        StatusCode::INTERNAL_SERVER_ERROR,
        Problem::Internal,
        None,
    )
}

/// No such address.
pub(super) async fn not_found(State(web): State<Web>, Visitor(visitor): Visitor) -> Response {
    page(
        &web,
        visitor.as_ref(),
        StatusCode::NOT_FOUND,
        Problem::NotFound,
        None,
    )
}

/// A form that did not come from our own page in this session.
pub(super) fn stale_form(web: &Web, visitor: &SignedIn) -> Response {
    page(
        web,
        Some(visitor),
        StatusCode::FORBIDDEN,
        Problem::StaleForm,
        None,
    )
}

/// `answer` to somebody who has just failed at `attempt`, or that it was too often (RFC 6585 section 4).
pub(super) fn after_failing(
    web: &Web,
    attempt: Attempt,
    address: Option<Extension<ClientAddress>>,
    answer: Response,
) -> Response {
    if !answer.status().is_client_error() {
        return answer;
    }
    let failed = address.map(|Extension(address)| web.gateway.attempt_failed(attempt, address));
    let Some(Err(too_many)) = failed else {
        return answer;
    };
    let wait = [(header::RETRY_AFTER, too_many.again_in_seconds.to_string())];
    (StatusCode::TOO_MANY_REQUESTS, wait, too_many.to_string()).into_response()
}

/// Why connecting `service` did not work.
pub(super) fn connect(
    web: &Web,
    visitor: &SignedIn,
    service: &str,
    error: ConnectError,
) -> Response {
    let named = |name: &str| Label::new(name);
    let again = || {
        web.gateway
            .services()
            .find(service)
            .map(|service| WayOut::Form {
                text: "Try again".into(),
                path: format!("/services/{}/connect", service.id()),
            })
    };
    let (status, problem, way_out) = match error {
        ConnectError::UnknownLink | ConnectError::Link(TicketRefusal::Expired) => {
            (StatusCode::GONE, Problem::LinkExpired, None)
        }
        ConnectError::Link(TicketRefusal::Spent) => (StatusCode::GONE, Problem::LinkUsed, None),
        ConnectError::Link(TicketRefusal::WrongPerson)
        | ConnectError::Callback(CallbackRefusal::WrongPerson) => {
            (StatusCode::FORBIDDEN, Problem::WrongPerson, None)
        }
        ConnectError::UnknownService
        | ConnectError::UnknownConnection
        | ConnectError::Narrowed(_)
        | ConnectError::NotConfigured => (StatusCode::NOT_FOUND, Problem::NotFound, None),
        ConnectError::UnknownState
        | ConnectError::Callback(
            CallbackRefusal::Expired
            | CallbackRefusal::WrongService
            | CallbackRefusal::WrongBrowser,
        ) => (StatusCode::BAD_REQUEST, Problem::StateExpired, None),
        ConnectError::WrongIssuer | ConnectError::NotVerified => {
            let services = web.gateway.services();
            let name = services
                .find(service)
                .map_or("The service", |known| known.provider.name());
            (
                StatusCode::BAD_REQUEST,
                Problem::Untrusted {
                    service: named(name),
                },
                None,
            )
        }
        ConnectError::Cancelled { service } => (
            StatusCode::OK,
            Problem::Cancelled {
                service: named(&service),
            },
            again(),
        ),
        ConnectError::RefusedByProvider { service, error } => (
            StatusCode::BAD_GATEWAY,
            Problem::Refused {
                service: named(&service),
                reason: named(&error),
            },
            again(),
        ),
        ConnectError::NoTenant { service } => (
            StatusCode::OK,
            Problem::NothingReached {
                service: named(&service),
            },
            again(),
        ),
        ConnectError::ProviderTrouble { service, message } => {
            tracing::warn!(service, message, "a provider could not be used");
            (
                StatusCode::BAD_GATEWAY,
                Problem::ProviderDown {
                    service: named(&service),
                },
                again(),
            )
        }
        ConnectError::Fault(error) => return fault(web, Some(visitor), &error),
    };
    page(web, Some(visitor), status, problem, way_out)
}

/// The same answer whether a connection is another's, nobody's, or not one that can be asked for here.
pub(super) fn unknown_connection(web: &Web, signed_in: &SignedIn) -> Response {
    page(
        web,
        Some(signed_in),
        StatusCode::NOT_FOUND,
        Problem::NotFound,
        None,
    )
}
