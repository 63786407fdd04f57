//! What can be asked over the control socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::gateway::Drill;
use crate::identity::Role;

/// One command of the person of this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Every service, and how the person stands with it.
    Connections,
    /// Every account that calls may mean.
    Accounts,
    /// An account is used by default at a service, or none is.
    DefaultAccount {
        /// The service's identifier.
        service: String,
        /// The account, as calls name it; none for none.
        account: Option<String>,
    },
    /// The link on which the person connects a service.
    Connect {
        /// The service's identifier.
        service: String,
    },
    /// Every connection to a service is ended.
    Disconnect {
        /// The service's identifier.
        service: String,
    },
    /// Every connection is ended, whoever's it is.
    DisconnectAll {
        /// To this service alone.
        service: Option<String>,
        /// Of this person alone: identifier or name.
        person: Option<String>,
    },
    /// A connection whose record cannot be read is removed.
    RemoveDamaged {
        /// The connection, by its identifier.
        connection: String,
    },
    /// Everybody whom the gateway knows.
    People,
    /// A person is removed with everything of theirs.
    RemovePerson {
        /// Identifier or name.
        person: String,
        /// They and their connections stay; what they reach this gateway with goes.
        #[serde(default)]
        keep_connections: bool,
    },
    /// A person is given a role.
    PersonRole {
        /// Identifier or name.
        person: String,
        /// The role.
        role: Role,
    },
    /// All sessions of a person are ended.
    SignOutPerson {
        /// Identifier or name.
        person: String,
    },
    /// One tool is called.
    Call {
        /// The tool's name.
        tool: String,
        /// Arguments as they are.
        arguments: Map<String, Value>,
        /// Arguments as they were typed; what they are is the tool's to say.
        words: Vec<Word>,
    },
    /// The tools that agents see.
    Tools {
        /// Of this service alone.
        service: Option<String>,
    },
    /// The person's agents.
    Agents,
    /// A new agent and its token.
    AddAgent {
        /// What it is called.
        name: String,
        /// What sort of client it is for, by [`AgentKind::id`](crate::identity::AgentKind::id).
        #[serde(default)]
        kind: Option<String>,
        /// When its token ends: a moment, a day, or in how long.
        #[serde(default)]
        expires: Option<String>,
        /// What it may do.
        #[serde(default)]
        narrowing: NarrowingWords,
    },
    /// An agent is narrowed to this and nothing else.
    NarrowAgent {
        /// The agent.
        id: String,
        /// What it may do.
        narrowing: NarrowingWords,
    },
    /// Every agent of the person is stopped.
    StopAgents,
    /// The agents of the person are let in again.
    ResumeAgents,
    /// An agent's token is worth nothing any more.
    RevokeAgent {
        /// The agent.
        id: String,
    },
    /// A link that signs the person in once.
    Open,
    /// The provider files are read again.
    Reload,
    /// What the tool list costs an agent.
    Context,
    /// A fault is practised: on the Sandbox for real, on any other service as a rehearsal.
    Drill {
        /// The service's identifier.
        service: String,
        /// The fault.
        drill: Drill,
    },
    /// Where events go, and what was sent.
    Webhooks,
    /// A test is sent.
    TestWebhooks {
        /// To this webhook alone.
        name: Option<String>,
    },
    /// An event is sent again.
    ResendEvent {
        /// The event.
        id: String,
    },
    /// Whose connections end soon, of everybody.
    EndingSoon,
    /// Every record is looked at.
    VerifyStore,
    /// What is wrong with records is put right, as far as it can be.
    RepairStore,
    /// A backup is made.
    Backup {
        /// Where it goes, when not among those that are made by themselves: an absolute path.
        to: Option<BackupPlace>,
    },
    /// The backups that there are, and how the last one that was due went.
    Backups,
    /// How the keys stand.
    Keys,
    /// The master key is changed for a new one.
    RotateKeys,
}

/// Where a backup goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupPlace {
    /// This file, which must not be there yet.
    File(PathBuf),
    /// This folder, under a name that says when.
    Folder(PathBuf),
}

impl Command {
    /// Whether a gateway must run: what comes back is a link to a page, or depends on what clients are shown.
    #[must_use]
    pub fn needs_a_gateway(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Call { .. } | Self::Open | Self::Context => true,
            Self::Keys
            | Self::RotateKeys
            | Self::Connections
            | Self::Accounts
            | Self::DefaultAccount { .. }
            | Self::Disconnect { .. }
            | Self::DisconnectAll { .. }
            | Self::RemoveDamaged { .. }
            | Self::People
            | Self::RemovePerson { .. }
            | Self::PersonRole { .. }
            | Self::SignOutPerson { .. }
            | Self::Tools { .. }
            | Self::Agents
            | Self::AddAgent { .. }
            | Self::RevokeAgent { .. }
            | Self::NarrowAgent { .. }
            | Self::StopAgents
            | Self::ResumeAgents
            | Self::Drill { .. }
            | Self::Reload
            | Self::Webhooks
            | Self::TestWebhooks { .. }
            | Self::ResendEvent { .. }
            | Self::EndingSoon
            | Self::VerifyStore
            | Self::RepairStore
            | Self::Backup { .. }
            | Self::Backups => false,
        }
    }
}

/// What an agent may do, as it was typed. Without a word, everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NarrowingWords {
    /// Only these services; none named: all.
    pub services: Vec<String>,
    /// Only tools that look.
    pub read_only: bool,
    /// Until when: a moment, a day, or for how long.
    pub until: Option<String>,
}

/// `name=value`, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Before the first `=`.
    pub name: String,
    /// After it.
    pub value: String,
}

impl Word {
    /// The value as a tool with `schema` takes it: text where it wants text, otherwise JSON if it is JSON.
    pub(super) fn typed(&self, schema: &Map<String, Value>) -> Value {
        let wanted = &schema.get("properties").unwrap_or(&Value::Null)[&self.name]["type"];
        let text = || Value::String(self.value.clone());
        match wanted {
            Value::String(wanted) if wanted == "string" => text(),
            _ => serde_json::from_str(&self.value).unwrap_or_else(|_| text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_becomes_what_the_tool_wants() {
        let Value::Object(schema) = json!({"properties": {
            "text": {"type": "string"}, "limit": {"type": "integer"}, "labels": {"type": "array"},
        }}) else {
            unreachable!()
        };
        let typed = |name: &str, value: &str| {
            let word = Word {
                name: name.into(),
                value: value.into(),
            };
            word.typed(&schema)
        };
        assert_eq!(typed("text", "5"), json!("5"));
        assert_eq!(typed("limit", "5"), json!(5));
        assert_eq!(typed("labels", "[\"a\"]"), json!(["a"]));
        assert_eq!(typed("limit", "many"), json!("many"));
        assert_eq!(typed("unknown", "true"), json!(true));
    }
}
