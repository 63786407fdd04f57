//! The sizes of use.

/// Who may be a person here, and how they sign in to the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Attache runs on one person's own computer: whoever uses that computer is the one person. `attache open` makes a
    /// one-time link whenever one is wanted.
    #[default]
    Local,
    /// A demonstration with fixed people: it prints a one-time link for each when it starts. Never configured: it is a
    /// command.
    Demo,
    /// People sign in with an OpenID Connect issuer; their agents bear agent tokens.
    Team,
    /// As [`Mode::Team`], and agents may bear access tokens of configured issuers too (OAuth 2.0 protected resource,
    /// RFC 9728).
    Sso,
}

impl Mode {
    /// The mode that a configuration calls so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "local" => Some(Self::Local),
            "team" => Some(Self::Team),
            "sso" => Some(Self::Sso),
            _ => None,
        }
    }

    /// Whether people are vouched for by an OpenID Connect issuer.
    #[must_use]
    pub fn has_issuer(self) -> bool {
        matches!(self, Self::Team | Self::Sso)
    }

    /// Whether access tokens of configured issuers are accepted, and OAuth metadata published.
    #[must_use]
    pub fn is_protected_resource(self) -> bool {
        self == Self::Sso
    }
}
