//! `attache agents`: who acts for you, what each may do, and until when.

use clap::{Args, Subcommand};
use serde_json::json;

use super::ask::{Form, ask, new_agent, print, print_json, unexpected};
use super::{Failure, Places};
use crate::app::control::{AgentLine, Answer, Command, NarrowingWords};
use crate::config::Environment;

#[derive(Debug, Args)]
pub(super) struct AgentsOptions {
    #[command(subcommand)]
    action: Option<AgentAction>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum AgentAction {
    /// List the agents that act for you.
    List,
    /// Add an agent and print its token, this once.
    Add {
        /// What it is called on the pages.
        name: String,
        /// What sort of client it is for, such as claude-code, cursor, vscode or codex.
        #[arg(long)]
        kind: Option<String>,
        /// When its token ends: 90d, 12h, or a day such as 2027-01-31, at whose end in UTC.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        narrowing: NarrowingOptions,
    },
    /// Narrow an agent to what is named here, and nothing else; with --none, to nothing.
    Narrow {
        /// The agent, as the list names it.
        id: String,
        #[command(flatten)]
        narrowing: NarrowingOptions,
        /// Let it do everything that you can.
        #[arg(long, conflicts_with_all = ["services", "read_only", "until"])]
        none: bool,
    },
    /// Make an agent's token worthless.
    Revoke {
        /// The agent, as the list names it.
        id: String,
    },
    /// Stop all your agents at once, until `attache agents resume`.
    Stop,
    /// Let your agents in again.
    Resume,
}

#[derive(Debug, Args)]
struct NarrowingOptions {
    /// Only this service; may be given several times.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<String>,
    /// Only tools that look and change nothing.
    #[arg(long)]
    read_only: bool,
    /// Nothing from then on: 90d, 12h, or a day such as 2027-01-31, at whose end in UTC.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl From<NarrowingOptions> for NarrowingWords {
    fn from(options: NarrowingOptions) -> Self {
        let NarrowingOptions {
            services,
            read_only,
            until,
        } = options;
        Self {
            services,
            read_only,
            until,
        }
    }
}

impl NarrowingOptions {
    fn is_empty(&self) -> bool {
        self.services.is_empty() && !self.read_only && self.until.is_none()
    }
}

/// `attache agents`.
pub(super) fn run(options: AgentsOptions, environment: &Environment) -> Result<(), Failure> {
    let command = match options.action.unwrap_or(AgentAction::List) {
        AgentAction::List => Command::Agents,
        AgentAction::Add {
            name,
            kind,
            expires,
            narrowing,
        } => Command::AddAgent {
            name,
            kind,
            expires,
            narrowing: narrowing.into(),
        },
        AgentAction::Narrow {
            id,
            narrowing,
            none: false,
        } if narrowing.is_empty() => {
            return Err(Failure::new(format!(
                "say to what: --service SERVICE, --read-only or --until TIME; `attache agents narrow {id} --none` lets it do \
                 everything that you can"
            )));
        }
        AgentAction::Narrow { id, narrowing, .. } => Command::NarrowAgent {
            id,
            narrowing: narrowing.into(),
        },
        AgentAction::Revoke { id } => Command::RevokeAgent { id },
        AgentAction::Stop => Command::StopAgents,
        AgentAction::Resume => Command::ResumeAgents,
    };
    let json = options.form.json;
    match ask(options.places, environment, &command, options.form)? {
        Answer::Agents(agents) if json => print_json(&agents),
        Answer::Agents(agents) => agents.iter().try_for_each(|agent| print(&words(agent))),
        Answer::NewAgent(agent) => new_agent(&agent, json),
        Answer::Revoked(name) if json => print_json(&json!({ "revoked": name })),
        Answer::Revoked(name) => print(&format!("{name} can no longer use Attache.")),
        Answer::AgentsChanged(sentence) if json => print_json(&json!({ "message": sentence })),
        Answer::AgentsChanged(sentence) => print(&sentence),
        _ => Err(unexpected()),
    }
}

fn words(agent: &AgentLine) -> String {
    let state = match agent.state.as_str() {
        "active" | "" => String::new(),
        other => format!("  {other}"),
    };
    let seen = match agent.clients.as_slice() {
        [] => agent.kind_name.clone(),
        [client] => format!("{} ({} {})", agent.kind_name, client.name, client.version),
        [client, others @ ..] => format!(
            "{} ({} {}, and {} more clients)",
            agent.kind_name,
            client.name,
            client.version,
            others.len()
        ),
    };
    let used = match &agent.last_used {
        Some(used) => format!("last used {used}"),
        None => "not used yet".to_owned(),
    };
    let expires = agent
        .expires
        .as_ref()
        .map(|expires| format!(", expires {expires}"))
        .unwrap_or_default();
    let narrowing = agent
        .narrowing
        .as_ref()
        .map(|narrowing| format!(", only {}", narrowing.words))
        .unwrap_or_default();
    format!(
        "{}  {}{state}  {seen}, {used}{expires}{narrowing}",
        agent.id, agent.name
    )
}
