//! Connect links, and the beginning of every connection.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::pages::{
    ConnectPage, ConnectStep, ContinuePage, Problem, StepsPage, ToolLine, WebAddress, When,
};
use super::visitor::{Submitter, Viewer, layout};
use super::{Web, connections, cookies, problem, render};
use crate::base::{ConnectionId, Secret};
use crate::connection::{AuthorizationRequest, ConnectTicket};
use crate::gateway::{Begun, ConnectError, Extent, SignedIn, StepView};

/// `GET /connect/{ticket}`: who asks for what. Shows, and changes nothing: chat programs open links to preview them.
pub(super) async fn page(
    State(web): State<Web>,
    Viewer(signed_in): Viewer,
    Path(ticket): Path<String>,
) -> Response {
    let path = format!("/connect/{ticket}");
    let token = Secret::new(ticket);
    let view = match web.gateway.view_ticket(&token, &signed_in).await {
        Ok(view) => view,
        Err(error) => return problem::connect(&web, &signed_in, "", error),
    };
    match view.steps.as_slice() {
        [step] => {
            let page = connect_page(&web, &signed_in, &view.ticket, step, path);
            render::html(&web, StatusCode::OK, &page)
        }
        steps => {
            let page = steps_page(&web, &signed_in, &view.ticket, steps, &path);
            render::html(&web, StatusCode::OK, &page)
        }
    }
}

/// Which step of a link is taken.
#[derive(Deserialize)]
pub(super) struct Step {
    /// Its service; the first that is not done when none is named.
    service: Option<String>,
}

/// `POST /connect/{ticket}`: begins, with `?service=` at one of several steps.
pub(super) async fn begin_with_ticket(
    State(web): State<Web>,
    Path(ticket): Path<String>,
    Query(step): Query<Step>,
    Submitter(signed_in): Submitter,
) -> Response {
    let token = Secret::new(ticket);
    let service = step.service.as_deref();
    let begun = web
        .gateway
        .begin_with_ticket(&token, service, &signed_in)
        .await;
    match begun {
        Ok(begun) => go_on(&web, &signed_in, begun),
        Err(error) => problem::connect(&web, &signed_in, "", error),
    }
}

/// `POST /services/{service}/connect`: begins from the Connections page.
pub(super) async fn begin_with_service(
    State(web): State<Web>,
    Path(service): Path<String>,
    Submitter(signed_in): Submitter,
) -> Response {
    let begun = web.gateway.begin_with_service(&service, &signed_in);
    match begun.await {
        Ok(begun) => go_on(&web, &signed_in, begun),
        Err(error) => problem::connect(&web, &signed_in, &service, error),
    }
}

/// How much is asked for.
#[derive(Deserialize)]
pub(super) struct Allow {
    allow: Allowance,
}

/// The value of `?allow=`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Allowance {
    Same,
    Refused,
    Everything,
    Less,
}

/// `POST /connections/{connection}/reconnect`: begins to connect an account anew, with `?allow=` as much.
pub(super) async fn begin_with_connection(
    State(web): State<Web>,
    Path(connection): Path<String>,
    Query(Allow { allow }): Query<Allow>,
    Submitter(signed_in): Submitter,
) -> Response {
    let extent = match allow {
        Allowance::Same => Extent::Same,
        Allowance::Refused => Extent::Refused,
        Allowance::Everything => Extent::Everything,
        Allowance::Less => Extent::Less,
    };
    let begun = match ConnectionId::parse(&connection) {
        Ok(id) => {
            let gateway = &web.gateway;
            gateway.begin_with_connection(&id, extent, &signed_in).await
        }
        Err(_) => Err(ConnectError::UnknownConnection),
    };
    match begun {
        Ok(begun) => go_on(&web, &signed_in, begun),
        Err(error) => problem::connect(&web, &signed_in, "", error),
    }
}

/// Sends the browser on with a page, not with a redirect: Chromium applies `form-action` to redirects after a POST.
fn go_on(web: &Web, signed_in: &SignedIn, begun: Begun) -> Response {
    let Ok(destination) = WebAddress::parse(begun.authorization_url.as_str()) else {
        let service = begun.service_name.as_str().into();
        return problem::page(
            web,
            Some(signed_in),
            StatusCode::BAD_GATEWAY,
            Problem::ProviderDown { service },
            None,
        );
    };
    let page = ContinuePage {
        layout: layout(Some(signed_in)),
        service: begun.service_name.into(),
        lead: ContinuePage::AGREES,
        destination,
    };
    let mut response = render::html(web, StatusCode::OK, &page);
    let cookie = cookies::set(
        &begun.flow_cookie_name,
        &begun.flow_cookie,
        AuthorizationRequest::LIFETIME,
    );
    response
        .headers_mut()
        .extend(cookie.map(|line| (header::SET_COOKIE, line)));
    response
}

fn connect_page(
    web: &Web,
    signed_in: &SignedIn,
    ticket: &ConnectTicket,
    step: &StepView,
    action: String,
) -> ConnectPage {
    let now = web.gateway.clock().now();
    let provider = &step.service.provider;
    let (tools, other_tools) = connections::tools_with(&step.service, &step.scopes);
    let tool = tools
        .iter()
        .find(|line| line.name.as_str() == ticket.tool)
        .cloned();
    ConnectPage {
        layout: layout(Some(signed_in)),
        agent: Some(ticket.agent_name.as_str().into()),
        tool: tool.or_else(|| {
            let named = ticket.tool.as_str();
            (!named.is_empty()).then(|| ToolLine::new(named, named, false))
        }),
        asked: When::new(ticket.created, now),
        service: provider.name().into(),
        host: host(&step.authorization_endpoint).into(),
        permissions: connections::permissions(&step.service, &step.scopes),
        tools,
        other_tools,
        previous_account: step.previous_account.as_deref().map(Into::into),
        valid_until: When::new(ticket.expires, now),
        action,
    }
}

fn steps_page(
    web: &Web,
    signed_in: &SignedIn,
    ticket: &ConnectTicket,
    steps: &[StepView],
    path: &str,
) -> StepsPage {
    let now = web.gateway.clock().now();
    let step = |step: &StepView| ConnectStep {
        service: step.service.provider.name().into(),
        host: host(&step.authorization_endpoint).into(),
        permissions: connections::permissions(&step.service, &step.scopes),
        tools: connections::tools_with(&step.service, &step.scopes).0,
        account: step.previous_account.as_deref().map(Into::into),
        done: step.done,
        action: format!("{path}?service={}", step.service.id()),
    };
    StepsPage {
        layout: layout(Some(signed_in)),
        agent: ticket.agent_name.as_str().into(),
        asked: When::new(ticket.created, now),
        valid_until: When::new(ticket.expires, now),
        steps: steps.iter().map(step).collect(),
    }
}

/// The host as a person should find it in the address bar, with the port where it is not the usual one.
fn host(endpoint: &url::Url) -> String {
    WebAddress::parse(endpoint.as_str()).map_or_else(|_| String::new(), |address| address.host())
}
