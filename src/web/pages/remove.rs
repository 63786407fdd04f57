//! Removing a connection that cannot be read: the question before, and what was done after.

use askama::Template;

use super::{Label, Layout};

/// Names the effect and asks.
#[derive(Clone, Template)]
#[template(path = "remove.html", config = "src/web/askama.toml")]
pub struct RemovePage {
    /// The frame.
    pub layout: Layout,
    /// The connection's identifier: all that is known of it.
    pub connection: Label,
    /// Where "Remove" sends its POST.
    pub action: String,
}

impl RemovePage {
    /// The page as it always is.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::sample(),
            connection: "con_mfrggzdfmztwq2lk".into(),
            action: "/connections/con_mfrggzdfmztwq2lk/remove".to_owned(),
        }
    }
}

/// It is removed, and what is left to do.
#[derive(Clone, Template)]
#[template(path = "removed.html", config = "src/web/askama.toml")]
pub struct RemovedPage {
    /// The frame.
    pub layout: Layout,
    /// The connection's identifier.
    pub connection: Label,
}

impl RemovedPage {
    /// The page as it always is.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::sample(),
            connection: "con_mfrggzdfmztwq2lk".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_can_be_left_and_the_answer_claims_no_more_than_was_done() {
        let html = RemovePage::sample().render().unwrap();
        let form = "<form method=\"post\" action=\"/connections/con_mfrggzdfmztwq2lk/remove\">";
        assert!(html.contains(form) && html.contains("id=\"keep\" href=\"/connections\""));
        let removed = RemovedPage::sample().render().unwrap();
        assert!(
            removed.contains("data-at-provider=\"not_told\"") && !removed.contains("has ended")
        );
    }
}
