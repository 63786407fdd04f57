//! One card on the Connections page: how a service stands for the person who looks, and what can be done about it.

use crate::base::Timestamp;

use super::details::{sample_granted, sample_permissions, sample_tools};
use super::{GrantedPermission, Label, Permission, ToolLine, WebAddress, When};

/// How a service stands for the person who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Valid and ready.
    Active,
    /// Must be reconnected.
    Expired,
    /// What is stored of it cannot be read: it must be reconnected, or removed where not even its service is known.
    Damaged,
    /// Disconnected by hand.
    Revoked,
    /// Disconnected by hand, and not proven dead at the service yet.
    Revoking,
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
            Self::Damaged => "damaged",
            Self::Revoked => "revoked",
            Self::Revoking => "revoking",
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
            Self::Damaged => "Damaged",
            Self::Revoked => "Revoked",
            Self::Revoking => "Revoking",
            Self::NotConnected => "Not connected",
            Self::Waiting => "Waiting for you",
            Self::NotSetUp => "Not set up",
        }
    }

    /// What stands beside the word when the handler gives no reason of its own.
    const fn sentence(self) -> &'static str {
        match self {
            Self::Active => "Your agents can use it.",
            Self::Expired => "The service no longer accepts this sign-in. Reconnect to go on.",
            Self::Damaged => "What Attache stored for it was damaged or changed.",
            Self::Revoked => {
                "You disconnected it. Agents cannot use it until you connect it again."
            }
            Self::Revoking => {
                "Agents cannot use it any more. The service has still to end the access."
            }
            Self::NotConnected => "Connect your account, and your agents can use it for you.",
            Self::Waiting => "It has been started, and waits for you to agree at the service.",
            Self::NotSetUp => "Your administrator has to set it up before anyone can connect it.",
        }
    }

    /// What happened at [`ServiceCard::since`], before "5 minutes ago".
    pub(super) const fn since(self) -> &'static str {
        match self {
            Self::Active | Self::Damaged => "Connected",
            Self::Expired => "Expired",
            Self::Revoked | Self::Revoking => "Disconnected",
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
    /// Goes to the page that asks before it removes what cannot be read: a link to this path.
    Remove(String),
    /// Nothing can be done from here.
    Nothing,
}

/// How long a connection that works will last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing says that it will end.
    Unknown,
    /// It renews itself.
    RenewsItself,
    /// It ends, and there is time.
    Ends(When),
    /// It ends soon: the person should connect it again before.
    EndsSoon {
        /// When.
        at: When,
        /// Why, in a sentence.
        why: Label,
        /// The path that connects it again: a POST; none where nobody can.
        reconnect: Option<String>,
    },
}

/// Whether agents use an account when they name none. Paths are on this gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// There is nothing to choose: it is the only one, or of no use.
    #[default]
    None,
    /// It is not the default and may become it: a POST to this path.
    Possible(String),
    /// It is the default and may cease to be: a POST to this path.
    Made(String),
}

/// What the administrator needs to set a service up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetUpHelp {
    /// The redirect URL to enter at the provider.
    pub redirect_url: Label,
    /// The provider's page that tells how to register.
    pub docs: Option<WebAddress>,
    /// What is filled in besides client ID and secret.
    pub settings: Vec<SettingLine>,
}

/// A setting of a service, with what stands around its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingLine {
    /// Its key in the configuration.
    pub key: Label,
    /// Its name.
    pub title: Label,
    /// What to fill in, in a sentence.
    pub description: Label,
    /// What stands before the value, such as `https://`; empty for nothing.
    pub prefix: Label,
    /// What stands behind it, such as `.example.com`; empty for nothing.
    pub suffix: Label,
    /// What it is when nothing is filled in; empty when it must be filled in.
    pub default: Label,
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
    /// Where the account works, when its name does not say so.
    pub workspace: Option<Label>,
    /// Whether agents use this account when they name none.
    pub choice: Choice,
    /// The path that connects a further account at the same service: a POST.
    pub another: Option<String>,
    /// Since when it stands so.
    pub since: Option<When>,
    /// How long it will last, for one that works.
    pub outlook: Outlook,
    /// When an agent last used it.
    pub last_used: Option<When>,
    /// The tools that agents get through it.
    pub tools: Vec<ToolLine>,
    /// For a service without a connection: what will be asked for.
    pub permissions: Vec<Permission>,
    /// What was granted, and whether it is used.
    pub granted: Vec<GrantedPermission>,
    /// What was asked for or granted once, and is not granted now.
    pub missing: Vec<Permission>,
    /// What other tools need and nobody has asked for yet.
    pub unasked: Vec<Permission>,
    /// The path that asks the service for all permissions that tools need: a POST.
    pub allow_more: Option<String>,
    /// The path that asks the service for what is used alone: a POST.
    pub allow_less: Option<String>,
    /// The main thing to do.
    pub action: Action,
    /// The path of the page that disconnects, for a connection whose main action is another: someone who lost access
    /// can still disconnect. Once that was done, the page of its receipt.
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
            workspace: None,
            choice: Choice::None,
            another: None,
            since: None,
            outlook: Outlook::Unknown,
            last_used: None,
            tools: Vec::new(),
            permissions: Vec::new(),
            granted: Vec::new(),
            missing: Vec::new(),
            unasked: Vec::new(),
            allow_more: None,
            allow_less: None,
            action,
            disconnect: None,
            set_up: None,
        }
    }

    pub(super) fn sentence(&self) -> &str {
        match &self.reason {
            Some(reason) => reason.as_str(),
            None => self.status.sentence(),
        }
    }

    /// Whether there is anything to say about times.
    pub(super) const fn has_facts(&self) -> bool {
        let outlook = matches!(self.outlook, Outlook::RenewsItself | Outlook::Ends(_));
        self.since.is_some() || self.last_used.is_some() || outlook
    }

    /// Whether [`ServiceCard::disconnect`] leads to a receipt.
    pub(super) const fn has_receipt(&self) -> bool {
        matches!(self.status, Status::Revoked | Status::Revoking)
    }

    /// Whether there is anything to say about permissions.
    pub(super) const fn has_permissions(&self) -> bool {
        !(self.permissions.is_empty()
            && self.granted.is_empty()
            && self.missing.is_empty()
            && self.unasked.is_empty())
    }

    /// How many permissions the list of scopes begins with.
    pub(super) const fn scope_count(&self) -> usize {
        self.permissions.len() + self.granted.len()
    }
}

/// One that was disconnected three minutes ago, and that the service has still to end.
fn sample_revoking(since: Option<When>) -> ServiceCard {
    ServiceCard {
        connection: Some("con_foundry".into()),
        account: Some("ana@foundry.example".into()),
        since,
        disconnect: Some("/connections/con_foundry/disconnect".to_owned()),
        ..ServiceCard::new("foundry", "Foundry CI", Status::Revoking, Action::Nothing)
    }
}

/// Eight cards, every status among them, and two accounts at one service.
pub(super) fn sample_cards() -> Vec<ServiceCard> {
    let now = Timestamp::from_unix(1_795_415_000);
    let ago = |seconds| Some(before(now, seconds));
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
            granted: sample_granted(now),
            disconnect: Some("/connections/con_ledgerly/disconnect".to_owned()),
            ..ServiceCard::new(
                "ledgerly",
                "Ledgerly",
                Status::Expired,
                Action::Reconnect("/services/ledgerly/connect".to_owned()),
            )
        },
        ServiceCard {
            connection: Some("con_unknown".into()),
            reason: Some(crate::gateway::DamagedConnection::sentence().into()),
            ..ServiceCard::new(
                "unknown",
                "Unknown service",
                Status::Damaged,
                Action::Remove("/connections/con_unknown/remove".to_owned()),
            )
        },
        sample_default(now),
        sample_second(now),
        ServiceCard {
            connection: Some("con_atlas".into()),
            account: Some("ana@atlas.example".into()),
            since: ago(9 * 86_400),
            tools: sample_tools(),
            disconnect: Some("/connections/con_atlas/disconnect".to_owned()),
            ..ServiceCard::new(
                "atlas",
                "Atlas Docs",
                Status::Revoked,
                Action::ConnectAgain("/services/atlas/connect".to_owned()),
            )
        },
        sample_revoking(ago(180)),
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
                settings: vec![SettingLine {
                    key: "services.mosaic.variables.studio".into(),
                    title: "Studio".into(),
                    description: "The first part of your address.".into(),
                    prefix: "https://".into(),
                    suffix: ".mosaic.example".into(),
                    default: Label::default(),
                }],
            }),
            ..ServiceCard::new("mosaic", "Mosaic", Status::NotSetUp, Action::Nothing)
        },
    ]
}

/// The account that is used by default.
fn sample_default(now: Timestamp) -> ServiceCard {
    ServiceCard {
        connection: Some("con_courier".into()),
        account: Some("ana".into()),
        workspace: Some("Harbour Works".into()),
        choice: Choice::Made("/connections/con_courier/no-default".to_owned()),
        another: Some("/services/courier/connect".to_owned()),
        reason: Some("Your agents use it unless they name another account.".into()),
        since: Some(before(now, 20)),
        last_used: Some(before(now, 5)),
        tools: sample_tools(),
        granted: sample_granted(now),
        outlook: Outlook::RenewsItself,
        missing: vec![Permission::new("files:write", "Upload files as you")],
        unasked: vec![Permission::new("users:write", "Change your profile")],
        allow_more: Some("/connections/con_courier/reconnect?allow=everything".to_owned()),
        allow_less: Some("/connections/con_courier/reconnect?allow=less".to_owned()),
        ..ServiceCard::new(
            "courier",
            "Courier",
            Status::Active,
            Action::Disconnect("/connections/con_courier/disconnect".to_owned()),
        )
    }
}

/// Another account at the same service.
fn sample_second(now: Timestamp) -> ServiceCard {
    ServiceCard {
        connection: Some("con_courier_2".into()),
        account: Some("ana".into()),
        workspace: Some("Lighthouse Club".into()),
        choice: Choice::Possible("/connections/con_courier_2/default".to_owned()),
        reason: Some("Your agents use it when they name it.".into()),
        since: Some(before(now, 40 * 86_400)),
        outlook: Outlook::EndsSoon {
            at: When::new(Timestamp::from_unix(now.as_unix() + 5 * 86_400), now),
            why: "The service ends every connection after a while, however often it is renewed."
                .into(),
            reconnect: Some("/connections/con_courier_2/reconnect?allow=same".to_owned()),
        },
        tools: sample_tools(),
        granted: sample_granted(now),
        unasked: vec![Permission::new("users:write", "Change your profile")],
        allow_more: Some("/connections/con_courier_2/reconnect?allow=everything".to_owned()),
        ..ServiceCard::new(
            "courier",
            "Courier",
            Status::Active,
            Action::Disconnect("/connections/con_courier_2/disconnect".to_owned()),
        )
    }
}

fn before(now: Timestamp, seconds: i64) -> When {
    let then = Timestamp::from_unix(now.as_unix() - seconds);
    When::new(then, now)
}
