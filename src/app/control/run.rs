//! Carrying out a command on a gateway, for the person of this machine.

use serde_json::{Map, Value};

use super::{
    Answer, Command, ConnectionLine, Refusal, RefusalKind, ScopeLine, ToolLine, Word, accounts,
    agents, endings, keys, people, store, webhooks,
};
use crate::base::Timestamp;
use crate::catalogue::{ACCOUNT_ARGUMENT, ScopeSet, Tool};
use crate::connection::{Connection, ExpiredReason, Forecast, Status};
use crate::gateway::{
    CallError, ConnectError, DamagedConnection, Drill, Fault, Gateway, GrantedScope,
    RehearsalError, Service, ServiceView, WhichAccount,
};
use crate::identity::Caller;

/// Who asks for a connection, on the page of the link, when the person typed the command.
const TERMINAL: &str = "Your terminal";

/// Carries out `command` for `owner`.
pub async fn run(gateway: &Gateway, owner: &Caller, command: Command) -> Answer {
    if let Some(refused) = people::refused_where_people_sign_in(gateway, &command) {
        return refused;
    }
    // Whoever types is the person, not an agent of theirs.
    let owner = &owner.in_person();
    let done = match command {
        Command::Connections => connections(gateway, owner).await,
        Command::Accounts => accounts::list(gateway, owner).await,
        Command::DefaultAccount { service, account } => {
            accounts::set_default(gateway, owner, &service, account.as_deref()).await
        }
        Command::Connect { service } => return connect(gateway, owner, &service).await,
        Command::Disconnect { service } => endings::disconnect(gateway, owner, &service).await,
        Command::DisconnectAll { service, person } => {
            let (person, service) = (person.as_deref(), service.as_deref());
            endings::disconnect_all(gateway, owner, person, service).await
        }
        Command::RemoveDamaged { connection } => {
            endings::remove_damaged(gateway, owner, &connection).await
        }
        Command::People => endings::people(gateway).await,
        Command::RemovePerson {
            person,
            keep_connections: false,
        } => endings::remove_person(gateway, owner, &person).await,
        Command::RemovePerson {
            person,
            keep_connections: true,
        } => people::cut_off(gateway, owner, &person).await,
        Command::PersonRole { person, role } => people::set_role(gateway, &person, role).await,
        Command::SignOutPerson { person } => people::sign_out(gateway, &person).await,
        Command::Call {
            tool,
            arguments,
            words,
        } => return call(gateway, owner, &tool, arguments, &words).await,
        Command::Tools { service } => return tools(gateway, service.as_deref()),
        Command::Agents => agents::list(gateway, owner).await,
        Command::AddAgent {
            name,
            kind,
            expires,
            narrowing,
        } => {
            let wanted = agents::Wanted {
                kind: kind.as_deref(),
                expires: expires.as_deref(),
                narrowing,
            };
            agents::add(gateway, owner, &name, wanted).await
        }
        Command::NarrowAgent { id, narrowing } => {
            agents::narrow(gateway, owner, &id, narrowing).await
        }
        Command::RevokeAgent { id } => agents::revoke(gateway, owner, &id).await,
        Command::StopAgents => agents::stop(gateway, owner).await,
        Command::ResumeAgents => agents::resume(gateway, owner).await,
        Command::Webhooks => webhooks::report(gateway).await,
        Command::TestWebhooks { name } => webhooks::test(gateway, name.as_deref()).await,
        Command::ResendEvent { id } => webhooks::resend(gateway, &id).await,
        Command::Keys => return keys::status(gateway),
        Command::RotateKeys => return keys::rotate(gateway).await,
        Command::EndingSoon => webhooks::ending_soon(gateway).await,
        Command::VerifyStore => store::verify(gateway).await,
        Command::RepairStore => store::repair(gateway).await,
        Command::Open => gateway
            .create_sign_in_link(&owner.principal)
            .await
            .map(Answer::Link),
        Command::Context => Ok(Answer::refused(
            RefusalKind::Failed,
            "no gateway is running here that could say what it shows to clients",
        )),
        Command::Drill { service, drill } => rehearse(gateway, owner, &service, drill).await,
        Command::Backup { .. } | Command::Backups => Ok(Answer::refused(
            RefusalKind::Failed,
            "whoever has the store open makes its backups, and this process has not",
        )),
        Command::Reload => Ok(Answer::refused(
            RefusalKind::Failed,
            "no gateway is running here; the next one reads the provider files when it starts",
        )),
    };
    done.unwrap_or_else(|fault| failed(&fault))
}

/// A fire drill on a real connection: nothing is sent.
async fn rehearse(
    gateway: &Gateway,
    owner: &Caller,
    service: &str,
    drill: Drill,
) -> Result<Answer, Fault> {
    let name = || {
        let found = gateway.services().find(service).cloned();
        found.map_or_else(|| service.to_owned(), |one| one.provider.name().to_owned())
    };
    match gateway.rehearse(&owner.principal, service, drill).await {
        Ok(report) => Ok(Answer::Drilled(report)),
        Err(RehearsalError::UnknownService) => Ok(unknown_service(gateway, service)),
        Err(RehearsalError::NotSetUp) => Ok(Answer::refused(
            RefusalKind::Failed,
            format!(
                "{} is not set up on this gateway, so there is nothing to practise on. The built-in service of \
                 `attache demo` is there while that runs",
                name()
            ),
        )),
        Err(RehearsalError::NotConnected) => Ok(Answer::refused(
            RefusalKind::ConnectionRequired,
            format!(
                "{} is not connected; connect it first: `attache connect {service}`",
                name()
            ),
        )),
        Err(RehearsalError::Fault(fault)) => Err(fault),
    }
}

fn failed(fault: &Fault) -> Answer {
    tracing::error!(%fault, "a command failed on our side");
    Answer::refused(RefusalKind::Failed, fault.sentence())
}

async fn connections(gateway: &Gateway, owner: &Caller) -> Result<Answer, Fault> {
    let views = gateway.connections(&owner.principal).await?;
    let orphans = gateway
        .connections_without_service(&owner.principal)
        .await?;
    let damaged = gateway.damaged_connections(&owner.principal).await?;
    let lines = views.iter().flat_map(lines);
    Ok(Answer::Connections(
        damaged
            .iter()
            .map(damaged_line)
            .chain(lines)
            .chain(orphans.iter().map(line_without_service))
            .collect(),
    ))
}

/// A connection whose record cannot be read.
fn damaged_line(damaged: &DamagedConnection) -> ConnectionLine {
    let reason = ExpiredReason::Damaged;
    ConnectionLine {
        service: String::new(),
        name: String::new(),
        status: Status::Expired { reason }.word().to_owned(),
        connection: Some(damaged.connection.to_string()),
        account: None,
        workspace: None,
        default: false,
        since: None,
        last_used: None,
        scopes: Vec::new(),
        missing_scopes: Vec::new(),
        refused_scopes: Vec::new(),
        renews_itself: None,
        ends: None,
        ends_because: None,
    }
}

/// A connection whose service has left the catalogue.
fn line_without_service(connection: &Connection) -> ConnectionLine {
    ConnectionLine {
        service: connection.service.clone(),
        name: connection.service.clone(),
        status: match connection.status {
            Status::Active | Status::Expired { .. } => "not_offered".to_owned(),
            revoked @ Status::Revoked { .. } => status_word(revoked).to_owned(),
        },
        connection: None,
        account: Some(connection.account.label.clone()),
        workspace: connection.account.workspace.clone(),
        default: false,
        since: Some(connection.since.to_string()),
        last_used: None,
        scopes: Vec::new(),
        missing_scopes: Vec::new(),
        refused_scopes: Vec::new(),
        renews_itself: None,
        ends: None,
        ends_because: None,
    }
}

fn status_word(status: Status) -> &'static str {
    if status.is_being_revoked() {
        "revoking"
    } else {
        status.word()
    }
}

fn lines(view: &ServiceView) -> Vec<ConnectionLine> {
    let line = |status: &str| ConnectionLine {
        service: view.service.id().to_owned(),
        name: view.service.provider.name().to_owned(),
        status: status.to_owned(),
        connection: None,
        account: None,
        workspace: None,
        default: false,
        since: None,
        last_used: None,
        scopes: Vec::new(),
        missing_scopes: Vec::new(),
        refused_scopes: Vec::new(),
        renews_itself: None,
        ends: None,
        ends_because: None,
    };
    if view.connections.is_empty() {
        let set_up = view.service.ready().is_some();
        return vec![line(if set_up {
            "not_connected"
        } else {
            "not_set_up"
        })];
    }
    let connected = view.connections.iter().map(|found| {
        let ending = found.forecast.ending();
        ConnectionLine {
            account: Some(found.connection.account.label.clone()),
            workspace: found.connection.account.workspace.clone(),
            default: found.is_default,
            since: Some(found.connection.since.to_string()),
            last_used: found.last_used.map(|used| used.to_string()),
            scopes: found.scopes.granted.iter().map(scope_line).collect(),
            missing_scopes: texts(&found.missing),
            refused_scopes: texts(&found.scopes.refused),
            renews_itself: match found.forecast {
                Forecast::Lasts => None,
                Forecast::RenewsItself => Some(true),
                Forecast::Ends(_) => Some(false),
            },
            ends: ending.map(|ending| ending.at.to_string()),
            ends_because: ending.map(|ending| ending.why.word().to_owned()),
            ..line(status_word(found.connection.status))
        }
    });
    connected.collect()
}

fn scope_line(granted: &GrantedScope) -> ScopeLine {
    // The day is kept as the moment of its beginning, which prints as `2026-11-23T00:00:00Z`.
    let day = |moment: Timestamp| {
        let text = moment.to_string();
        text.split('T').next().unwrap_or(&text).to_owned()
    };
    ScopeLine {
        scope: granted.scope.clone(),
        need: granted.need.word().to_owned(),
        last_needed: granted.last_needed.map(day),
    }
}

fn texts(scopes: &ScopeSet) -> Vec<String> {
    scopes.iter().map(ToString::to_string).collect()
}

async fn connect(gateway: &Gateway, owner: &Caller, service: &str) -> Answer {
    let asker = Caller {
        agent_name: TERMINAL.to_owned(),
        ..owner.clone()
    };
    match gateway.connect_link_for_service(&asker, service).await {
        Ok(link) => Answer::Link(link),
        Err(ConnectError::Fault(fault)) => failed(&fault),
        Err(ConnectError::NotConfigured) => Answer::refused(
            RefusalKind::Failed,
            format!(
                "{service} is not set up on this gateway, so it cannot be connected yet. Add a client registration for \
                 it: see {}.",
                gateway.links().connections()
            ),
        ),
        Err(_) => unknown_service(gateway, service),
    }
}

pub(super) fn unknown_service(gateway: &Gateway, service: &str) -> Answer {
    let services = gateway.services();
    let known: Vec<_> = services.iter().map(Service::id).collect();
    Answer::refused(
        RefusalKind::Usage,
        format!(
            "there is no service `{service}`; there are {}",
            known.join(", ")
        ),
    )
}

async fn call(
    gateway: &Gateway,
    owner: &Caller,
    tool: &str,
    mut arguments: Map<String, Value>,
    words: &[Word],
) -> Answer {
    let empty = Map::new();
    let services = gateway.services();
    let schema = services.tool(tool);
    let schema = schema.map_or(&empty, |(_, tool)| tool.input_schema());
    for word in words {
        let value = if word.name == ACCOUNT_ARGUMENT {
            Value::String(word.value.clone())
        } else {
            word.typed(schema)
        };
        arguments.insert(word.name.clone(), value);
    }
    let error = match gateway.call_tool(owner, tool, &arguments).await {
        Ok(output) => {
            return Answer::Output {
                text: output.text,
                structured: output.structured,
            };
        }
        Err(error) => error,
    };
    let (kind, connect_url) = match &error {
        CallError::UnknownTool(_) => (RefusalKind::Usage, None),
        CallError::ConnectFirst(link) => (RefusalKind::ConnectionRequired, Some(link.url.clone())),
        CallError::WhichAccount { .. } => (RefusalKind::AccountRequired, None),
        CallError::InvalidArguments(_)
        | CallError::NotConfigured(_)
        | CallError::Narrowed(_)
        | CallError::NotLetIn
        | CallError::Refused { .. }
        | CallError::Unreachable { .. }
        | CallError::Delayed { .. }
        | CallError::RunAgain { .. }
        | CallError::WhichTenant { .. }
        | CallError::HalfDone { .. } => (RefusalKind::ToolFailed, None),
        CallError::Fault(fault) => return failed(fault),
    };
    Answer::Refused(Refusal {
        kind,
        sentence: error.sentence(),
        connect_url,
        accounts: match &error {
            CallError::WhichAccount { which, .. } => names(which),
            _ => Vec::new(),
        },
    })
}

fn names(which: &WhichAccount) -> Vec<String> {
    let names = which.accounts.iter().map(|account| account.name.clone());
    names.collect()
}

fn tools(gateway: &Gateway, service: Option<&str>) -> Answer {
    if let Some(service) = service
        && gateway.services().named(service).is_none()
    {
        return unknown_service(gateway, service);
    }
    let services = gateway.services();
    let advertised = services.advertised();
    let wanted = advertised.filter(|tool| {
        service.is_none_or(|wanted| tool.provider() == wanted || tool.product() == wanted)
    });
    Answer::Tools(wanted.map(|tool| tool_line(tool)).collect())
}

fn tool_line(tool: &Tool) -> ToolLine {
    ToolLine {
        name: tool.name().to_owned(),
        service: tool.provider().to_owned(),
        product: tool.product().to_owned(),
        title: tool.title().to_owned(),
        read_only: tool.hints().read_only,
        description: tool.description().to_owned(),
        input_schema: Value::Object(tool.input_schema().as_ref().clone()),
    }
}
