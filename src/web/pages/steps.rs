//! The page behind a connect link that asks for several services.

use askama::Template;

use super::details::{sample_permissions, sample_tools};
use super::{Label, Layout, Permission, ToolLine, When};
use crate::base::Timestamp;

/// Several services as steps: which are done, and a way on for each that is not. Looking changes nothing.
#[derive(Clone, Template)]
#[template(path = "steps.html", config = "src/web/askama.toml")]
pub struct StepsPage {
    /// The frame, with the person whom the link was made for.
    pub layout: Layout,
    /// The agent that asked.
    pub agent: Label,
    /// When it asked.
    pub asked: When,
    /// Until when the link works.
    pub valid_until: When,
    /// The services, in the order in which they were asked for.
    pub steps: Vec<ConnectStep>,
}

/// One service to connect.
#[derive(Clone)]
pub struct ConnectStep {
    /// The service's name.
    pub service: Label,
    /// The host that the person will be sent to, to be compared with the address bar there.
    pub host: Label,
    /// What the service will be asked to allow.
    pub permissions: Vec<Permission>,
    /// The tools that agents get.
    pub tools: Vec<ToolLine>,
    /// The account that is connected, or was before.
    pub account: Option<Label>,
    /// It is connected.
    pub done: bool,
    /// Where "Continue" sends its POST.
    pub action: String,
}

impl StepsPage {
    fn left(&self) -> usize {
        self.steps.iter().filter(|step| !step.done).count()
    }

    /// The first step that is not done: its button is the main one.
    fn is_next(&self, at: usize) -> bool {
        self.steps.iter().position(|step| !step.done) == Some(at)
    }

    /// One of three steps is done.
    #[must_use]
    pub fn sample() -> Self {
        let now = Timestamp::from_unix(1_795_415_000);
        let at = |seconds| When::new(Timestamp::from_unix(now.as_unix() + seconds), now);
        let step = |service: &str, host: &str, account: Option<&str>, done| ConnectStep {
            service: service.into(),
            host: host.into(),
            permissions: sample_permissions(),
            tools: sample_tools(),
            account: account.map(Into::into),
            done,
            action: "/connect/sample-ticket?service=sample".to_owned(),
        };
        Self {
            layout: Layout::sample(),
            agent: "Claude Code".into(),
            asked: at(-70),
            valid_until: at(540),
            steps: vec![
                step(
                    "Courier",
                    "courier.example",
                    Some("ana@courier.example"),
                    true,
                ),
                step("Harbour", "harbour.example", None, false),
                step("Ledger", "ledger.example", Some("ana in Accounts"), false),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_says_where_it_leads_or_that_it_is_done() {
        let html = StepsPage::sample().render().unwrap();
        for part in [
            "Connect 3 services",
            "1 of 3 done",
            "as <bdi>ana@courier.example</bdi>",
            "Continue to harbour.example",
            "Continue to ledger.example",
            "ana in Accounts",
        ] {
            assert!(html.contains(part), "{part}");
        }
        assert!(!html.contains("Continue to courier.example"));
        assert_eq!(html.matches("class=\"main\"").count(), 1, "one main action");
    }

    #[test]
    fn when_all_is_done_nothing_is_left_to_press() {
        let mut page = StepsPage::sample();
        for step in &mut page.steps {
            step.done = true;
        }
        let html = page.render().unwrap();
        assert!(html.contains("return to") && !html.contains("Continue to"));
    }
}
