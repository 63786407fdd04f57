//! The OAuth callback: where providers send browsers back to.

use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::pages::{ConnectedPage, NextStep, SecondAccount, StillExpired, ToolLine, UsedByDefault};
use super::visitor::{Viewer, layout};
use super::{Web, connections, cookies, problem, render};
use crate::catalogue::{ScopeSet, Tool};
use crate::connection::Connection;
use crate::gateway::{
    Attempt, CallbackParameters, Completed, DefaultNow, OtherAccounts, Service, SignedIn,
};
use crate::identity::ClientAddress;

/// `GET /oauth/callback/{service}` (RFC 6749 section 4.1.2).
pub(super) async fn complete(
    State(web): State<Web>,
    Viewer(signed_in): Viewer,
    headers: HeaderMap,
    address: Option<Extension<ClientAddress>>,
    Path(service): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = parameters(query.as_deref().unwrap_or_default());
    let cookie_name = parameters.flow_cookie_name();
    let flow_cookie = cookie_name
        .as_deref()
        .and_then(|name| cookies::read(&headers, name));
    match web
        .gateway
        .complete(&service, &parameters, &signed_in, flow_cookie.as_ref())
        .await
    {
        Ok(completed) => {
            let page = connected_page(&web, &signed_in, completed);
            let mut response = render::html(&web, StatusCode::OK, &page);
            let clear = cookie_name.and_then(|name| cookies::clear(&name));
            response
                .headers_mut()
                .extend(clear.map(|line| (header::SET_COOKIE, line)));
            response
        }
        Err(error) => {
            let is_made_up = error.is_of_nothing_begun();
            let answer = problem::connect(&web, &signed_in, &service, error);
            if is_made_up {
                return problem::after_failing(&web, Attempt::Callback, address, answer);
            }
            answer
        }
    }
}

/// Every value of each parameter, so that duplicates are seen. `error_description` above all is never looked at: only
/// what a provider file names.
pub(super) fn parameters(query: &str) -> CallbackParameters {
    let mut parameters = CallbackParameters::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let values = match name.as_ref() {
            "state" => &mut parameters.state,
            "code" => &mut parameters.code,
            "iss" => &mut parameters.iss,
            "error" => &mut parameters.error,
            _ => {
                parameters
                    .others
                    .push((name.into_owned(), value.into_owned()));
                continue;
            }
        };
        values.push(value.into_owned());
    }
    parameters
}

fn connected_page(web: &Web, signed_in: &SignedIn, completed: Completed) -> ConnectedPage {
    let connection = completed.connection;
    let services = web.gateway.services();
    let service = services.find(&connection.service);
    let Outcome {
        missing,
        beyond,
        blocked,
    } = service.map_or_else(Outcome::default, |service| outcome(service, &connection));
    let words = |scopes| {
        service
            .map(|service| connections::permissions(service, scopes))
            .unwrap_or_default()
    };
    ConnectedPage {
        layout: layout(Some(signed_in)),
        service: completed.service_name.into(),
        account: Some(connection.account.label.as_str().into()),
        agent: completed.agent_name.map(Into::into),
        next: completed.remaining.map(|steps| NextStep {
            path: steps.path,
            services: steps
                .service_names
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
        }),
        second: second_account(&connection, &completed.others),
        still_expired: still_expired(&completed.others),
        granted: words(&connection.granted),
        allow_more: (!missing.is_empty())
            .then(|| format!("/connections/{}/reconnect?allow=refused", connection.id)),
        missing: words(&missing),
        blocked,
        beyond: words(&beyond),
    }
}

/// What came back, held against what was asked for.
#[derive(Default)]
struct Outcome {
    missing: ScopeSet,
    beyond: ScopeSet,
    blocked: Vec<ToolLine>,
}

fn outcome(service: &Service, connection: &Connection) -> Outcome {
    let plan = service.provider.scope_plan();
    let (asked, granted) = (&connection.requested, &connection.granted);
    let line = |tool: &Tool| ToolLine::new(tool.name(), tool.title(), tool.hints().read_only);
    Outcome {
        missing: plan.refused(asked, granted),
        beyond: plan.beyond(asked, granted),
        blocked: plan.blocked(asked, granted).map(line).collect(),
    }
}

fn second_account(connection: &Connection, others: &OtherAccounts) -> Option<SecondAccount> {
    others.joined.then(|| SecondAccount {
        others: others
            .labels
            .iter()
            .map(|one| one.as_str().into())
            .collect(),
        by_default: match &others.default {
            DefaultNow::None => UsedByDefault::Nothing,
            DefaultNow::This => UsedByDefault::This,
            DefaultNow::Other(label) => UsedByDefault::Other(label.as_str().into()),
        },
        make_default: connections::default_path(connection),
    })
}

fn still_expired(others: &OtherAccounts) -> Option<StillExpired> {
    let (id, label) = others.still_expired.as_ref()?;
    Some(StillExpired {
        account: label.as_str().into(),
        reconnect: connections::reconnect_path(id),
    })
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn duplicates_are_kept_and_the_rest_is_dropped() {
        let read = parameters("state=a&state=b&code=x%20y&error_description=%3Cscript%3E&iss=i");
        assert_eq!(read.state, ["a", "b"]);
        assert_eq!(read.code, ["x y"]);
        assert_eq!((read.iss.len(), read.error.len()), (1, 0));
        assert!(read.flow_cookie_name().is_none(), "two states name no flow");
    }
}
