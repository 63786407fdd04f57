//! The Connections page.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::pages::{
    Action, Choice, ConnectionsPage, HOME_PATH, Label, Permission, ServiceCard, SetUpHelp,
    Status as CardStatus, ToolLine, WebAddress, When,
};
use super::visitor::{Viewer, layout};
use super::{Web, problem, render};
use crate::base::{ConnectionId, Timestamp};
use crate::catalogue::ScopeSet;
use crate::connection::{AtProvider, Connection, ExpiredReason, Status};
use crate::gateway::{ConnectionView, Service, ServiceView};

/// `?q=`.
#[derive(Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    q: String,
}

/// `GET /`.
pub(super) async fn home() -> Response {
    Redirect::to(HOME_PATH).into_response()
}

/// `GET /connections`.
pub(super) async fn page(
    State(web): State<Web>,
    Viewer(signed_in): Viewer,
    Query(filter): Query<Filter>,
) -> Response {
    let views = match web.gateway.connections(&signed_in.principal).await {
        Ok(views) => views,
        Err(fault) => return problem::fault(&web, Some(&signed_in), &fault),
    };
    let query = filter.q;
    let now = web.gateway.clock().now();
    let page = ConnectionsPage {
        layout: layout(Some(&signed_in)),
        notice: None,
        total: views.len(),
        active: views.iter().filter(|view| is_active(view)).count(),
        cards: views
            .iter()
            .filter(|view| matches(view, &query))
            .flat_map(|view| cards(view, now))
            .collect(),
        query: query.into(),
    };
    render::html(&web, StatusCode::OK, &page)
}

fn is_active(view: &ServiceView) -> bool {
    let mut connections = view.connections.iter();
    connections.any(|one| one.connection.is_active())
}

fn matches(view: &ServiceView, query: &str) -> bool {
    let query = query.trim().to_lowercase();
    view.service.id().contains(&query)
        || view.service.provider.name().to_lowercase().contains(&query)
}

/// The tools of a service, as pages list them.
pub(super) fn tools(service: &Service) -> Vec<ToolLine> {
    let line = |tool: &std::sync::Arc<crate::catalogue::Tool>| {
        ToolLine::new(tool.name(), tool.title(), tool.hints().read_only)
    };
    service.provider.tools().iter().map(line).collect()
}

/// Scopes in words.
pub(super) fn permissions(service: &Service, scopes: &ScopeSet) -> Vec<Permission> {
    scopes
        .iter()
        .map(|scope| {
            Permission::new(
                scope,
                service.provider.scope_words(scope).unwrap_or_default(),
            )
        })
        .collect()
}

/// One card for each connection of a service; one for the service when there is none.
fn cards(view: &ServiceView, now: Timestamp) -> Vec<ServiceCard> {
    if view.connections.is_empty() {
        return vec![card_without_connection(view, now)];
    }
    let cards = view.connections.iter().enumerate();
    cards
        .map(|(at, connection)| card(view, connection, at == 0, now))
        .collect()
}

fn card_without_connection(view: &ServiceView, now: Timestamp) -> ServiceCard {
    let service = &view.service;
    let connect = Action::Connect(connect_path(service));
    let (status, action) = match (service.ready(), &view.waiting) {
        (None, _) => (CardStatus::NotSetUp, Action::Nothing),
        (Some(_), Some(_)) => (CardStatus::Waiting, connect),
        (Some(_), None) => (CardStatus::NotConnected, connect),
    };
    let mut card = ServiceCard::new(service.id(), service.provider.name(), status, action);
    if let Some(waiting) = &view.waiting {
        let purpose = match waiting.tool.as_str() {
            "" => String::new(),
            tool => format!(", to run {tool}"),
        };
        card.reason = Some(format!("{} asked for it{purpose}.", waiting.agent_name).into());
        card.since = Some(When::new(waiting.since, now));
    }
    match service.ready() {
        Some(ready) => card.permissions = permissions(service, &ready.oauth.scopes),
        None => card.set_up = Some(set_up_help(view)),
    }
    card.tools = tools(service);
    card
}

fn set_up_help(view: &ServiceView) -> SetUpHelp {
    SetUpHelp {
        redirect_url: view.redirect_uri.as_str().into(),
        docs: view
            .service
            .provider
            .docs()
            .and_then(|docs| WebAddress::parse(docs.as_str()).ok()),
    }
}

fn card(view: &ServiceView, shown: &ConnectionView, is_first: bool, now: Timestamp) -> ServiceCard {
    let (service, connection) = (&view.service, &shown.connection);
    let disconnect = format!("/connections/{}/disconnect", connection.id);
    let (status, action, reason): (_, _, Option<Label>) = match connection.status {
        Status::Active => (
            CardStatus::Active,
            Action::Disconnect(disconnect.clone()),
            Some(active_sentence(view, shown).into()),
        ),
        Status::Expired { reason } => (
            CardStatus::Expired,
            Action::Reconnect(reconnect_path(service.id(), &connection.id)),
            Some(expired_sentence(reason).into()),
        ),
        Status::Revoked { at_provider, .. } => (
            CardStatus::Revoked,
            Action::ConnectAgain(reconnect_path(service.id(), &connection.id)),
            revoked_sentence(at_provider).map(Into::into),
        ),
    };
    let still_pending = matches!(
        connection.status,
        Status::Revoked {
            at_provider: AtProvider::Pending,
            ..
        }
    );
    let offers_disconnect = matches!(connection.status, Status::Expired { .. }) || still_pending;
    let action = if service.ready().is_some() {
        action
    } else {
        Action::Nothing
    };
    let mut card = ServiceCard::new(service.id(), service.provider.name(), status, action);
    card.reason = reason;
    card.connection = Some(connection.id.as_str().into());
    card.account = Some(connection.account.label.as_str().into());
    card.workspace = connection.account.workspace_beside_label().map(Into::into);
    card.choice = choice(view, shown);
    // On the first of a service's cards alone.
    let may_have_more = is_first && service.ready().is_some() && connection.is_choice();
    card.another = may_have_more.then(|| connect_path(service));
    card.since = Some(When::new(connection.since, now));
    card.tools = tools(service);
    card.permissions = permissions(service, &connection.granted);
    card.missing = permissions(service, &shown.missing);
    let lacks_some = connection.is_active() && !shown.missing.is_empty();
    card.allow_more = lacks_some.then(|| reconnect_path(service.id(), &connection.id));
    card.disconnect = offers_disconnect.then_some(disconnect);
    card
}

fn connect_path(service: &Service) -> String {
    format!("/services/{}/connect", service.id())
}

/// The path that connects the account of a connection that has ended again.
pub(super) fn reconnect_path(service: &str, connection: &ConnectionId) -> String {
    format!("/services/{service}/connect?again={connection}")
}

/// The path that makes an account the default.
pub(super) fn default_path(connection: &Connection) -> String {
    format!("/connections/{}/default", connection.id)
}

fn choice(view: &ServiceView, shown: &ConnectionView) -> Choice {
    let connection = &shown.connection;
    if shown.is_default {
        return Choice::Made(format!("/connections/{}/no-default", connection.id));
    }
    if connection.is_choice() && view.named_choices().len() > 1 {
        return Choice::Possible(default_path(connection));
    }
    Choice::None
}

fn active_sentence(view: &ServiceView, shown: &ConnectionView) -> &'static str {
    match (view.named_choices().len(), view.default()) {
        (0 | 1, _) => "Your agents can use it.",
        (_, Some(_)) if shown.is_default => "Your agents use it unless they name another account.",
        (_, Some(_)) => "Your agents use it when they name it.",
        (_, None) => {
            "Your agents must name the account that they mean, until you make one the default."
        }
    }
}

fn expired_sentence(reason: ExpiredReason) -> String {
    format!("{} Reconnect to go on.", reason.sentence())
}

fn revoked_sentence(at_provider: AtProvider) -> Option<&'static str> {
    match at_provider {
        AtProvider::Confirmed | AtProvider::Unsupported | AtProvider::GaveUp => None,
        AtProvider::Pending => Some(
            "You disconnected it, and agents cannot use it. The service has not confirmed it yet.",
        ),
    }
}
