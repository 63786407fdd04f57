//! The pages on which people sign in and out.

use askama::Template;

use super::{Label, Layout};
use crate::identity::Mode;

/// Says how to sign in, and why one is here.
#[derive(Clone, Template)]
#[template(path = "sign_in.html", config = "src/web/askama.toml")]
pub struct SignInPage {
    /// The frame, without anyone.
    pub layout: Layout,
    /// How one signs in here.
    pub mode: Mode,
    /// What the issuer is called that people sign in with, where they do.
    pub issuer: Label,
    /// What one wanted, after "To continue: ", as in `connect Sandbox`.
    pub purpose: Option<Label>,
}

impl SignInPage {
    /// Someone who opened a connect link.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::signed_out(),
            mode: Mode::Local,
            issuer: Label::default(),
            purpose: Some("connect Courier for Claude Code".into()),
        }
    }

    /// Someone who came to the demonstration by herself.
    #[must_use]
    pub fn sample_demo() -> Self {
        Self {
            mode: Mode::Demo,
            purpose: None,
            ..Self::sample()
        }
    }

    /// Someone of a team, who signs in with an issuer.
    #[must_use]
    pub fn sample_team() -> Self {
        Self {
            mode: Mode::Team,
            issuer: "Acme ID".into(),
            ..Self::sample()
        }
    }
}

/// Asks where one wants to be signed out.
#[derive(Clone, Template)]
#[template(path = "sign_out.html", config = "src/web/askama.toml")]
pub struct SignOutPage {
    /// The frame.
    pub layout: Layout,
}

impl SignOutPage {
    /// Ana's.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::sample(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_says_where_the_link_is() {
        let local = SignInPage::sample().render().unwrap();
        assert!(local.contains("attache open"));
        assert!(local.contains("connect Courier for Claude Code"));
        let demo = SignInPage::sample_demo().render().unwrap();
        assert!(demo.contains("attache demo") && !demo.contains("attache open"));
        assert!(!local.contains("<form") && !demo.contains("<form"));
        let team = SignInPage::sample_team().render().unwrap();
        assert!(team.contains("Sign in with Acme ID") && !team.contains("attache open"));
    }
}
