//! Permissions and tools as a page lists them.

use super::{Label, When};
use crate::base::Timestamp;

/// One permission at a service (an OAuth scope): plain words first, the provider's own spelling for those who look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The provider's spelling.
    pub raw: Label,
    /// What it allows, beginning with a verb; empty when the catalogue has no words for it.
    pub words: Label,
    /// The products that need it, where several share one connection; empty when it is the service's own.
    pub product: Label,
}

impl Permission {
    /// A permission with its words.
    #[must_use]
    pub fn new(raw: impl Into<Label>, words: impl Into<Label>) -> Self {
        Self {
            raw: raw.into(),
            words: words.into(),
            product: Label::default(),
        }
    }

    /// The same, needed by these products.
    #[must_use]
    pub fn of(self, product: impl Into<Label>) -> Self {
        Self {
            product: product.into(),
            ..self
        }
    }

    /// The words for a list without headings: the product stands before them.
    pub(super) fn with_product(&self) -> String {
        if self.product.is_empty() || self.words.is_empty() {
            self.words.to_string()
        } else {
            format!("{}: {}", self.product, self.words)
        }
    }
}

/// Permissions that stand together under the name of a product; under none where they are the service's own.
pub(super) struct PermissionGroup<'p> {
    /// The heading; empty for none.
    pub(super) product: &'p Label,
    /// Never empty.
    pub(super) permissions: &'p [Permission],
}

/// A sorted list, product by product.
pub(super) fn groups(permissions: &[Permission]) -> Vec<PermissionGroup<'_>> {
    let groups = permissions.chunk_by(|one, next| one.product == next.product);
    groups
        .filter_map(|permissions| {
            let product = &permissions.first()?.product;
            Some(PermissionGroup {
                product,
                permissions,
            })
        })
        .collect()
}

/// One permission that was granted, and whether it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedPermission {
    /// The permission.
    pub permission: Permission,
    /// What there is to say about it, such as `never used`; empty when it is used.
    pub mark: Label,
    /// Whether it could be given up.
    pub spare: bool,
    /// The day on which a call last needed it.
    pub last_needed: Option<When>,
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

/// The same permissions, granted: one in use, one idle, one that was never used.
pub(super) fn sample_granted(now: Timestamp) -> Vec<GrantedPermission> {
    let day = |days| {
        let day = Timestamp::from_unix(now.as_unix() - days * 86_400);
        Some(When::new(day, now))
    };
    let uses = [(1, ""), (44, "not used for a month"), (0, "never used")];
    let line = |(permission, (days, mark)): (Permission, (i64, &str))| GrantedPermission {
        permission,
        mark: mark.into(),
        spare: !mark.is_empty(),
        last_needed: if days > 0 { day(days) } else { None },
    };
    sample_permissions()
        .into_iter()
        .zip(uses)
        .map(line)
        .collect()
}

/// Three tools of a made-up chat service.
pub(super) fn sample_tools() -> Vec<ToolLine> {
    vec![
        ToolLine::new("courier_list_channels", "List channels", true),
        ToolLine::new("courier_read_messages", "Read messages", true),
        ToolLine::new("courier_post_message", "Post a message", false),
    ]
}
