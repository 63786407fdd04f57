//! The page after the service has sent the person back.

use askama::Template;

use super::details::sample_permissions;
use super::{Label, Layout, Permission, ToolLine};

/// Says which account is connected now, and that one may go back to the agent.
#[derive(Clone, Template)]
#[template(path = "connected.html", config = "src/web/askama.toml")]
pub struct ConnectedPage {
    /// The frame.
    pub layout: Layout,
    /// The service's name.
    pub service: Label,
    /// The account at the service; `None` when the service does not tell.
    pub account: Option<Label>,
    /// The agent that waits; `None` when the person herself began on the Connections page.
    pub agent: Option<Label>,
    /// What the link that was used asks for besides.
    pub next: Option<NextStep>,
    /// It came to accounts that were connected before.
    pub second: Option<SecondAccount>,
    /// Another account was to be connected again and was not.
    pub still_expired: Option<StillExpired>,
    /// What was granted.
    pub granted: Vec<Permission>,
    /// What was asked for and not granted.
    pub missing: Vec<Permission>,
    /// The tools that do not work without what was not granted.
    pub blocked: Vec<ToolLine>,
    /// What was granted beyond what was asked for: what the person had allowed before.
    pub beyond: Vec<Permission>,
    /// The path that asks for the missing permissions again: a POST.
    pub allow_more: Option<String>,
}

/// The steps of a connect link that are left.
#[derive(Clone, Debug)]
pub struct NextStep {
    /// The path of the link's page.
    pub path: String,
    /// The names of the services. Never empty.
    pub services: Vec<Label>,
}

/// An account that came to others at the same service and replaces none of them.
#[derive(Clone, Debug)]
pub struct SecondAccount {
    /// The others. Never empty.
    pub others: Vec<Label>,
    /// Which of them agents use when they name none.
    pub by_default: UsedByDefault,
    /// The path that makes the new one the default: a POST.
    pub make_default: String,
}

/// Which account agents use when they name none.
#[derive(Clone, Debug)]
pub enum UsedByDefault {
    /// None: they must name one.
    Nothing,
    /// The one that was just connected.
    This,
    /// Another.
    Other(Label),
}

/// An account that still must be connected again.
#[derive(Clone, Debug)]
pub struct StillExpired {
    /// The account.
    pub account: Label,
    /// The path that connects it again: a POST.
    pub reconnect: String,
}

impl ConnectedPage {
    /// Everything went as asked.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::sample(),
            service: "Courier".into(),
            account: Some("ana@courier.example".into()),
            agent: Some("Claude Code".into()),
            next: None,
            second: None,
            still_expired: None,
            granted: sample_permissions(),
            missing: Vec::new(),
            blocked: Vec::new(),
            beyond: Vec::new(),
            allow_more: None,
        }
    }

    /// The first of three steps.
    #[must_use]
    pub fn sample_with_more_to_do() -> Self {
        Self {
            next: Some(NextStep {
                path: "/connect/sample-ticket".to_owned(),
                services: vec!["Harbour".into(), "Ledger".into()],
            }),
            ..Self::sample()
        }
    }

    /// A second account, without a default.
    #[must_use]
    pub fn sample_second() -> Self {
        Self {
            second: Some(SecondAccount {
                others: vec!["office@courier.example".into()],
                by_default: UsedByDefault::Nothing,
                make_default: "/connections/con_courier_2/default".to_owned(),
            }),
            ..Self::sample()
        }
    }

    /// Another account than the one that was to be connected again.
    #[must_use]
    pub fn sample_other() -> Self {
        Self {
            still_expired: Some(StillExpired {
                account: "office@courier.example".into(),
                reconnect: "/services/courier/connect?again=con_courier".to_owned(),
            }),
            ..Self::sample_second()
        }
    }

    /// Fewer permissions than asked for.
    #[must_use]
    pub fn sample_with_less() -> Self {
        Self {
            missing: vec![Permission::new("files:write", "Upload files as you")],
            blocked: vec![ToolLine::new("courier_upload", "Upload a file", false)],
            allow_more: Some("/connections/con_courier/reconnect?allow=refused".to_owned()),
            ..Self::sample()
        }
    }

    /// The service keeps what it was allowed before.
    #[must_use]
    pub fn sample_with_more_than_asked() -> Self {
        Self {
            agent: None,
            beyond: vec![Permission::new("chat:write", "Post messages as you")],
            ..Self::sample()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_account_and_the_agent_that_waits() {
        let html = ConnectedPage::sample().render().unwrap();
        assert!(html.contains("id=\"connected\""));
        assert!(html.contains("ana@courier.example") && html.contains("Claude Code"));
        assert!(!html.contains("not allowed") && !html.contains("instead of"));
    }

    #[test]
    fn the_next_step_is_one_click_away() {
        let html = ConnectedPage::sample_with_more_to_do().render().unwrap();
        assert!(html.contains("href=\"/connect/sample-ticket\""));
        assert!(
            html.contains("Harbour") && html.contains("2 more services"),
            "{html}"
        );
        assert!(!html.contains("You can close this tab"));
    }

    #[test]
    fn a_second_account_is_called_one_and_can_become_the_default() {
        let html = ConnectedPage::sample_second().render().unwrap();
        assert!(html.contains("a second account") && html.contains("office@courier.example"));
        assert!(html.contains("action=\"/connections/con_courier_2/default\""));
        let page = |by_default| {
            let mut page = ConnectedPage::sample_second();
            page.second.as_mut().unwrap().by_default = by_default;
            page.render().unwrap()
        };
        let other = page(UsedByDefault::Other("office@courier.example".into()));
        assert!(other.contains("go on using") && other.contains("id=\"make-default\""));
        assert!(!page(UsedByDefault::This).contains("id=\"make-default\""));
    }

    #[test]
    fn an_account_that_is_still_expired_is_named_with_a_way_to_mend_it() {
        let html = ConnectedPage::sample_other().render().unwrap();
        assert!(html.contains("is still expired"));
        assert!(html.contains("action=\"/services/courier/connect?again=con_courier\""));
    }

    #[test]
    fn it_says_when_less_was_granted() {
        let html = ConnectedPage::sample_with_less().render().unwrap();
        assert!(html.contains("Upload files as you") && html.contains("Allow more"));
        assert!(
            html.contains("Upload a file"),
            "the tool that will not work"
        );
    }

    #[test]
    fn it_says_when_a_service_keeps_what_was_allowed_before() {
        let html = ConnectedPage::sample_with_more_than_asked()
            .render()
            .unwrap();
        assert!(html.contains("id=\"beyond\""), "{html}");
        assert!(!ConnectedPage::sample().render().unwrap().contains("beyond"));
    }

    #[test]
    fn a_service_that_tells_no_account_and_no_waiting_agent_still_read_well() {
        let page = ConnectedPage {
            account: None,
            agent: None,
            ..ConnectedPage::sample()
        };
        let html = page.render().unwrap();
        assert!(html.contains("is connected") && !html.contains("connected as"));
        assert!(!html.contains("return to"));
    }
}
