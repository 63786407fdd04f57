//! The page for when something did not work: what happened, what to do, and a number to quote.

use askama::Template;

use super::{HOME_PATH, Label, Layout, Problem, SIGN_IN_PATH};

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
            (
                "nothing-reached",
                Problem::NothingReached { service: service() },
                again(),
            ),
            ("stale-form", Problem::StaleForm, None),
            ("not-found", Problem::NotFound, None),
            ("too-many", Problem::TooMany, None),
            ("disk-full", Problem::DiskFull, None),
            ("internal", Problem::Internal, None),
        ];
        problems
            .into_iter()
            .chain(sign_in_problems())
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

/// What can go wrong while somebody signs in with an issuer.
fn sign_in_problems() -> [(&'static str, Problem, Option<WayOut>); 7] {
    let issuer = || Label::new("Acme ID");
    let sign_in = || {
        Some(WayOut::Link {
            text: "Back to sign-in".into(),
            path: SIGN_IN_PATH.to_owned(),
        })
    };
    [
        (
            "sign-in-cancelled",
            Problem::SignInCancelled { issuer: issuer() },
            sign_in(),
        ),
        ("sign-in-lost", Problem::SignInLost, sign_in()),
        (
            "sign-in-untrusted",
            Problem::SignInUntrusted { issuer: issuer() },
            sign_in(),
        ),
        (
            "sign-in-refused",
            Problem::SignInRefused {
                issuer: issuer(),
                reason: "temporarily_unavailable".into(),
            },
            sign_in(),
        ),
        (
            "sign-in-down",
            Problem::SignInDown { issuer: issuer() },
            sign_in(),
        ),
        (
            "sign-in-clocks",
            Problem::SignInClocks { issuer: issuer() },
            sign_in(),
        ),
        (
            "not-a-member",
            Problem::NotAMember { issuer: issuer() },
            sign_in(),
        ),
    ]
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
