//! The kinds of agents that are known by name, and what each calls itself.

use serde::{Deserialize, Serialize};

/// What sort of client an agent is. It is shown, and nothing is decided by it: a client may call itself anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
#[expect(
    missing_docs,
    reason = "each is the name of a product, which TABLE spells"
)]
pub enum AgentKind {
    ClaudeCode,
    ClaudeDesktop,
    Cursor,
    VsCode,
    CopilotCli,
    Codex,
    Windsurf,
    Zed,
    GeminiCli,
    Goose,
    OpenCode,
    Continue,
    Cline,
    JetBrains,
    ChatGpt,
    Inspector,
    /// None of those.
    #[default]
    Other,
}

/// One kind: its identifier, its name, and what such clients say in `clientInfo.name`, in lower case with `-` for spaces.
struct Row(
    AgentKind,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// Every kind. What a client says may go on after one of these, behind a `-`: "gemini-cli-mcp-client-attache".
const TABLE: &[Row] = &[
    Row(
        AgentKind::ClaudeCode,
        "claude-code",
        "Claude Code",
        &["claude-code"],
    ),
    Row(
        AgentKind::ClaudeDesktop,
        "claude-desktop",
        "Claude Desktop",
        &["claude-ai", "claude-desktop"],
    ),
    Row(
        AgentKind::Cursor,
        "cursor",
        "Cursor",
        &["cursor", "cursor-vscode"],
    ),
    Row(
        AgentKind::VsCode,
        "vscode",
        "VS Code",
        &["visual-studio-code", "vscode", "code---insiders"],
    ),
    Row(
        AgentKind::CopilotCli,
        "copilot-cli",
        "GitHub Copilot CLI",
        &[
            "github-copilot-developer",
            "copilot-cli",
            "github-copilot-cli",
        ],
    ),
    Row(
        AgentKind::Codex,
        "codex",
        "Codex",
        &["codex-mcp-client", "codex"],
    ),
    Row(
        AgentKind::Windsurf,
        "windsurf",
        "Windsurf",
        &["windsurf-client", "windsurf"],
    ),
    Row(AgentKind::Zed, "zed", "Zed", &["zed"]),
    Row(
        AgentKind::GeminiCli,
        "gemini-cli",
        "Gemini CLI",
        &["gemini-cli-mcp-client", "gemini-cli"],
    ),
    Row(AgentKind::Goose, "goose", "Goose", &["goose"]),
    Row(AgentKind::OpenCode, "opencode", "opencode", &["opencode"]),
    Row(
        AgentKind::Continue,
        "continue",
        "Continue",
        &["continue-client", "continue-cli-client"],
    ),
    Row(AgentKind::Cline, "cline", "Cline", &["cline"]),
    Row(
        AgentKind::JetBrains,
        "jetbrains",
        "JetBrains AI",
        &["jetbrains", "junie"],
    ),
    Row(
        AgentKind::ChatGpt,
        "chatgpt",
        "ChatGPT",
        &["openai-mcp", "chatgpt"],
    ),
    Row(
        AgentKind::Inspector,
        "inspector",
        "MCP Inspector",
        &["inspector-client", "mcp-inspector", "inspector"],
    ),
    Row(AgentKind::Other, "other", "another client", &[]),
];

impl AgentKind {
    /// The kind whose client calls itself `client` (`clientInfo.name`).
    #[must_use]
    pub fn recognise(client: &str) -> Self {
        // mcp-remote adds itself: "claude-ai (via mcp-remote 0.1.37)".
        let said = client.split(" (via ").next().unwrap_or_default();
        let said = said.trim().to_lowercase().replace([' ', '_'], "-");
        let is_said = |alias: &&&str| {
            said.strip_prefix(**alias)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let known = TABLE.iter().filter_map(|Row(kind, .., aliases)| {
            let longest = aliases
                .iter()
                .filter(is_said)
                .map(|alias| alias.len())
                .max();
            Some((longest?, *kind))
        });
        known
            .max_by_key(|(length, _)| *length)
            .map_or(Self::Other, |(_, kind)| kind)
    }

    /// The kind with this identifier.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let found = TABLE.iter().find(|Row(_, known, ..)| *known == id);
        found.map(|Row(kind, ..)| *kind)
    }

    /// What it is called in commands and records.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.row().1
    }

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// The identifiers of all kinds.
    pub fn ids() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|Row(_, id, ..)| *id)
    }

    fn row(self) -> &'static Row {
        let found = TABLE.iter().find(|Row(kind, ..)| *kind == self);
        found.unwrap_or(&TABLE[TABLE.len() - 1])
    }
}

impl From<AgentKind> for String {
    fn from(kind: AgentKind) -> Self {
        kind.id().to_owned()
    }
}

/// A kind that a newer version wrote is another one here.
impl From<String> for AgentKind {
    fn from(id: String) -> Self {
        Self::parse(&id).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_recognised_by_what_they_call_themselves() {
        for (said, kind) in [
            ("claude-code", AgentKind::ClaudeCode),
            ("claude-ai", AgentKind::ClaudeDesktop),
            (
                "claude-ai (via mcp-remote 0.1.37)",
                AgentKind::ClaudeDesktop,
            ),
            ("cursor-vscode", AgentKind::Cursor),
            ("Visual Studio Code", AgentKind::VsCode),
            ("Visual Studio Code - Insiders", AgentKind::VsCode),
            ("github-copilot-developer", AgentKind::CopilotCli),
            ("codex-mcp-client", AgentKind::Codex),
            ("windsurf-client", AgentKind::Windsurf),
            ("Zed", AgentKind::Zed),
            ("gemini-cli-mcp-client", AgentKind::GeminiCli),
            ("gemini-cli-mcp-client-attache", AgentKind::GeminiCli),
            ("goose", AgentKind::Goose),
            ("opencode", AgentKind::OpenCode),
            ("continue-client", AgentKind::Continue),
            ("inspector-client", AgentKind::Inspector),
            ("", AgentKind::Other),
            ("zedonk", AgentKind::Other),
            ("my zed", AgentKind::Other),
            ("другой", AgentKind::Other),
        ] {
            assert_eq!(AgentKind::recognise(said), kind, "{said}");
        }
    }

    #[test]
    fn every_kind_is_found_by_its_identifier_and_by_every_name_of_its_client() {
        for Row(kind, id, _, aliases) in TABLE {
            assert_eq!(AgentKind::parse(id), Some(*kind));
            assert_eq!(kind.id(), *id);
            for alias in *aliases {
                assert_eq!(AgentKind::recognise(alias), *kind, "{alias}");
            }
        }
    }

    #[test]
    fn a_kind_of_a_newer_version_is_another_one() {
        let read: AgentKind = serde_json::from_str("\"psychic\"").unwrap();
        assert_eq!(read, AgentKind::Other);
        assert_eq!(
            serde_json::to_string(&AgentKind::VsCode).unwrap(),
            "\"vscode\""
        );
    }
}
