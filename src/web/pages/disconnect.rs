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
    /// It is not over.
    Pending(Revoking),
    /// The provider has no way to be told.
    Unsupported(Option<WebAddress>),
    /// Attache has stopped trying.
    GaveUp(Option<WebAddress>),
}

/// A revocation that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoking {
    /// Why it is not.
    pub obstacle: Obstacle,
    /// When the old access ends by itself, where that is known.
    pub answers_until: Option<When>,
    /// When Attache tries again by itself.
    pub next: Option<When>,
    /// When the sealed copy of the sign-in is deleted in any case.
    pub kept_until: When,
    /// The provider's own page for ending access.
    pub page: Option<WebAddress>,
    /// The path that tries again: a POST.
    pub retry: String,
}

/// Why a revocation is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The provider has not confirmed.
    NotConfirmed,
    /// The provider has confirmed, and nobody has seen it refuse the old access.
    StillAnswers,
    /// The service is not set up here any more.
    NotSetUp,
    /// The service is set up with another registration.
    SetUpAnew,
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
    /// An administrator ended it, not the person.
    pub by_admin: bool,
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
            by_admin: false,
            at_provider: AtProvider::Confirmed,
            at: moment(0),
        }
    }

    /// The provider is down.
    #[must_use]
    pub fn sample_pending() -> Self {
        Self {
            at_provider: AtProvider::Pending(Revoking {
                obstacle: Obstacle::NotConfirmed,
                answers_until: None,
                next: Some(moment(60)),
                kept_until: moment(30 * 86_400),
                page: provider_page(),
                retry: "/connections/con_courier/disconnect".to_owned(),
            }),
            ..Self::sample()
        }
    }

    /// The provider has confirmed, and still lets the old access in.
    #[must_use]
    pub fn sample_still_answers() -> Self {
        Self::sample_with(Obstacle::StillAnswers, Some(moment(3_600)))
    }

    /// An administrator ended it, and the service is not set up any more.
    #[must_use]
    pub fn sample_not_set_up() -> Self {
        Self {
            by_admin: true,
            ..Self::sample_with(Obstacle::NotSetUp, None)
        }
    }

    fn sample_with(obstacle: Obstacle, answers_until: Option<When>) -> Self {
        let mut sample = Self::sample_pending();
        if let AtProvider::Pending(revoking) = &mut sample.at_provider {
            revoking.obstacle = obstacle;
            revoking.answers_until = answers_until;
        }
        sample
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
        assert!(pending.contains("has not confirmed") && !pending.contains("has ended"));
        assert!(pending.contains("until <time datetime=\"2026-12-23T06:23:20Z\""));
        let answers = DisconnectedPage::sample_still_answers().render().unwrap();
        assert!(answers.contains("datetime=\"2026-11-23T07:23:20Z\""));
        let gone = DisconnectedPage::sample_not_set_up().render().unwrap();
        assert!(gone.contains("not set up here any more") && gone.contains("administrator"));
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
