//! `attache_connect`: one link for every service that a task needs.

use std::borrow::Cow;

use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, Tool};
use rmcp::service::RequestContext;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CONNECT, connections, only_looks, schema};
use crate::gateway::{ConnectError, ConnectLink, Service};
use crate::identity::Caller;
use crate::mcp::executions::Outcome;
use crate::mcp::missing_connection::{self, Client, Form};
use crate::mcp::round::{Answer, Round};
use crate::mcp::server::Server;
use crate::mcp::{MissingConnection, Selection, convert, parking};

pub(super) fn definition(enabled: &[&str]) -> Tool {
    let input = json!({
        "type": "object",
        "properties": {
            "services": {
                "type": "array",
                "items": { "type": "string", "enum": enabled },
                "minItems": 1,
                "uniqueItems": true,
                "description": "The services that the task needs. Leave out for all of them.",
            },
        },
        "additionalProperties": false,
    });
    let output = json!({
        "type": "object",
        "required": ["connected", "missing", "message"],
        "properties": {
            "connected": { "type": "array", "items": { "type": "string" } },
            "missing": { "type": "array", "items": { "type": "string" } },
            "message": { "type": "string" },
            "connect_url": { "type": "string" },
            "expires_at": { "type": "string" },
        },
    });
    Tool::new(
        CONNECT,
        "Gives one link with which the person you work for connects several services in one go. Use it at the start of a task \
         that needs services which are not connected yet, and show the link to the person. Not needed for a single tool: its \
         own answer holds a link when one is needed.",
        schema(input),
    )
    .with_title("Connect services")
    .with_raw_output_schema(schema(output))
    .with_annotations(only_looks())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    services: Option<Vec<String>>,
}

pub(super) async fn run(
    server: &Server,
    context: &RequestContext<RoleServer>,
    caller: &Caller,
    request: CallToolRequestParams,
) -> Outcome {
    let arguments = request.arguments.clone().unwrap_or_default();
    let gateway = server.surface.gateway();
    let wanted = match wanted(server, caller, Value::Object(arguments.clone())) {
        Ok(wanted) => wanted,
        Err(sentence) => return Ok(convert::invalid_arguments(&sentence).into()),
    };
    let mut caller = Cow::Borrowed(caller);
    let round = Round::of(gateway, &caller, &request, &arguments)?;
    if round.answer == Answer::Accepted {
        let what = format!("Waiting for {} to connect.", caller.principal.name);
        let arrival = gateway.until_connected(&caller, &wanted);
        let limit = server.surface.settings().wait();
        // Whatever came of it, the next look finds out.
        let _ = parking::wait_for(arrival, limit, &what, context).await;
        match gateway.still_standing(&caller).await {
            Ok(standing) => caller = Cow::Owned(standing),
            Err(error) => return convert::call_error(error).map(Into::into),
        }
    }
    let caller = caller.as_ref();
    let link = match gateway.link_for_services(caller, &wanted).await {
        Ok(link) => link,
        Err(ConnectError::Fault(fault)) => return Err(convert::internal(&fault)),
        Err(ConnectError::Narrowed(sentence)) => return Ok(convert::narrowed(sentence).into()),
        // The catalogue has changed since it was asked what it has.
        Err(_) => {
            return Ok(convert::invalid_arguments("Ask again: the services have changed.").into());
        }
    };
    let client = Client {
        rounds: round.asked,
        declined: round.answer == Answer::Declined,
        ..Client::of(context)
    };
    if let Some(link) = &link
        && server.surface.settings().missing_connection != MissingConnection::Text
        && client.can_be_asked()
    {
        return missing_connection::answer(Form::InputRequired, link, || {
            gateway.seal_request_state(caller, CONNECT, &arguments, round.call, round.asked + 1)
        });
    }
    match connections::lines(server, caller).await {
        Ok(lines) => Ok(result(&lines, &wanted, link.as_ref()).into()),
        Err(fault) => Err(convert::internal(&fault)),
    }
}

/// The services that are asked for, each known and set up, or what is wrong with the arguments. Without any, all that the
/// agent may use.
fn wanted(server: &Server, caller: &Caller, arguments: Value) -> Result<Vec<String>, String> {
    let given: Arguments = serde_json::from_value(arguments)
        .map_err(|error| format!("{CONNECT} takes `services`, a list of names: {error}."))?;
    let gateway = server.surface.gateway();
    let services = gateway.services();
    let Some(given) = given.services else {
        let allowed = services
            .enabled()
            .filter(|service| gateway.may_use(caller, service));
        return Ok(allowed.map(Service::id).map(str::to_owned).collect());
    };
    if given.is_empty() {
        return Err("`services` is empty: name at least one service, or leave it out.".to_owned());
    }
    Selection::of(given.iter().map(String::as_str), &services)
        .map_err(|unknown| unknown.to_string())?;
    // Whoever names a product means the connection that it shares.
    let mut wanted: Vec<_> = given
        .iter()
        .filter_map(|id| Some(services.named(id)?.id().to_owned()))
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    wanted.retain(|id| seen.insert(id.clone()));
    Ok(wanted)
}

fn result(
    lines: &[connections::Line],
    wanted: &[String],
    link: Option<&ConnectLink>,
) -> CallToolResult {
    let missing = link
        .map(|link| link.services.as_slice())
        .unwrap_or_default();
    let connected: Vec<_> = wanted.iter().filter(|id| !missing.contains(id)).collect();
    let accounts = lines
        .iter()
        .filter(|line| connected.contains(&&line.service) && line.status == "connected")
        .map(connected_as);
    let sentences: Vec<_> = accounts
        .chain(link.map(|link| format!("{} Then go on with the task.", link.sentence)))
        .collect();
    let message = sentences.join(" ");
    let mut structured = json!({ "connected": connected, "missing": missing, "message": message });
    if let Some(link) = link {
        structured["connect_url"] = json!(link.url);
        structured["expires_at"] = json!(link.expires.to_string());
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(message)]);
    result.structured_content = Some(structured);
    result
}

fn connected_as(line: &connections::Line) -> String {
    match &line.account {
        Some(account) => format!("{} is connected as {account}.", line.name),
        None => format!("{} is connected.", line.name),
    }
}
