//! What comes back from a command.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::backups::{BackupLine, BackupReport, Step};
use super::keys::KeyReport;
use super::store::StoreReport;
use super::webhooks::{DeliveryLine, EndingReport, TestLine, WebhookReport};
use crate::base::Secret;
use crate::base::secret::for_sealing as shown_once;
use crate::gateway::DrillReport;

/// The outcome of one command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Command::Connections`](super::Command::Connections).
    Connections(Vec<ConnectionLine>),
    /// To [`Command::Accounts`](super::Command::Accounts).
    Accounts(Vec<AccountLine>),
    /// What is used by default now, in a sentence.
    DefaultAccount(String),
    /// A link for the browser.
    Link(String),
    /// What a disconnect did, one line for each connection.
    Disconnected(Vec<ReceiptLine>),
    /// To [`Command::People`](super::Command::People).
    People(Vec<PersonRow>),
    /// A person was removed.
    PersonRemoved(Departed),
    /// What was done about a person, in a sentence.
    PersonChanged(String),
    /// A tool's result.
    Output {
        /// What the model would read.
        text: String,
        /// The same as data, where the tool gives some.
        structured: Option<Value>,
    },
    /// To [`Command::Tools`](super::Command::Tools).
    Tools(Vec<ToolLine>),
    /// To [`Command::Agents`](super::Command::Agents).
    Agents(Vec<AgentLine>),
    /// A new agent.
    NewAgent(NewAgent),
    /// An agent was revoked: its name.
    Revoked(String),
    /// What an agent, or all of them, may do from now on, in a sentence.
    AgentsChanged(String),
    /// To [`Command::Reload`](super::Command::Reload).
    Reloaded {
        /// How many services are set up now.
        services: usize,
        /// How many tools they have.
        tools: usize,
    },
    /// To [`Command::Context`](super::Command::Context).
    Context(ContextBill),
    /// To [`Command::Drill`](super::Command::Drill).
    Drilled(DrillReport),
    /// To [`Command::Webhooks`](super::Command::Webhooks).
    Webhooks(WebhookReport),
    /// To [`Command::TestWebhooks`](super::Command::TestWebhooks).
    WebhookTests(Vec<TestLine>),
    /// To [`Command::ResendEvent`](super::Command::ResendEvent).
    Resent(Vec<DeliveryLine>),
    /// To [`Command::EndingSoon`](super::Command::EndingSoon).
    EndingSoon(EndingReport),
    /// To [`Command::VerifyStore`](super::Command::VerifyStore) and
    /// [`Command::RepairStore`](super::Command::RepairStore).
    Store(StoreReport),
    /// How far the command is; another answer follows.
    Progress(Step),
    /// To [`Command::Backup`](super::Command::Backup).
    BackedUp(BackupLine),
    /// To [`Command::Backups`](super::Command::Backups).
    Backups(BackupReport),
    /// To [`Command::Keys`](super::Command::Keys) and [`Command::RotateKeys`](super::Command::RotateKeys).
    Keys(KeyReport),
    /// Nothing was done, or nothing came of it.
    Refused(Refusal),
}

/// One service, and how the person stands with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionLine {
    /// The service's identifier.
    pub service: String,
    /// Its name.
    pub name: String,
    /// `connected`, `expired`, `disconnected`, `revoking` (disconnected, and not proven dead at the provider yet),
    /// `not_connected`, `not_set_up`, `not_offered` (connected, and its provider file is gone), or `damaged` (what is
    /// stored of it cannot be read; where even the service cannot, service and name are empty).
    pub status: String,
    /// The connection's identifier, where nothing else is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The account that is connected, or was.
    pub account: Option<String>,
    /// Where the account works, as far as the service says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Calls use this account unless they mean another.
    #[serde(default)]
    pub default: bool,
    /// Since when it stands so, as RFC 3339.
    pub since: Option<String>,
    /// When a call last used it, as RFC 3339.
    #[serde(default)]
    pub last_used: Option<String>,
    /// What was granted, and what of it is used.
    #[serde(default)]
    pub scopes: Vec<ScopeLine>,
    /// Scopes that tools need and that were not granted.
    pub missing_scopes: Vec<String>,
    /// Those of them that were asked for, or granted once.
    #[serde(default)]
    pub refused_scopes: Vec<String>,
    /// Whether it renews itself; none: it does not work, or nothing is known about its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub renews_itself: Option<bool>,
    /// When it ends, unless it is connected again before, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ends: Option<String>,
    /// Why it ends, in a word.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ends_because: Option<String>,
}

/// One granted scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeLine {
    /// The scope, as the provider spells it.
    pub scope: String,
    /// `always`, `used` (in the last 30 days), `not_used_yet`, `idle` (not for 30 days) or `not_needed` (by any tool).
    pub need: String,
    /// The day on which a call last needed it, as in `2026-11-23`.
    pub last_needed: Option<String>,
}

/// What became of one connection that was to be ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptLine {
    /// Whose it was; none: of whoever gave the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The connection's identifier.
    pub connection: String,
    /// The service's identifier.
    pub service: String,
    /// The account that was connected.
    pub account: String,
    /// `confirmed`, `pending`, `unsupported` or `gave_up`: how it stands at the provider. `failed`: it may still be
    /// connected. `not_told`: its record could not be read, and nobody knows any more which provider it was.
    pub at_provider: String,
    /// When the access token ends by itself, as RFC 3339, where it may still answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers_until: Option<String>,
    /// The provider's own page for removing access.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_url: Option<String>,
    /// All of it in words.
    pub sentence: String,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRow {
    /// Their identifier.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// Who vouches for them.
    pub issuer: String,
    /// What whoever vouches for them calls them: with the issuer, this is who they are.
    #[serde(default)]
    pub subject: String,
    /// `admin` or `member`; none where it cannot be read.
    #[serde(default)]
    pub role: Option<String>,
    /// How many connections they have that are not disconnected.
    pub connections: usize,
    /// Their own record cannot be read, so name and issuer are empty.
    #[serde(default, skip_serializing_if = "is_no")]
    pub damaged: bool,
    /// How many of their connections cannot be read.
    #[serde(default, skip_serializing_if = "is_none")]
    pub damaged_connections: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_no(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// A person who was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departed {
    /// What they were called.
    pub name: String,
    /// How many records of theirs were destroyed, besides their own.
    pub records: usize,
    /// Their connections.
    pub connections: Vec<ReceiptLine>,
    /// Records that cannot be read, so that nobody knows whether they were this person's: left as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// What became of the key that sealed what was theirs, and what may still be somewhere.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
}

/// One account that calls may mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLine {
    /// The service's identifier; empty where it cannot be read any more.
    pub service: String,
    /// The account, as calls name it; empty where it cannot be read any more.
    pub account: String,
    /// Where it works, as far as the service says.
    pub workspace: Option<String>,
    /// `connected`, `expired` or `damaged` (what is stored of it cannot be read).
    pub status: String,
    /// Calls use it unless they mean another.
    pub default: bool,
    /// Its connection.
    pub connection: String,
}

/// One tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolLine {
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: String,
    /// The product of the service that it belongs to; the service itself where it is of none.
    #[serde(default)]
    pub product: String,
    /// Its title.
    pub title: String,
    /// It only looks.
    pub read_only: bool,
    /// What the model reads about it.
    pub description: String,
    /// What it takes.
    pub input_schema: Value,
}

/// What the tool list costs an agent: it is sent as a whole before anything else happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextBill {
    /// What the tokens are counted with. Models count differently: it compares services, and tells the size.
    pub tokenizer: String,
    /// All tools.
    pub tools: usize,
    /// All tokens.
    pub tokens: usize,
    /// What each service adds, the dearest first; Attache's own tools as `attache`.
    pub services: Vec<ContextLine>,
}

/// What one service adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextLine {
    /// The service's identifier.
    pub service: String,
    /// How many tools it has.
    pub tools: usize,
    /// Their tokens.
    pub tokens: usize,
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentLine {
    /// Its identifier.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// When it was added, as RFC 3339.
    pub created: String,
    /// `active`, `stopped` (with all others of the person), `expired`, or `over` (what it was lent has ended).
    #[serde(default)]
    pub state: String,
    /// What sort of client it is: as it was added, or else as it calls itself.
    #[serde(default)]
    pub kind: String,
    /// What that is called.
    #[serde(default)]
    pub kind_name: String,
    /// The gateway added it itself.
    #[serde(default)]
    pub startup: bool,
    /// When its token was first used, as RFC 3339.
    #[serde(default)]
    pub first_seen: Option<String>,
    /// When its token was last used, as RFC 3339.
    #[serde(default)]
    pub last_used: Option<String>,
    /// When its token ends, as RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
    /// What it is narrowed to.
    #[serde(default)]
    pub narrowing: Option<NarrowingLine>,
    /// The clients that were seen with its token, the last first. More than one is worth a look.
    #[serde(default)]
    pub clients: Vec<ClientLine>,
}

/// What an agent is narrowed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NarrowingLine {
    /// Only these services; none: all.
    pub services: Option<Vec<String>>,
    /// Only tools that look.
    pub read_only: bool,
    /// Until when, as RFC 3339.
    pub until: Option<String>,
    /// All of it in words.
    pub words: String,
}

/// One client that was seen with an agent's token, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLine {
    /// `clientInfo.name`.
    pub name: String,
    /// `clientInfo.version`.
    pub version: String,
    /// The revision of MCP that it spoke.
    pub revision: String,
    /// When it was first seen, as RFC 3339.
    pub first: String,
    /// When it was last seen, as RFC 3339.
    pub last: String,
}

/// A new agent, with the one sight of its token.
#[derive(Debug, Serialize, Deserialize)]
pub struct NewAgent {
    /// Its identifier.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Where its client connects.
    pub mcp_url: String,
    /// Its token, shown this once.
    #[serde(with = "shown_once")]
    pub token: Secret,
}

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What the caller can do about it.
    pub kind: RefusalKind,
    /// What, why, what to do.
    pub sentence: String,
    /// Where the person connects what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_url: Option<String>,
    /// The accounts to choose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
}

/// The kinds of refusal that scripts tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Something is asked for that does not exist.
    Usage,
    /// The person must connect a service first.
    ConnectionRequired,
    /// The call must say which of several accounts it means.
    AccountRequired,
    /// The tool ran, or might have, and its result is an error.
    ToolFailed,
    /// Something failed on the gateway's side.
    Failed,
}

impl Answer {
    pub(super) fn refused(kind: RefusalKind, sentence: impl Into<String>) -> Self {
        Self::Refused(Refusal {
            kind,
            sentence: sentence.into(),
            connect_url: None,
            accounts: Vec::new(),
        })
    }
}
