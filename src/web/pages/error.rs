//! The page for when something did not work: what happened, what to do, and a number to quote.

use askama::Template;

use super::{HOME_PATH, Label, Layout};

/// What went wrong, as far as the reader can do something about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The link was made for someone else than who is signed in.
    WrongPerson,
    /// The link is too old.
    LinkExpired,
    /// The link has done its work already.
    LinkUsed,
    /// The person said no at the service.
    Cancelled {
        /// The service's name.
        service: Label,
    },
    /// The service wants an administrator's consent first.
    NeedsApproval {
        /// The service's name.
        service: Label,
    },
    /// The service does not accept the redirect URL that Attache gave.
    WrongRedirect {
        /// The service's name.
        service: Label,
        /// The redirect URL that has to be registered there.
        redirect_url: Label,
    },
    /// The person came back too late, twice, or in another browser: what was started is not there any more.
    StateExpired,
    /// The service answered something that does not belong to what was asked, so nothing was connected.
    Untrusted {
        /// The service's name.
        service: Label,
    },
    /// The service refused, with its reason.
    Refused {
        /// The service's name.
        service: Label,
        /// The service's own words.
        reason: Label,
    },
    /// The service could not be reached or failed.
    ProviderDown {
        /// The service's name.
        service: Label,
    },
    /// The form came from another site or from a page that is too old.
    StaleForm,
    /// There is nothing at this address.
    NotFound,
    /// Too many requests.
    TooMany,
    /// Something failed on our side.
    Internal,
}

impl Problem {
    fn title(&self) -> String {
        match self {
            Self::WrongPerson => "This link is for someone else".to_owned(),
            Self::LinkExpired => "This link has expired".to_owned(),
            Self::LinkUsed => "This link has been used".to_owned(),
            Self::Cancelled { service } => format!("{service} is not connected"),
            Self::NeedsApproval { service } => format!("{service} needs an administrator"),
            Self::WrongRedirect { service, .. } => format!("{service} is not set up correctly"),
            Self::StateExpired => "We lost track of this connection".to_owned(),
            Self::Untrusted { service } => format!("The answer from {service} did not fit"),
            Self::Refused { service, .. } => format!("{service} said no"),
            Self::ProviderDown { service } => format!("{service} does not answer"),
            Self::StaleForm => "This page was too old".to_owned(),
            Self::NotFound => "There is nothing here".to_owned(),
            Self::TooMany => "That was a little too fast".to_owned(),
            Self::Internal => "Something went wrong on our side".to_owned(),
        }
    }

    fn happened(&self) -> String {
        match self {
            Self::WrongPerson => {
                "The link was made for another person than the one who is signed in here, so nothing was connected."
                    .to_owned()
            }
            Self::LinkExpired => "Links like this work for a few minutes only.".to_owned(),
            Self::LinkUsed => {
                "Each link works once, and this one has already done its work.".to_owned()
            }
            Self::Cancelled { service } => {
                format!("You did not allow it at {service}, so nothing was connected.")
            }
            Self::NeedsApproval { service } => {
                format!("Your organisation lets only administrators allow new apps at {service}.")
            }
            Self::WrongRedirect { service, .. } => {
                format!("{service} does not know the address to which it should send you back.")
            }
            Self::StateExpired => {
                "It took too long, the page was opened twice, or you came back in another browser. Nothing was connected."
                    .to_owned()
            }
            Self::Untrusted { service } => {
                format!("What came back was not what we asked {service} for. To keep you safe, nothing was connected.")
            }
            Self::Refused { service, reason } => {
                format!("{service} refused to connect. Its reason: {reason}")
            }
            Self::ProviderDown { service } => {
                format!("{service} could not be reached, or had a problem of its own. Nothing was changed.")
            }
            Self::StaleForm => {
                "The button you pressed belonged to a page from an earlier sign-in, so nothing was done.".to_owned()
            }
            Self::NotFound => {
                "The address may be mistyped, or what was here has been removed.".to_owned()
            }
            Self::TooMany => "There were too many requests in a short time.".to_owned(),
            Self::Internal => "It is not your fault. The details are in the log.".to_owned(),
        }
    }

    fn remedy(&self) -> String {
        match self {
            Self::WrongPerson => {
                "If you asked for it, sign out, sign in as yourself and open the link again. If someone sent it to you, \
                 close this page: it would have connected your account for them."
                    .to_owned()
            }
            Self::LinkExpired => {
                "Ask your agent again, and it gives you a new one. Or connect from the connections page.".to_owned()
            }
            Self::LinkUsed => "Look at your connections: it is probably connected.".to_owned(),
            Self::Cancelled { .. } => {
                "If that was a slip, try again. Otherwise there is nothing to do.".to_owned()
            }
            Self::NeedsApproval { service } => {
                format!("Ask the person who looks after {service} in your organisation to approve this app, then try again.")
            }
            Self::WrongRedirect { redirect_url, .. } => {
                format!("Your administrator can mend this by registering this address there: {redirect_url}")
            }
            Self::StateExpired => "Start once more, and stay in this browser.".to_owned(),
            Self::Untrusted { .. } => {
                "Start once more from your connections. If it happens again, tell your administrator.".to_owned()
            }
            Self::Refused { .. } => {
                "Try again. If it stays like this, show this page to your administrator.".to_owned()
            }
            Self::StaleForm => "Go back, load the page again and press the button once more.".to_owned(),
            Self::NotFound => "Your connections are a good place to go on from.".to_owned(),
            Self::ProviderDown { .. } | Self::TooMany => {
                "Wait a minute, then try again.".to_owned()
            }
            Self::Internal => {
                "Try again. If it happens again, give your administrator the number below.".to_owned()
            }
        }
    }
}

/// The button that leads on. Paths are on this gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// A link.
    Link {
        /// What stands on it.
        text: Label,
        /// Where it goes.
        path: String,
    },
    /// A POST, for signed-in people only: the form carries their token.
    Form {
        /// What stands on the button.
        text: Label,
        /// Where it goes.
        path: String,
    },
}

/// The error page.
#[derive(Clone, Template)]
#[template(path = "error.html", config = "src/web/askama.toml")]
pub struct ErrorPage {
    /// The frame.
    pub layout: Layout,
    /// What went wrong.
    pub problem: Problem,
    /// The button that leads on, beside the link to the connections that signed-in people always get.
    pub way_out: Option<WayOut>,
    /// What to quote: it stands in the log too.
    pub request_id: Label,
}

impl ErrorPage {
    /// Whether the usual link home is worth its place.
    fn links_home(&self) -> bool {
        let is_home = matches!(&self.way_out, Some(WayOut::Link { path, .. }) if path == HOME_PATH);
        self.layout.viewer.is_some() && !is_home
    }

    /// An expired link.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            layout: Layout::sample(),
            problem: Problem::LinkExpired,
            way_out: Some(WayOut::Form {
                text: "Make a new link".into(),
                path: "/connect/sample-ticket/again".to_owned(),
            }),
            request_id: "req_7f3k2m9q".into(),
        }
    }

    /// Every problem there is, each with its name, as the handlers would show it.
    #[must_use]
    pub fn samples() -> Vec<(&'static str, Self)> {
        let service = || Label::new("Courier");
        let again = || {
            Some(WayOut::Form {
                text: "Try again".into(),
                path: "/services/courier/connect".to_owned(),
            })
        };
        let problems = [
            ("wrong-person", Problem::WrongPerson, None),
            ("link-expired", Problem::LinkExpired, Self::sample().way_out),
            ("link-used", Problem::LinkUsed, None),
            (
                "cancelled",
                Problem::Cancelled { service: service() },
                again(),
            ),
            (
                "needs-approval",
                Problem::NeedsApproval { service: service() },
                again(),
            ),
            (
                "wrong-redirect",
                Problem::WrongRedirect {
                    service: service(),
                    redirect_url: "https://attache.example/oauth/callback/courier".into(),
                },
                None,
            ),
            ("state-expired", Problem::StateExpired, None),
            ("untrusted", Problem::Untrusted { service: service() }, None),
            (
                "refused",
                Problem::Refused {
                    service: service(),
                    reason: "This workspace is suspended.".into(),
                },
                again(),
            ),
            (
                "provider-down",
                Problem::ProviderDown { service: service() },
                again(),
            ),
            ("stale-form", Problem::StaleForm, None),
            ("not-found", Problem::NotFound, None),
            ("too-many", Problem::TooMany, None),
            ("internal", Problem::Internal, None),
        ];
        problems
            .into_iter()
            .map(|(name, problem, way_out)| {
                let page = Self {
                    problem,
                    way_out,
                    ..Self::sample()
                };
                (name, page)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_says_what_happened_what_to_do_and_what_to_quote() {
        for (name, page) in ErrorPage::samples() {
            let html = page.render().unwrap();
            assert!(html.contains("id=\"error\""), "{name}");
            assert!(html.contains("req_7f3k2m9q"), "{name}");
            for text in [page.problem.happened(), page.problem.remedy()] {
                assert!(
                    text.ends_with('.') || text.contains("http"),
                    "{name}: {text}"
                );
                assert!(html.contains(&text), "{name}: {text}");
            }
        }
    }

    #[test]
    fn the_words_are_for_people() {
        for (name, page) in ErrorPage::samples() {
            let problem = page.problem;
            let words = [problem.title(), problem.happened(), problem.remedy()]
                .join(" ")
                .to_lowercase();
            for jargon in [
                "oauth", "token", "scope", "csrf", "invalid", "redirect", "http 4",
            ] {
                let said = words.replace("https://attache.example/oauth/callback/courier", "");
                assert!(!said.contains(jargon), "{name}: {jargon}");
            }
        }
    }

    #[test]
    fn a_stranger_gets_no_way_home_and_nobody_gets_two() {
        let home = "id=\"home\"";
        let stranger = ErrorPage {
            layout: Layout::signed_out(),
            way_out: None,
            ..ErrorPage::sample()
        };
        assert!(!stranger.render().unwrap().contains(home));
        let pointed = ErrorPage {
            way_out: Some(WayOut::Link {
                text: "See your connections".into(),
                path: HOME_PATH.to_owned(),
            }),
            ..ErrorPage::sample()
        };
        assert!(!pointed.render().unwrap().contains(home));
        assert!(ErrorPage::sample().render().unwrap().contains(home));
    }
}
