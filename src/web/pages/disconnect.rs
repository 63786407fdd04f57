//! Disconnecting: the question before, and the receipt after.

use askama::Template;

use crate::base::Timestamp;

use super::{Label, Layout, WebAddress, When};

/// What the provider offers for ending access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It can be told to end the access.
    Supported,
    /// It cannot: the person ends the access on the provider's own page, if it has one.
    Unsupported(Option<WebAddress>),
}

/// Names the effect and asks.
#[derive(Clone, Template)]
#[template(path = "disconnect.html", config = "src/web/askama.toml")]
pub struct DisconnectPage {
    /// The frame.
    pub layout: Layout,
    /// The service's name.
    pub service: Label,
    /// The account at the service.
    pub account: Option<Label>,
    /// How many tools stop working.
    pub tools: usize,
    /// What the provider offers.
    pub revocation: Revocation,
    /// Where "Disconnect" sends its POST.
    pub action: String,
}

impl DisconnectPage {
    /// A provider that can be told.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::sample(),
            service: "Courier".into(),
            account: Some("ana in Harbour Works".into()),
            tools: 3,
            revocation: Revocation::Supported,
            action: "/connections/con_courier/disconnect".to_owned(),
        }
    }

    /// A provider that cannot.
    #[must_use]
    pub fn sample_unsupported() -> Self {
        Self {
            revocation: Revocation::Unsupported(provider_page()),
            tools: 1,
            ..Self::sample()
        }
    }
}

/// How it stands at the provider after a disconnect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtProvider {
    /// The provider has ended the access.
    Confirmed,
    /// The provider could not be reached, or has not answered yet; Attache goes on trying.
    Pending {
        /// The path that tries again at once: a POST.
        retry: String,
        /// When Attache stops trying and deletes the last copy.
        until: When,
    },
    /// The provider has no way to be told.
    Unsupported(Option<WebAddress>),
    /// Attache has stopped trying.
    GaveUp(Option<WebAddress>),
}

/// The receipt.
#[derive(Clone, Template)]
#[template(path = "disconnected.html", config = "src/web/askama.toml")]
pub struct DisconnectedPage {
    /// The frame.
    pub layout: Layout,
    /// The service's name.
    pub service: Label,
    /// The account at the service.
    pub account: Option<Label>,
    /// How it stands at the provider.
    pub at_provider: AtProvider,
    /// When the connection stopped working and was deleted here.
    pub at: When,
}

impl DisconnectedPage {
    /// Done on both sides.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::sample(),
            service: "Courier".into(),
            account: Some("ana in Harbour Works".into()),
            at_provider: AtProvider::Confirmed,
            at: moment(0),
        }
    }

    /// The provider is down.
    #[must_use]
    pub fn sample_pending() -> Self {
        Self {
            at_provider: AtProvider::Pending {
                retry: "/connections/con_courier/revoke".to_owned(),
                until: moment(30 * 86_400),
            },
            ..Self::sample()
        }
    }

    /// The provider cannot be told.
    #[must_use]
    pub fn sample_unsupported() -> Self {
        Self {
            at_provider: AtProvider::Unsupported(provider_page()),
            ..Self::sample()
        }
    }

    /// The provider never answered.
    #[must_use]
    pub fn sample_gave_up() -> Self {
        Self {
            at_provider: AtProvider::GaveUp(None),
            ..Self::sample()
        }
    }
}

fn moment(after: i64) -> When {
    let now = 1_795_415_000;
    When::new(Timestamp::from_unix(now + after), Timestamp::from_unix(now))
}

fn provider_page() -> Option<WebAddress> {
    WebAddress::parse("https://courier.example/settings/apps").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_names_the_effect_and_can_be_left() {
        let html = DisconnectPage::sample().render().unwrap();
        assert!(html.contains("id=\"confirm-disconnect\"") && html.contains("3 tools"));
        assert!(
            html.contains("<form method=\"post\" action=\"/connections/con_courier/disconnect\">")
        );
        assert!(html.contains("id=\"keep\" href=\"/connections\""));
        let other = DisconnectPage::sample_unsupported().render().unwrap();
        assert!(other.contains("https://courier.example/settings/apps"));
        assert!(other.contains("1 tool stops"));
    }

    #[test]
    fn the_receipt_claims_no_more_than_what_happened() {
        let confirmed = DisconnectedPage::sample().render().unwrap();
        assert!(confirmed.contains("data-at-provider=\"confirmed\""));
        assert!(confirmed.contains("datetime=\"2026-11-23T06:23:20Z\""));
        let pending = DisconnectedPage::sample_pending().render().unwrap();
        assert!(pending.contains("data-at-provider=\"pending\"") && pending.contains("Try again"));
        assert!(pending.contains("23 December 2026"));
        for (page, mark) in [
            (DisconnectedPage::sample_unsupported(), "unsupported"),
            (DisconnectedPage::sample_gave_up(), "gave_up"),
        ] {
            let html = page.render().unwrap();
            assert!(html.contains(&format!("data-at-provider=\"{mark}\"")));
            assert!(!html.contains("has ended"));
        }
    }
}
