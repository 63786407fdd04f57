//! Connect links, and the beginning of every connection.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::pages::{ConnectPage, ContinuePage, Problem, ToolLine, WebAddress, When};
use super::visitor::{Submitter, Viewer, layout};
use super::{Web, connections, cookies, problem, render};
use crate::base::Secret;
use crate::connection::AuthorizationRequest;
use crate::gateway::{Begun, SignedIn, TicketView};

/// `GET /connect/{ticket}`: who asks for what. Shows, and changes nothing: chat programs open links to preview them.
pub(super) async fn page(
    State(web): State<Web>,
    Viewer(signed_in): Viewer,
    Path(ticket): Path<String>,
) -> Response {
    let path = format!("/connect/{ticket}");
    match web
        .gateway
        .view_ticket(&Secret::new(ticket), &signed_in)
        .await
    {
        Ok(view) => render::html(
            &web,
            StatusCode::OK,
            &connect_page(&web, &signed_in, &view, path),
        ),
        Err(error) => problem::connect(&web, &signed_in, "", error),
    }
}

/// `POST /connect/{ticket}`: begins.
pub(super) async fn begin_with_ticket(
    State(web): State<Web>,
    Path(ticket): Path<String>,
    Submitter(signed_in): Submitter,
) -> Response {
    match web
        .gateway
        .begin_with_ticket(&Secret::new(ticket), &signed_in)
        .await
    {
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
    match web.gateway.begin_with_service(&service, &signed_in).await {
        Ok(begun) => go_on(&web, &signed_in, begun),
        Err(error) => problem::connect(&web, &signed_in, &service, error),
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

fn connect_page(web: &Web, signed_in: &SignedIn, view: &TicketView, action: String) -> ConnectPage {
    let now = web.gateway.clock().now();
    let provider = &view.service.provider;
    let tools = connections::tools(&view.service);
    let tool = tools
        .iter()
        .find(|line| line.name.as_str() == view.ticket.tool)
        .cloned();
    ConnectPage {
        layout: layout(Some(signed_in)),
        agent: Some(view.ticket.agent_name.as_str().into()),
        tool: tool.or_else(|| {
            let named = view.ticket.tool.as_str();
            (!named.is_empty()).then(|| ToolLine::new(named, named, false))
        }),
        asked: When::new(view.ticket.created, now),
        service: provider.name().into(),
        host: host(&view.authorization_endpoint).into(),
        permissions: connections::permissions(&view.service, &view.scopes),
        tools,
        previous_account: view.previous_account.as_deref().map(Into::into),
        valid_until: When::new(view.ticket.expires, now),
        action,
    }
}

/// The host as a person should find it in the address bar, with the port where it is not the usual one.
fn host(endpoint: &url::Url) -> String {
    WebAddress::parse(endpoint.as_str()).map_or_else(|_| String::new(), |address| address.host())
}
