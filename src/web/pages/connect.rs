//! The page behind a connect link, and the page that sends the browser on.

use askama::Template;

use crate::base::Timestamp;

use super::details::{sample_permissions, sample_tools};
use super::{Label, Layout, Permission, ToolLine, WebAddress, When};

/// What a person sees who opens a connect link: who asks, for what, and where one will be sent. Looking changes nothing
/// (chat programs open links to preview them).
#[derive(Clone, Template)]
#[template(path = "connect.html", config = "src/web/askama.toml")]
pub struct ConnectPage {
    /// The frame, with the person whom the link was made for.
    pub layout: Layout,
    /// The agent that asked; `None` when the person herself began on the Connections page.
    pub agent: Option<Label>,
    /// The tool that the agent called.
    pub tool: Option<ToolLine>,
    /// When it asked.
    pub asked: When,
    /// The service's name.
    pub service: Label,
    /// The host that the person will be sent to, to be compared with the address bar there.
    pub host: Label,
    /// What the service will be asked to allow.
    pub permissions: Vec<Permission>,
    /// The tools that agents get.
    pub tools: Vec<ToolLine>,
    /// How many tools the service has besides, which ask for more first.
    pub other_tools: usize,
    /// The account that is or was connected before, as its label.
    pub previous_account: Option<Label>,
    /// Until when the link works.
    pub valid_until: When,
    /// Where "Continue" sends its POST: the ticket's own path.
    pub action: String,
}

impl ConnectPage {
    fn looking(&self) -> usize {
        self.tools.iter().filter(|tool| tool.read_only).count()
    }

    fn changing(&self) -> usize {
        self.tools.len() - self.looking()
    }

    /// An agent that wants to post a message.
    #[must_use]
    pub fn sample() -> Self {
        let now = Timestamp::from_unix(1_795_415_000);
        let at = |seconds| When::new(Timestamp::from_unix(now.as_unix() + seconds), now);
        Self {
            layout: Layout::sample(),
            agent: Some("Claude Code".into()),
            tool: Some(ToolLine::new(
                "courier_post_message",
                "Post a message",
                false,
            )),
            asked: at(-70),
            service: "Courier".into(),
            host: "courier.example".into(),
            permissions: sample_permissions(),
            tools: sample_tools(),
            other_tools: 2,
            previous_account: None,
            valid_until: at(540),
            action: "/connect/sample-ticket".to_owned(),
        }
    }

    /// A person who reconnects from the Connections page.
    #[must_use]
    pub fn sample_reconnect() -> Self {
        Self {
            agent: None,
            tool: None,
            previous_account: Some("ana in Harbour Works".into()),
            ..Self::sample()
        }
    }
}

/// The answer to "Continue": a page that sends the browser on by itself, and a link for when it does not.
///
/// It is a page, not a redirect, because Chromium applies the `form-action` of the page that held the form to every
/// redirect after the POST, and the other site is not in it.
#[derive(Clone, Template)]
#[template(path = "continue.html", config = "src/web/askama.toml")]
pub struct ContinuePage {
    /// The frame.
    pub layout: Layout,
    /// The service's name, or the issuer's.
    pub service: Label,
    /// What happens there.
    pub lead: &'static str,
    /// The authorization URL.
    pub destination: WebAddress,
}

impl ContinuePage {
    /// What happens at a service that is being connected.
    pub const AGREES: &str = "You will be asked there whether you agree, and then come back here.";
    /// What happens at the issuer that people sign in with.
    pub const SIGNS_IN: &str = "You sign in there, and then come back here.";

    /// On the way to a made-up service.
    ///
    /// # Panics
    /// Never: the address is a literal.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::sample(),
            service: "Courier".into(),
            lead: Self::AGREES,
            destination: WebAddress::parse(
                "https://courier.example/authorize?client_id=attache&state=sample&scope=chat%3Awrite",
            )
            .expect("a literal address"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_page_says_who_asks_for_what_and_where_one_will_go() {
        let html = ConnectPage::sample().render().unwrap();
        for part in [
            "Claude Code",
            "Post a message",
            "1 minute ago",
            "Ana Ferreira",
            "Continue to courier.example",
            "Post messages as you",
            "in 9 minutes",
        ] {
            assert!(html.contains(part), "{part}");
        }
        assert!(html.contains("<form method=\"post\" action=\"/connect/sample-ticket\">"));
        assert!(html.contains("id=\"continue\"") && html.contains("id=\"not-now\""));
    }

    #[test]
    fn permissions_of_several_products_stand_under_their_names() {
        let mut page = ConnectPage::sample();
        page.permissions = vec![
            Permission::new("openid", "See who you are"),
            Permission::new("mail.read", "See your mail").of("Post"),
            Permission::new("mail.send", "Send mail as you").of("Post"),
            Permission::new("days", "See your days").of("<b>Days</b>"),
        ];
        let html = page.render().unwrap();
        let asks = html.split_once("id=\"asks\"").unwrap().1;
        let asks = asks.split_once("</section>").unwrap().0;
        let words: Vec<&str> = asks
            .split('\n')
            .filter(|line| line.contains("<h3>") || line.contains("<li>"))
            .collect();
        let expected = [
            "<li>See who you are</li>",
            "<h3>Post</h3>",
            "<li>See your mail</li>",
            "<li>Send mail as you</li>",
            "<h3>&#60;b&#62;Days&#60;/b&#62;</h3>",
            "<li>See your days</li>",
        ];
        assert_eq!(words, expected);
        assert!(
            html.contains("<p class=\"of-product\">Post</p>"),
            "the scopes too"
        );
    }

    #[test]
    fn someone_who_reconnects_is_told_which_account_it_was() {
        let html = ConnectPage::sample_reconnect().render().unwrap();
        assert!(html.contains("ana in Harbour Works") && !html.contains("Claude Code"));
    }

    #[test]
    fn the_way_on_is_the_same_by_itself_and_by_hand() {
        let html = ContinuePage::sample().render().unwrap();
        let escaped = "https://courier.example/authorize?client_id=attache&#38;state=sample&#38;scope=chat%3Awrite";
        assert!(html.contains(&format!(
            "<meta http-equiv=\"refresh\" content=\"0; url={escaped}\">"
        )));
        assert!(html.contains(&format!("href=\"{escaped}\" rel=\"noreferrer\"")));
    }
}
