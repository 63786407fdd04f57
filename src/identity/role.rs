//! What a person may look after here, and what their groups say about it.

use serde::{Deserialize, Serialize};

/// What a person may do beyond using their own connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Uses this gateway for themselves.
    #[default]
    Member,
    /// Looks after this gateway too.
    Admin,
}

impl Role {
    /// The role that people call so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "admin" => Some(Self::Admin),
            "member" => Some(Self::Member),
            _ => None,
        }
    }

    /// What people call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

/// How a person stands here: kept beside the person, so that who they are never changes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Their role.
    #[serde(default)]
    pub role: Role,
    /// What their sessions bear since they were signed out everywhere the last time; empty when they never were. A session
    /// that bears anything else is over.
    #[serde(default)]
    pub epoch: String,
}

/// Which groups of the issuer mean what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupRules {
    /// The claim of the ID token that names a person's groups.
    pub claim: String,
    /// Groups whose people are [`Role::Admin`]. None: `attache people role` says who is.
    pub admins: Vec<String>,
    /// Groups whose people may come in. None: everybody whom the issuer vouches for.
    pub members: Vec<String>,
}

impl GroupRules {
    /// Whether groups, and nothing else, say who is an administrator.
    #[must_use]
    pub fn decide_roles(&self) -> bool {
        !self.admins.is_empty()
    }

    /// Whether anything depends on groups.
    #[must_use]
    pub fn need_groups(&self) -> bool {
        self.decide_roles() || !self.members.is_empty()
    }

    /// The role that `groups` give; none where they let nobody in. Groups of administrators let in as well. Names are
    /// compared to the letter.
    #[must_use]
    pub fn role(&self, groups: &[String]) -> Option<Role> {
        let is_in = |known: &[String]| groups.iter().any(|group| known.contains(group));
        if is_in(&self.admins) {
            return Some(Role::Admin);
        }
        (self.members.is_empty() || is_in(&self.members)).then_some(Role::Member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn groups_let_in_and_make_administrators() {
        let rules = |admins: &[&str], members: &[&str]| GroupRules {
            claim: "groups".into(),
            admins: texts(admins),
            members: texts(members),
        };
        let open = rules(&[], &[]);
        assert_eq!(open.role(&[]), Some(Role::Member));
        assert!(!open.need_groups());
        let closed = rules(&["ops"], &["staff"]);
        assert_eq!(closed.role(&texts(&["staff", "x"])), Some(Role::Member));
        assert_eq!(closed.role(&texts(&["ops"])), Some(Role::Admin));
        for strangers in [&[][..], &["Staff"], &["staff "], &["ops/x"]] {
            assert_eq!(closed.role(&texts(strangers)), None, "{strangers:?}");
        }
        assert_eq!(rules(&["ops"], &[]).role(&[]), Some(Role::Member));
    }

    #[test]
    fn roles_have_words() {
        for role in [Role::Admin, Role::Member] {
            assert_eq!(Role::named(role.word()), Some(role));
        }
        assert_eq!(Role::named("Admin"), None);
    }

    #[test]
    fn a_standing_from_before_is_readable() {
        let read: Standing = serde_json::from_str("{}").unwrap();
        assert_eq!(read, Standing::default());
    }
}
