//! The page for someone who is not signed in, where Attache runs for one person or as a demonstration.

use askama::Template;

use super::{Label, Layout};

/// Where the one-time link is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInMode {
    /// Attache runs on this person's own computer: `attache open` makes a link whenever one is wanted.
    Local,
    /// A demonstration with fixed people: it printed a link for each when it started.
    Demo,
}

/// Says how to sign in, and why one is here.
#[derive(Clone, Template)]
#[template(path = "sign_in.html", config = "src/web/askama.toml")]
pub struct SignInPage {
    /// The frame, without anyone.
    pub layout: Layout,
    /// Where the link is found.
    pub mode: SignInMode,
    /// What one wanted, after "To continue: ", as in `connect Sandbox`.
    pub purpose: Option<Label>,
}

impl SignInPage {
    /// Someone who opened a connect link.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::signed_out(),
            mode: SignInMode::Local,
            purpose: Some("connect Courier for Claude Code".into()),
        }
    }

    /// Someone who came to the demonstration by herself.
    #[must_use]
    pub fn sample_demo() -> Self {
        Self {
            mode: SignInMode::Demo,
            purpose: None,
            ..Self::sample()
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
    }
}
