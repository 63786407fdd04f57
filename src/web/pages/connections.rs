//! The Connections page: every service with its status, and the one click that mends it.

use askama::Template;

use super::card::sample_cards;
use super::{Label, Layout, ServiceCard};

/// How a notice looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something was done.
    Good,
    /// Something needs attention.
    Warning,
}

impl Tone {
    const fn key(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
        }
    }
}

/// One sentence above the list about what has just happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How it looks.
    pub tone: Tone,
    /// The sentence.
    pub text: Label,
}

/// The Connections page.
#[derive(Clone, Template)]
#[template(path = "connections.html", config = "src/web/askama.toml")]
pub struct ConnectionsPage {
    /// The frame.
    pub layout: Layout,
    /// What has just happened.
    pub notice: Option<Notice>,
    /// What the person searches for, as she typed it; empty for everything.
    pub query: Label,
    /// How many services there are without the filter.
    pub total: usize,
    /// How many of all services are active.
    pub active: usize,
    /// The cards that match, those that need attention first.
    pub cards: Vec<ServiceCard>,
}

impl ConnectionsPage {
    /// The end of a card's element ids: the service, and for a further account at the same service its connection too,
    /// so that ids stay unique and `#connect-{service}` is always the first card's.
    fn suffix(&self, index: usize) -> String {
        let Some(card) = self.cards.get(index) else {
            return String::new();
        };
        let service = &card.service;
        let is_first = !self.cards[..index].iter().any(|c| c.service == *service);
        match (&card.connection, is_first) {
            (_, true) => service.to_string(),
            (Some(connection), false) => format!("{service}-{connection}"),
            (None, false) => format!("{service}-{index}"),
        }
    }

    /// Whether a search is worth its place.
    fn is_searchable(&self) -> bool {
        self.total > 1 || !self.query.is_empty()
    }

    /// Services in every status, and a second account at one of them.
    #[must_use]
    pub fn sample() -> Self {
        let cards = sample_cards();
        Self {
            layout: Layout::sample(),
            notice: Some(Notice {
                tone: Tone::Good,
                text: "Courier is connected. Your agents can use it now.".into(),
            }),
            query: Label::default(),
            total: cards.len(),
            active: 2,
            cards,
        }
    }

    /// A gateway without any service.
    #[must_use]
    pub fn sample_without_services() -> Self {
        Self {
            notice: None,
            total: 0,
            active: 0,
            cards: Vec::new(),
            ..Self::sample()
        }
    }

    /// A search that finds nothing.
    #[must_use]
    pub fn sample_without_match() -> Self {
        Self {
            notice: None,
            query: "calendra".into(),
            cards: Vec::new(),
            ..Self::sample()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::Status;

    #[test]
    fn each_status_has_its_word_on_a_card_that_tests_can_find() {
        let html = ConnectionsPage::sample().render().unwrap();
        for (service, status) in [
            ("tidepool", Status::Waiting),
            ("ledgerly", Status::Expired),
            ("unknown", Status::Damaged),
            ("courier", Status::Active),
            ("atlas", Status::Revoked),
            ("foundry", Status::Revoking),
            ("orchard", Status::NotConnected),
            ("mosaic", Status::NotSetUp),
        ] {
            let mark = format!(
                "data-service=\"{service}\" data-status=\"{}\"",
                status.key()
            );
            let card = html.split("<article").find(|card| card.contains(&mark));
            assert!(card.unwrap().contains(status.word()), "{service}");
        }
    }

    #[test]
    fn a_second_account_at_a_service_gets_ids_of_its_own() {
        let html = ConnectionsPage::sample().render().unwrap();
        assert_eq!(html.matches("id=\"disconnect-courier\"").count(), 1);
        assert_eq!(
            html.matches("id=\"disconnect-courier-con_courier_2\"")
                .count(),
            1
        );
        assert_eq!(html.matches("id=\"connect-ledgerly\"").count(), 1);
    }

    #[test]
    fn starting_and_finishing_use_the_right_method() {
        let html = ConnectionsPage::sample().render().unwrap();
        assert!(html.contains("<form method=\"post\" action=\"/services/ledgerly/connect\">"));
        assert!(html.contains("href=\"/connections/con_courier/disconnect\""));
        assert!(html.contains("href=\"/connect/sample-ticket\""));
        assert!(html.contains("href=\"/connections/con_ledgerly/disconnect\""));
    }

    #[test]
    fn empty_pages_say_what_to_do() {
        let none = ConnectionsPage::sample_without_services().render().unwrap();
        assert!(none.contains("No services yet") && !none.contains("type=\"search\""));
        let unmatched = ConnectionsPage::sample_without_match().render().unwrap();
        assert!(unmatched.contains("calendra") && unmatched.contains("Show all services"));
    }

    #[test]
    fn an_administrator_sees_what_stands_around_each_setting() {
        let mut page = ConnectionsPage::sample();
        let html = page.render().unwrap();
        assert!(
            html.contains("https://<em>Studio</em>.mosaic.example"),
            "{html}"
        );
        let settings = page
            .cards
            .iter_mut()
            .filter_map(|card| card.set_up.as_mut());
        for setting in settings.flat_map(|help| &mut help.settings) {
            setting.suffix = "<script>.example".into();
            setting.default = "harbour".into();
        }
        let html = page.render().unwrap();
        assert!(
            html.contains("https://<em>harbour</em>&#60;script&#62;.example"),
            "{html}"
        );
    }
}
