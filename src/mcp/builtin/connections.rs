//! `attache_connections`: which services are connected, as which account, and why one is not.

use std::fmt::Write;

use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, Tool};
use serde_json::{Value, json};

use super::{CONNECTIONS, only_looks, schema};
use crate::base::Timestamp;
use crate::connection::Status;
use crate::gateway::{ConnectionView, MissingReason, ServiceView};
use crate::identity::Caller;
use crate::mcp::convert;
use crate::mcp::executions::Outcome;
use crate::mcp::server::Server;

pub(super) fn definition() -> Tool {
    let input = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let line = json!({
        "type": "object",
        "required": ["service", "name", "status"],
        "properties": {
            "service": { "type": "string" },
            "name": { "type": "string" },
            "status": { "enum": ["connected", "expired", "damaged", "disconnected", "waiting", "not_connected"] },
            "account": { "type": "string" },
            "workspace": { "type": "string" },
            "default": { "type": "boolean" },
            "since": { "type": "string" },
            "why": { "type": "string" },
            "ends": { "type": "string" },
            "missing_scopes": { "type": "array", "items": { "type": "string" } },
        },
    });
    let output = json!({
        "type": "object",
        "required": ["services"],
        "properties": { "services": { "type": "array", "items": line } },
    });
    Tool::new(
        CONNECTIONS,
        "Lists the services of this gateway and whether the person you work for has connected each: as which account, since \
         when, and why one does not work. Use it to see beforehand what a task will need, not before every call.",
        schema(input),
    )
    .with_title("List connections")
    .with_raw_output_schema(schema(output))
    .with_annotations(only_looks())
}

pub(super) async fn run(
    server: &Server,
    caller: &Caller,
    request: CallToolRequestParams,
) -> Outcome {
    if request.arguments.is_some_and(|given| !given.is_empty()) {
        return Ok(
            convert::invalid_arguments(&format!("{CONNECTIONS} takes no arguments.")).into(),
        );
    }
    match lines(server, caller).await {
        Ok(lines) => Ok(result(&lines).into()),
        Err(fault) => Err(convert::internal(&fault)),
    }
}

/// How the person stands with one service.
pub(super) struct Line {
    pub(super) service: String,
    pub(super) name: String,
    pub(super) status: &'static str,
    pub(super) account: Option<String>,
    workspace: Option<String>,
    /// Set where calls may mean one of several accounts: whether they use this one unless they mean another.
    default: Option<bool>,
    since: Option<String>,
    why: Option<String>,
    /// Only when the person should be told: an agent has no use for a date in a year.
    ends: Option<String>,
    missing_scopes: Vec<String>,
}

pub(super) async fn lines(
    server: &Server,
    caller: &Caller,
) -> Result<Vec<Line>, crate::gateway::Fault> {
    let gateway = server.surface.gateway();
    let views = gateway.connections_for(caller).await?;
    let now = gateway.clock().now();
    let mut lines: Vec<_> = views
        .iter()
        .filter(|view| view.service.ready().is_some())
        .flat_map(|view| service_lines(view, &caller.principal.name, now))
        .collect();
    lines.sort_by(|a, b| a.service.cmp(&b.service));
    Ok(lines)
}

fn service_lines(view: &ServiceView, person: &str, now: Timestamp) -> Vec<Line> {
    if !view.connections.is_empty() {
        let choices = view.named_choices();
        let line = |found| connection_line(view, &choices, found, person, now);
        return view.connections.iter().map(line).collect();
    }
    let asked = view.waiting.as_ref();
    vec![Line {
        status: if asked.is_some() {
            "waiting"
        } else {
            "not_connected"
        },
        why: asked.map(|asked| {
            format!(
                "{} was given a link that has not been used yet.",
                asked.agent_name
            )
        }),
        ..line(view)
    }]
}

fn line(view: &ServiceView) -> Line {
    Line {
        service: view.service.id().to_owned(),
        name: view.service.provider.name().to_owned(),
        status: "not_connected",
        account: None,
        workspace: None,
        default: None,
        since: None,
        why: None,
        ends: None,
        missing_scopes: Vec::new(),
    }
}

fn connection_line(
    view: &ServiceView,
    choices: &[(String, &ConnectionView)],
    found: &ConnectionView,
    person: &str,
    now: Timestamp,
) -> Line {
    let connection = &found.connection;
    let choice = choices
        .iter()
        .find(|(_, choice)| choice.connection.id == connection.id);
    // What the argument `account` takes for it.
    let account = choice.map_or(&connection.account.label, |(name, _)| name);
    let account = account.clone();
    let has_choice = choice.is_some() && choices.len() > 1;
    let ending = found.forecast.ending();
    let reason = match connection.status {
        Status::Active => None,
        Status::Expired { reason } => Some(MissingReason::Expired(reason)),
        Status::Revoked { .. } => Some(MissingReason::Disconnected),
    };
    Line {
        status: connection.status.word(),
        account: Some(account),
        workspace: connection.account.workspace.clone(),
        default: has_choice.then_some(found.is_default),
        since: Some(connection.since.to_string()),
        why: reason.map(|reason| reason.sentence(view.service.provider.name(), person)),
        ends: ending
            .filter(|ending| ending.is_near(now))
            .map(|ending| ending.at.to_string()),
        missing_scopes: found.missing.iter().map(ToString::to_string).collect(),
        ..line(view)
    }
}

impl Line {
    fn json(&self) -> Value {
        let mut line = json!({ "service": self.service, "name": self.name, "status": self.status });
        let optional = [
            ("account", &self.account),
            ("workspace", &self.workspace),
            ("since", &self.since),
            ("why", &self.why),
            ("ends", &self.ends),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                line[key] = json!(value);
            }
        }
        if let Some(default) = self.default {
            line["default"] = json!(default);
        }
        if !self.missing_scopes.is_empty() {
            line["missing_scopes"] = json!(self.missing_scopes);
        }
        line
    }

    fn sentence(&self) -> String {
        let account = self
            .account
            .as_ref()
            .map(|account| format!(" as {account}"))
            .unwrap_or_default();
        let why = self
            .why
            .as_ref()
            .map(|why| format!(". {why}"))
            .unwrap_or_default();
        let status = self.status.replace('_', " ");
        let default = match self.default {
            Some(true) => ", the default",
            Some(false) | None => "",
        };
        let mut sentence = format!(
            "{} ({}): {status}{account}{default}{why}",
            self.name, self.service
        );
        if let Some(ends) = &self.ends {
            let _ = write!(
                sentence,
                "; ends at {ends}: the person should connect it again before"
            );
        }
        if !self.missing_scopes.is_empty() {
            sentence.push_str("; not allowed yet, and asked for when a tool needs it: ");
            sentence.push_str(&self.missing_scopes.join(", "));
        }
        sentence
    }
}

fn result(lines: &[Line]) -> CallToolResult {
    let text: Vec<_> = lines.iter().map(Line::sentence).collect();
    let mut result = CallToolResult::success(vec![ContentBlock::text(text.join("\n"))]);
    let services: Vec<_> = lines.iter().map(Line::json).collect();
    result.structured_content = Some(json!({ "services": services }));
    result
}
