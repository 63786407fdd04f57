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
    /// Another account that agents used until now; it stays connected.
    pub previous_account: Option<Label>,
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
            previous_account: None,
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

    /// Another account than before, and fewer permissions than asked for.
    #[must_use]
    pub fn sample_with_less() -> Self {
        Self {
            previous_account: Some("office@courier.example".into()),
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
    fn it_says_when_less_was_granted_or_another_account_was_there() {
        let html = ConnectedPage::sample_with_less().render().unwrap();
        assert!(html.contains("office@courier.example"));
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
