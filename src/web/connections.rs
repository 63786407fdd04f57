//! The Connections page.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::pages::{
    Action, Choice, ConnectionsPage, GrantedPermission, HOME_PATH, Label, Outlook, Permission,
    ServiceCard, SetUpHelp, SettingLine, Status as CardStatus, ToolLine, WebAddress, When,
};
use super::visitor::{Viewer, layout};
use super::{Web, problem, render};
use crate::base::{ConnectionId, Timestamp};
use crate::catalogue::ScopeSet;
use crate::connection::{AtProvider, Connection, ExpiredReason, Forecast, RevokedReason, Status};
use crate::gateway::{ConnectionView, DamagedConnection, GrantedScope, Need, Service, ServiceView};

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
    let orphans = match web
        .gateway
        .connections_without_service(&signed_in.principal)
        .await
    {
        Ok(orphans) => orphans,
        Err(fault) => return problem::fault(&web, Some(&signed_in), &fault),
    };
    let damaged = match web.gateway.damaged_connections(&signed_in.principal).await {
        Ok(damaged) => damaged,
        Err(fault) => return problem::fault(&web, Some(&signed_in), &fault),
    };
    let query = filter.q;
    let wanted = query.trim().to_lowercase();
    let now = web.gateway.clock().now();
    let page = ConnectionsPage {
        layout: layout(Some(&signed_in)),
        notice: None,
        total: views.len() + orphans.len() + damaged.len(),
        active: views.iter().filter(|view| is_active(view)).count(),
        cards: damaged
            .iter()
            // Whatever is searched for, it may be this one.
            .map(damaged_card)
            .chain(
                views
                    .iter()
                    .filter(|view| matches(view, &query))
                    .flat_map(|view| cards(view, now)),
            )
            .chain(
                orphans
                    .iter()
                    .filter(|orphan| orphan.service.contains(&wanted))
                    .map(|orphan| card_without_service(orphan, now)),
            )
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

/// The tools of a service that work with `scopes`, and how many there are besides.
pub(super) fn tools_with(service: &Service, scopes: &ScopeSet) -> (Vec<ToolLine>, usize) {
    let all = service.provider.tools();
    let implied = service.provider.implications();
    let work: Vec<_> = all
        .iter()
        .filter(|tool| tool.scopes().is_met_in_some_case(scopes, implied))
        .map(|tool| ToolLine::new(tool.name(), tool.title(), tool.hints().read_only))
        .collect();
    let others = all.len() - work.len();
    (work, others)
}

/// Scopes in words. Those of one product stand together, those of the provider itself first.
pub(super) fn permissions(service: &Service, scopes: &ScopeSet) -> Vec<Permission> {
    let mut scopes: Vec<_> = scopes
        .iter()
        .map(|scope| (products(service, scope), scope))
        .collect();
    scopes.sort();
    let scopes = scopes.into_iter();
    scopes
        .map(|(_, scope)| permission(service, scope))
        .collect()
}

/// The products that need a scope, in words; empty where only the provider itself does.
fn products(service: &Service, scope: &str) -> String {
    let names: Vec<_> = service.provider.products_needing(scope).collect();
    names.join(", ")
}

fn permission(service: &Service, scope: &str) -> Permission {
    let words = service.provider.scope_words(scope).unwrap_or_default();
    Permission::new(scope, words).of(products(service, scope))
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
        Some(_) => {
            let asked = service.provider.scope_plan().by_default();
            card.permissions = permissions(service, &asked);
        }
        None => card.set_up = Some(set_up_help(view)),
    }
    card.tools = tools(service);
    card
}

fn set_up_help(view: &ServiceView) -> SetUpHelp {
    let provider = &view.service.provider;
    let text = |text: Option<&str>| text.unwrap_or_default().into();
    let variables = provider.variables().iter();
    let settings = variables
        .filter(|(_, variable)| !variable.is_derived())
        .map(|(name, variable)| SettingLine {
            key: format!("services.{}.variables.{name}", provider.id()).into(),
            title: variable.title().into(),
            description: variable.description().into(),
            prefix: text(variable.prefix()),
            suffix: text(variable.suffix()),
            default: text(variable.default()),
        });
    SetUpHelp {
        redirect_url: view.redirect_uri.as_str().into(),
        docs: provider
            .docs()
            .and_then(|docs| WebAddress::parse(docs.as_str()).ok()),
        settings: settings.collect(),
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
            expired_status(reason),
            Action::Reconnect(reconnect_path(&connection.id)),
            Some(expired_sentence(reason).into()),
        ),
        Status::Revoked {
            reason,
            at_provider,
        } => (
            revoked_status(at_provider),
            Action::ConnectAgain(reconnect_path(&connection.id)),
            Some(revoked_sentence(reason, at_provider).into()),
        ),
    };
    let is_active = connection.is_active();
    // What cannot be connected here any more can still be disconnected.
    let (action, has_disconnect) = match service.ready() {
        Some(_) => (action, !is_active),
        None => (Action::Nothing, true),
    };
    let reason = if is_active && service.ready().is_none() {
        Some(
            "It is not set up here any more, so agents cannot use it. You can still disconnect it."
                .into(),
        )
    } else {
        reason
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
    card.outlook = outlook(shown, service, now);
    card.tools = tools(service);
    card.last_used = shown.last_used.map(|used| When::new(used, now));
    show_scopes(&mut card, service, shown, now);
    card.disconnect = has_disconnect.then_some(disconnect);
    card
}

/// What was granted and what of it is used, what is missing, and what can be done about both.
fn show_scopes(card: &mut ServiceCard, service: &Service, shown: &ConnectionView, now: Timestamp) {
    let (connection, scopes) = (&shown.connection, &shown.scopes);
    let reconnect = |allow| format!("/connections/{}/reconnect?allow={allow}", connection.id);
    let line = |granted: &GrantedScope| GrantedPermission {
        permission: permission(service, &granted.scope),
        mark: match granted.need {
            Need::Always => "always needed",
            Need::Used => "",
            Need::Waiting => "not used yet",
            Need::Idle if granted.last_needed.is_some() => "not used for a month",
            Need::Idle => "never used",
            Need::Never => "no tool needs it",
        }
        .into(),
        spare: matches!(granted.need, Need::Idle | Need::Never),
        last_needed: granted.last_needed.map(|day| When::new(day, now)),
    };
    card.granted = scopes.granted.iter().map(line).collect();
    card.missing = permissions(service, &scopes.refused);
    card.unasked = permissions(service, &scopes.unasked);
    if connection.is_active() && service.ready().is_some() {
        let is_missing = !(card.missing.is_empty() && card.unasked.is_empty());
        card.allow_more = is_missing.then(|| reconnect("everything"));
        card.allow_less = scopes.less.as_ref().map(|_| reconnect("less"));
    }
}

fn outlook(shown: &ConnectionView, service: &Service, now: Timestamp) -> Outlook {
    match shown.forecast {
        _ if !shown.connection.is_active() => Outlook::Unknown,
        Forecast::Lasts => Outlook::Unknown,
        Forecast::RenewsItself => Outlook::RenewsItself,
        Forecast::Ends(ending) if ending.is_near(now) => Outlook::EndsSoon {
            at: When::new(ending.at, now),
            why: ending.why.sentence().into(),
            reconnect: service
                .ready()
                .map(|_| reconnect_path(&shown.connection.id)),
        },
        Forecast::Ends(ending) => Outlook::Ends(When::new(ending.at, now)),
    }
}

fn connect_path(service: &Service) -> String {
    format!("/services/{}/connect", service.id())
}

/// The path that connects the account of a connection again, to be allowed the same.
pub(super) fn reconnect_path(connection: &ConnectionId) -> String {
    format!("/connections/{connection}/reconnect?allow=same")
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

fn expired_status(reason: ExpiredReason) -> CardStatus {
    match reason {
        ExpiredReason::Damaged => CardStatus::Damaged,
        ExpiredReason::RefusedByProvider
        | ExpiredReason::RefreshTokenMissing
        | ExpiredReason::RefreshTokenTooOld
        | ExpiredReason::InterruptedRefresh
        | ExpiredReason::ScopeWithdrawn => CardStatus::Expired,
    }
}

fn revoked_status(at_provider: AtProvider) -> CardStatus {
    match at_provider {
        AtProvider::Pending => CardStatus::Revoking,
        AtProvider::Confirmed | AtProvider::Unsupported | AtProvider::GaveUp => CardStatus::Revoked,
    }
}

fn revoked_sentence(reason: RevokedReason, at_provider: AtProvider) -> String {
    let who = match reason {
        RevokedReason::DisconnectedByUser => "You disconnected it.",
        RevokedReason::DisconnectedByAdmin => "An administrator disconnected it.",
    };
    let rest = match at_provider {
        AtProvider::Confirmed => "Agents cannot use it until you connect it again.",
        AtProvider::Pending => {
            "Agents cannot use it any more, and the service is being told to end the access."
        }
        AtProvider::Unsupported | AtProvider::GaveUp => {
            "Agents cannot use it any more. The receipt says what is left to do at the service."
        }
    };
    format!("{who} {rest}")
}

/// A connection whose record cannot be read. It can only be removed.
fn damaged_card(damaged: &DamagedConnection) -> ServiceCard {
    let id = &damaged.connection;
    let action = Action::Remove(format!("/connections/{id}/remove"));
    let mut card = ServiceCard::new("unknown", "Unknown service", CardStatus::Damaged, action);
    card.reason = Some(DamagedConnection::sentence().into());
    card.connection = Some(id.as_str().into());
    card
}

/// A connection whose service has left the catalogue. It can still be disconnected.
fn card_without_service(connection: &Connection, now: Timestamp) -> ServiceCard {
    let (status, reason) = match connection.status {
        Status::Active | Status::Expired { .. } => (
            CardStatus::Expired,
            "This gateway does not offer it any more, so agents cannot use it. You can still disconnect it.".to_owned(),
        ),
        Status::Revoked { reason, at_provider } => {
            (revoked_status(at_provider), revoked_sentence(reason, at_provider))
        }
    };
    let name = connection.service.as_str();
    let mut card = ServiceCard::new(name, name, status, Action::Nothing);
    card.reason = Some(reason.into());
    card.connection = Some(connection.id.as_str().into());
    card.account = Some(connection.account.label.as_str().into());
    card.since = Some(When::new(connection.since, now));
    card.disconnect = Some(format!("/connections/{}/disconnect", connection.id));
    card
}
