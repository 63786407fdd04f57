//! Every page with made-up content, for looking at and for tests that hold for all of them.

use super::{
    ConnectPage, ConnectedPage, ConnectionsPage, ContinuePage, DisconnectPage, DisconnectedPage,
    ErrorPage, OutagePage, RemovePage, RemovedPage, SignInPage, SignOutPage, StepsPage,
};

/// Every sample of every page, as a name and the page.
///
/// # Errors
/// Those of rendering: a page that askama cannot write.
pub fn gallery() -> Result<Vec<(String, String)>, askama::Error> {
    let mut pages = Vec::new();
    let mut add = |name: &str, page: &dyn askama::DynTemplate| {
        page.dyn_render()
            .map(|html| pages.push((name.to_owned(), html)))
    };
    add("connections", &ConnectionsPage::sample())?;
    add(
        "connections-none",
        &ConnectionsPage::sample_without_services(),
    )?;
    add(
        "connections-unmatched",
        &ConnectionsPage::sample_without_match(),
    )?;
    add("connect", &ConnectPage::sample())?;
    add("connect-again", &ConnectPage::sample_reconnect())?;
    add("connect-steps", &StepsPage::sample())?;
    add("continue", &ContinuePage::sample())?;
    add("connected", &ConnectedPage::sample())?;
    add(
        "connected-with-more-to-do",
        &ConnectedPage::sample_with_more_to_do(),
    )?;
    add("connected-with-less", &ConnectedPage::sample_with_less())?;
    add(
        "connected-with-more-than-asked",
        &ConnectedPage::sample_with_more_than_asked(),
    )?;
    add("connected-second", &ConnectedPage::sample_second())?;
    add("connected-other", &ConnectedPage::sample_other())?;
    add("disconnect", &DisconnectPage::sample())?;
    add(
        "disconnect-unsupported",
        &DisconnectPage::sample_unsupported(),
    )?;
    add("disconnected", &DisconnectedPage::sample())?;
    add("disconnected-pending", &DisconnectedPage::sample_pending())?;
    add(
        "disconnected-unsupported",
        &DisconnectedPage::sample_unsupported(),
    )?;
    add(
        "disconnected-still-answers",
        &DisconnectedPage::sample_still_answers(),
    )?;
    add(
        "disconnected-not-set-up",
        &DisconnectedPage::sample_not_set_up(),
    )?;
    add("disconnected-gave-up", &DisconnectedPage::sample_gave_up())?;
    add("remove", &RemovePage::sample())?;
    add("removed", &RemovedPage::sample())?;
    add("sign-in", &SignInPage::sample())?;
    add("sign-in-demo", &SignInPage::sample_demo())?;
    add("sign-in-team", &SignInPage::sample_team())?;
    add("sign-out", &SignOutPage::sample())?;
    for (name, page) in ErrorPage::samples() {
        add(&format!("error-{name}"), &page)?;
    }
    for (name, page) in OutagePage::samples() {
        add(&format!("outage-{name}"), &page)?;
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use askama::Template;
    use regex::Regex;

    use super::*;
    use crate::web::pages::{
        ASSETS, Action, CSRF_FIELD, Choice, ConnectStep, GrantedPermission, Label, NextStep,
        Notice, Permission, Problem, STYLE_PATH, SecondAccount, ServiceCard, Status, StillExpired,
        Tone, ToolLine, UsedByDefault, WayOut,
    };

    const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=x>\u{202E}& {{ 7*7 }}";

    fn hostile() -> Label {
        HOSTILE.into()
    }

    fn hostile_steps() -> StepsPage {
        let step = |done| ConnectStep {
            service: hostile(),
            host: hostile(),
            permissions: vec![Permission::new(HOSTILE, HOSTILE)],
            tools: vec![ToolLine::new(HOSTILE, HOSTILE, false)],
            account: Some(hostile()),
            done,
            action: HOSTILE.to_owned(),
        };
        StepsPage {
            agent: hostile(),
            steps: vec![step(true), step(false)],
            ..StepsPage::sample()
        }
    }

    fn hostile_next_step() -> ConnectedPage {
        ConnectedPage {
            next: Some(NextStep {
                path: HOSTILE.to_owned(),
                services: vec![hostile()],
            }),
            ..ConnectedPage::sample()
        }
    }

    fn hostile_card() -> ServiceCard {
        let permission = || Permission::new(HOSTILE, HOSTILE);
        let permissions = || vec![permission(), Permission::new(HOSTILE, "")];
        ServiceCard {
            reason: Some(hostile()),
            account: Some(hostile()),
            workspace: Some(hostile()),
            choice: Choice::Possible(HOSTILE.to_owned()),
            another: Some(HOSTILE.to_owned()),
            tools: vec![ToolLine::new(HOSTILE, HOSTILE, false)],
            permissions: permissions(),
            granted: vec![GrantedPermission {
                permission: permission(),
                mark: hostile(),
                spare: true,
                last_needed: None,
            }],
            missing: permissions(),
            unasked: permissions(),
            allow_more: Some(HOSTILE.to_owned()),
            allow_less: Some(HOSTILE.to_owned()),
            ..ServiceCard::new(
                HOSTILE,
                HOSTILE,
                Status::Expired,
                Action::Reconnect(HOSTILE.to_owned()),
            )
        }
    }

    fn hostile_connected() -> ConnectedPage {
        ConnectedPage {
            service: hostile(),
            account: Some(hostile()),
            agent: Some(hostile()),
            second: Some(SecondAccount {
                others: vec![hostile(), hostile()],
                by_default: UsedByDefault::Other(hostile()),
                make_default: HOSTILE.to_owned(),
            }),
            still_expired: Some(StillExpired {
                account: hostile(),
                reconnect: HOSTILE.to_owned(),
            }),
            granted: vec![Permission::new(HOSTILE, HOSTILE)],
            missing: vec![Permission::new(HOSTILE, "")],
            blocked: vec![ToolLine::new(HOSTILE, HOSTILE, false)],
            beyond: vec![Permission::new(HOSTILE, "")],
            allow_more: Some(HOSTILE.to_owned()),
            ..ConnectedPage::sample()
        }
    }

    /// Pages in which every text that comes from outside is hostile.
    fn hostile_pages() -> Vec<String> {
        let tools = vec![ToolLine::new(HOSTILE, HOSTILE, false)];
        let permissions = vec![
            Permission::new(HOSTILE, HOSTILE),
            Permission::new(HOSTILE, ""),
        ];
        let mut connections = ConnectionsPage {
            notice: Some(Notice {
                tone: Tone::Warning,
                text: hostile(),
            }),
            query: hostile(),
            ..ConnectionsPage::sample()
        };
        connections.cards = vec![hostile_card()];
        let without_match = ConnectionsPage {
            query: hostile(),
            ..ConnectionsPage::sample_without_match()
        };
        let connect = ConnectPage {
            layout: crate::web::pages::Layout::signed_in(
                HOSTILE,
                crate::base::Secret::new(HOSTILE),
            ),
            agent: Some(hostile()),
            tool: Some(ToolLine::new(HOSTILE, HOSTILE, true)),
            service: hostile(),
            host: hostile(),
            permissions,
            tools,
            previous_account: Some(hostile()),
            action: HOSTILE.to_owned(),
            ..ConnectPage::sample()
        };
        let disconnect = DisconnectPage {
            service: hostile(),
            account: Some(hostile()),
            ..DisconnectPage::sample()
        };
        let disconnected = DisconnectedPage {
            service: hostile(),
            account: Some(hostile()),
            ..DisconnectedPage::sample_pending()
        };
        let sign_in = SignInPage {
            purpose: Some(hostile()),
            issuer: hostile(),
            ..SignInPage::sample_team()
        };
        let error = ErrorPage {
            problem: Problem::Refused {
                service: hostile(),
                reason: hostile(),
            },
            way_out: Some(WayOut::Form {
                text: hostile(),
                path: HOSTILE.to_owned(),
            }),
            request_id: hostile(),
            ..ErrorPage::sample()
        };
        [
            connections.render(),
            without_match.render(),
            connect.render(),
            hostile_connected().render(),
            hostile_steps().render(),
            hostile_next_step().render(),
            disconnect.render(),
            disconnected.render(),
            sign_in.render(),
            error.render(),
        ]
        .into_iter()
        .map(Result::unwrap)
        .collect()
    }

    /// The text that a reader sees without opening anything.
    fn visible_text(html: &str) -> String {
        let details = Regex::new("(?s)<details>.*?</details>").unwrap();
        let tags = Regex::new("(?s)<[^>]*>").unwrap();
        let body = html.split("<body>").nth(1).unwrap();
        tags.replace_all(&details.replace_all(body, ""), " ")
            .into_owned()
    }

    #[test]
    fn text_from_outside_is_never_markup() {
        for html in hostile_pages() {
            assert!(html.contains("&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;"));
            for live in ["<script", "<img src=x"] {
                assert!(!html.contains(live), "{live}: {html}");
            }
        }
    }

    #[test]
    fn names_cannot_turn_the_text_around_them() {
        // Paths are the gateway's own and stand in attributes; everything that is read passes through `Label`.
        for html in hostile_pages() {
            assert!(!visible_text(&html).contains('\u{202E}'));
        }
    }

    #[test]
    fn every_page_lives_under_its_security_policy() {
        let inline = Regex::new(r#"<script|<style|<[^>]*\s(style|on\w+)="|javascript:"#).unwrap();
        for (name, html) in gallery().unwrap() {
            assert!(!inline.is_match(&html), "{name}");
            assert_eq!(html.matches("rel=\"stylesheet\"").count(), 1, "{name}");
            assert!(html.contains(STYLE_PATH.as_str()), "{name}");
            for loaded in html.split("src=\"").skip(1) {
                assert!(loaded.starts_with("/assets/"), "{name}");
            }
        }
    }

    #[test]
    fn every_post_carries_the_form_token_and_stays_here() {
        let field =
            format!("<input type=\"hidden\" name=\"{CSRF_FIELD}\" value=\"sample-form-token\">");
        for (name, html) in gallery().unwrap() {
            for form in html.split("<form ").skip(1) {
                let form = form.split("</form>").next().unwrap();
                assert!(form.contains("action=\"/"), "{name}: {form}");
                // Where there is no session yet, there is nothing to forge.
                let is_sign_in = form.contains("id=\"sign-in-with-issuer\"");
                let is_post = form.starts_with("method=\"post\"") && !is_sign_in;
                assert_eq!(is_post, form.contains(&field), "{name}: {form}");
            }
        }
    }

    #[test]
    fn ids_are_unique_and_the_promised_ones_are_there() {
        let ids = Regex::new(r#"\sid="([^"]*)""#).unwrap();
        let pages = gallery().unwrap();
        for (name, html) in &pages {
            let mut seen = BTreeSet::new();
            for found in ids.captures_iter(html) {
                assert!(seen.insert(found[1].to_owned()), "{name}: {}", &found[1]);
            }
            assert!(html.matches("<h1>").count() == 1 && !html.contains("<title> ·"));
        }
        for (page, wanted) in [
            ("connections", &["who", "sign-out", "notice", "q"][..]),
            (
                "connections",
                &["connect-orchard", "connect-atlas", "allow-more-courier"],
            ),
            ("connect", &["who", "continue", "not-now"]),
            ("continue", &["onward"]),
            ("connected", &["connected", "home"]),
            ("disconnect", &["confirm-disconnect", "keep"]),
            ("disconnected-pending", &["receipt", "try-again"]),
            ("sign-in", &["sign-in", "purpose"]),
            ("error-link-expired", &["error", "way-out", "request-id"]),
        ] {
            let (_, html) = pages.iter().find(|(name, _)| name == page).unwrap();
            for id in wanted {
                assert!(html.contains(&format!("id=\"{id}\"")), "{page}: {id}");
            }
        }
    }

    #[test]
    fn the_words_of_engineers_stay_inside_details() {
        for (name, html) in gallery().unwrap() {
            let text = visible_text(&html).to_lowercase();
            for jargon in ["oauth", "token", "scope", "credential", "authoriz"] {
                let said = text.replace("/oauth/callback/", "");
                assert!(!said.contains(jargon), "{name}: {jargon}");
            }
        }
    }

    #[test]
    fn a_first_view_is_small() {
        // As browsers load them: every one takes gzip.
        let assets: usize = ASSETS.iter().map(|asset| asset.gzipped.len()).sum();
        for (name, html) in gallery().unwrap() {
            let total = assets + html.len();
            assert!(total <= 30 * 1024, "{name}: {total} bytes");
        }
    }
}
