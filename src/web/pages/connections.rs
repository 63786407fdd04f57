//! The Connections page: every service with its status, and the one click that mends it.

use askama::Template;

use crate::base::Timestamp;

use super::details::{sample_permissions, sample_tools};
use super::{Label, Layout, Permission, ToolLine, WebAddress, When};

/// How a service stands for the person who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Valid and ready.
    Active,
    /// Must be reconnected.
    Expired,
    /// Disconnected by hand.
    Revoked,
    /// Never connected.
    NotConnected,
    /// An agent or the person began to connect, and the person has still to agree at the service.
    Waiting,
    /// Nobody can connect it yet: the administrator has not registered Attache at the provider.
    NotSetUp,
}

impl Status {
    /// The value of `data-status`, for style and for tests.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::NotConnected => "not_connected",
            Self::Waiting => "waiting",
            Self::NotSetUp => "not_set_up",
        }
    }

    /// The word on the page.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Expired => "Expired",
            Self::Revoked => "Revoked",
            Self::NotConnected => "Not connected",
            Self::Waiting => "Waiting for you",
            Self::NotSetUp => "Not set up",
        }
    }

    /// What stands beside the word when the handler gives no reason of its own.
    const fn sentence(self) -> &'static str {
        match self {
            Self::Active => "It renews itself. There is nothing to do.",
            Self::Expired => "The service no longer accepts this sign-in. Reconnect to go on.",
            Self::Revoked => {
                "You disconnected it. Agents cannot use it until you connect it again."
            }
            Self::NotConnected => "Connect your account, and your agents can use it for you.",
            Self::Waiting => "It has been started, and waits for you to agree at the service.",
            Self::NotSetUp => "Your administrator has to set it up before anyone can connect it.",
        }
    }

    /// What happened at [`ServiceCard::since`], before "5 minutes ago".
    const fn since(self) -> &'static str {
        match self {
            Self::Active => "Connected",
            Self::Expired => "Expired",
            Self::Revoked => "Disconnected",
            Self::NotConnected | Self::NotSetUp => "Added",
            Self::Waiting => "Started",
        }
    }
}

/// The main thing to do with a service. Paths are on this gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Starts the first connection: a POST to this path.
    Connect(String),
    /// Renews an expired one: a POST to this path.
    Reconnect(String),
    /// After a disconnect: a POST to this path.
    ConnectAgain(String),
    /// Goes on with what was started: a link to the connect page at this path.
    Finish(String),
    /// Goes to the page that asks before it disconnects: a link to this path.
    Disconnect(String),
    /// Nothing can be done from here.
    Nothing,
}

/// What the administrator needs to set a service up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetUpHelp {
    /// The redirect URL to enter at the provider.
    pub redirect_url: Label,
    /// The provider's page that tells how to register.
    pub docs: Option<WebAddress>,
}

/// One card: a service, and the person's account at it if there is one.
#[derive(Clone)]
pub struct ServiceCard {
    /// The service's slug.
    pub service: Label,
    /// The service's name.
    pub name: Label,
    /// How it stands.
    pub status: Status,
    /// Why it stands so and what to do, in a sentence; `None` for the usual one of this status.
    pub reason: Option<Label>,
    /// The connection's id, when there is a connection.
    pub connection: Option<Label>,
    /// The account at the service, as in `ana in Acme`.
    pub account: Option<Label>,
    /// Since when it stands so.
    pub since: Option<When>,
    /// When an agent last used it.
    pub last_used: Option<When>,
    /// The tools that agents get through it.
    pub tools: Vec<ToolLine>,
    /// What was granted; for a service without a connection, what will be asked for.
    pub permissions: Vec<Permission>,
    /// What tools need and was not granted.
    pub missing: Vec<Permission>,
    /// The path that asks the service for the missing permissions: a POST.
    pub allow_more: Option<String>,
    /// The main thing to do.
    pub action: Action,
    /// The path of the page that disconnects, for a connection whose main action is another: someone who lost access
    /// can still disconnect.
    pub disconnect: Option<String>,
    /// For [`Status::NotSetUp`].
    pub set_up: Option<SetUpHelp>,
}

impl ServiceCard {
    /// A card with nothing on it but its service and status.
    #[must_use]
    pub fn new(
        service: impl Into<Label>,
        name: impl Into<Label>,
        status: Status,
        action: Action,
    ) -> Self {
        Self {
            service: service.into(),
            name: name.into(),
            status,
            reason: None,
            connection: None,
            account: None,
            since: None,
            last_used: None,
            tools: Vec::new(),
            permissions: Vec::new(),
            missing: Vec::new(),
            allow_more: None,
            action,
            disconnect: None,
            set_up: None,
        }
    }

    fn sentence(&self) -> &str {
        match &self.reason {
            Some(reason) => reason.as_str(),
            None => self.status.sentence(),
        }
    }

    /// Whether the permissions were granted, rather than will be asked for.
    const fn is_granted(&self) -> bool {
        matches!(self.status, Status::Active | Status::Expired)
    }
}

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
    /// How many of all services are [`Status::Active`].
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

    /// Six services, one in each status.
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

fn sample_cards() -> Vec<ServiceCard> {
    let now = Timestamp::from_unix(1_795_415_000);
    let ago = |seconds| {
        Some(When::new(
            Timestamp::from_unix(now.as_unix() - seconds),
            now,
        ))
    };
    vec![
        ServiceCard {
            reason: Some("Claude Code asked for it. It waits for you to agree at Tidepool.".into()),
            since: ago(120),
            tools: sample_tools(),
            permissions: sample_permissions(),
            ..ServiceCard::new(
                "tidepool",
                "Tidepool Calendar",
                Status::Waiting,
                Action::Finish("/connect/sample-ticket".to_owned()),
            )
        },
        ServiceCard {
            reason: Some(
                "Ledgerly ended this sign-in because the password was changed. Reconnect to go on."
                    .into(),
            ),
            connection: Some("con_ledgerly".into()),
            account: Some("ana@ledgerly.example".into()),
            since: ago(3 * 3_600),
            last_used: ago(5 * 3_600),
            tools: sample_tools(),
            permissions: sample_permissions(),
            disconnect: Some("/connections/con_ledgerly/disconnect".to_owned()),
            ..ServiceCard::new(
                "ledgerly",
                "Ledgerly",
                Status::Expired,
                Action::Reconnect("/services/ledgerly/connect".to_owned()),
            )
        },
        ServiceCard {
            connection: Some("con_courier".into()),
            account: Some("ana in Harbour Works".into()),
            since: ago(20),
            last_used: ago(5),
            tools: sample_tools(),
            permissions: sample_permissions(),
            missing: vec![Permission::new("files:write", "Upload files as you")],
            allow_more: Some("/services/courier/connect".to_owned()),
            ..ServiceCard::new(
                "courier",
                "Courier",
                Status::Active,
                Action::Disconnect("/connections/con_courier/disconnect".to_owned()),
            )
        },
        ServiceCard {
            connection: Some("con_courier_2".into()),
            account: Some("ana in Lighthouse Club".into()),
            since: ago(40 * 86_400),
            tools: sample_tools(),
            permissions: sample_permissions(),
            ..ServiceCard::new(
                "courier",
                "Courier",
                Status::Active,
                Action::Disconnect("/connections/con_courier_2/disconnect".to_owned()),
            )
        },
        ServiceCard {
            connection: Some("con_atlas".into()),
            account: Some("ana@atlas.example".into()),
            since: ago(9 * 86_400),
            tools: sample_tools(),
            ..ServiceCard::new(
                "atlas",
                "Atlas Docs",
                Status::Revoked,
                Action::ConnectAgain("/services/atlas/connect".to_owned()),
            )
        },
        ServiceCard {
            tools: sample_tools(),
            permissions: sample_permissions(),
            ..ServiceCard::new(
                "orchard",
                "Orchard CRM",
                Status::NotConnected,
                Action::Connect("/services/orchard/connect".to_owned()),
            )
        },
        ServiceCard {
            set_up: Some(SetUpHelp {
                redirect_url: "https://attache.example/oauth/callback/mosaic".into(),
                docs: WebAddress::parse("https://mosaic.example/developers/apps").ok(),
            }),
            ..ServiceCard::new("mosaic", "Mosaic", Status::NotSetUp, Action::Nothing)
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_word_on_a_card_that_tests_can_find() {
        let html = ConnectionsPage::sample().render().unwrap();
        for (service, status) in [
            ("tidepool", Status::Waiting),
            ("ledgerly", Status::Expired),
            ("courier", Status::Active),
            ("atlas", Status::Revoked),
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
}
