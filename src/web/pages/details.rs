//! Permissions and tools as a page lists them.

use super::Label;

/// One permission at a service (an OAuth scope): plain words first, the provider's own spelling for those who look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The provider's spelling.
    pub raw: Label,
    /// What it allows, beginning with a verb; empty when the catalogue has no words for it.
    pub words: Label,
}

impl Permission {
    /// A permission with its words.
    #[must_use]
    pub fn new(raw: impl Into<Label>, words: impl Into<Label>) -> Self {
        Self {
            raw: raw.into(),
            words: words.into(),
        }
    }
}

/// One tool of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolLine {
    /// The name that agents call.
    pub name: Label,
    /// What it does, for people.
    pub title: Label,
    /// Whether it only looks, and changes nothing at the service.
    pub read_only: bool,
}

impl ToolLine {
    /// A tool with its title.
    #[must_use]
    pub fn new(name: impl Into<Label>, title: impl Into<Label>, read_only: bool) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            read_only,
        }
    }
}

/// Three permissions of a made-up chat service.
pub(super) fn sample_permissions() -> Vec<Permission> {
    vec![
        Permission::new("channels:read", "See the channels you are in"),
        Permission::new("chat:write", "Post messages as you"),
        Permission::new("users:read", "See who is in your team"),
    ]
}

/// Three tools of a made-up chat service.
pub(super) fn sample_tools() -> Vec<ToolLine> {
    vec![
        ToolLine::new("courier_list_channels", "List channels", true),
        ToolLine::new("courier_read_messages", "Read messages", true),
        ToolLine::new("courier_post_message", "Post a message", false),
    ]
}
