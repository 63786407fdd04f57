//! Every route of the pages, read from where they are declared: forms that somebody else sends (S-05), and names that are not
//! ours (S-19).

use regex::Regex;
use reqwest::Method;

use super::{Team, is_signed_in};
use crate::support::gateway::TestGateway;

/// The paths of the pages, with something in the place of what they name, and whether each takes GET and POST.
fn routes() -> Vec<(String, bool, bool)> {
    let source = include_str!("../../../src/web/mod.rs");
    let route = Regex::new(r#"(?s)\.route\(\s*"([^"]+)",\s*(.*?),?\s*\)\s*(?:\.route|\.fallback)"#)
        .unwrap();
    let named = Regex::new(r"\{\w+\}").unwrap();
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(one) = route.captures(rest) {
        let path = one[1]
            .replace("{connection}", "con_00000000000000000000000000/")
            .replace("//", "/");
        let path = named.replace_all(&path, "x");
        let path = match path.trim_end_matches('/') {
            "" => "/".to_owned(),
            path if path.ends_with("/reconnect") => format!("{path}?allow=same"),
            path => path.to_owned(),
        };
        found.push((path, one[2].contains("get("), one[2].contains("post(")));
        rest = &rest[one.get(2).unwrap().end()..];
    }
    let declared = source.matches(".route(").count();
    // The health check is asked under whatever name its supervisor knows, and tells nothing.
    assert_eq!(found.len() + 1, declared, "{found:#?}");
    found
}

fn posts() -> Vec<String> {
    let posts = routes().into_iter().filter(|(_, _, post)| *post);
    posts.map(|(path, ..)| path).collect()
}

#[tokio::test]
async fn no_form_is_taken_that_did_not_come_from_our_own_page_in_this_session() {
    let team = Team::start().await;
    let posts = posts();
    assert!(posts.len() >= 10, "{posts:?}");
    let (ana, ben) = (team.person("ana").await, team.person("ben").await);
    let own = ana.open("/connections").await.form_token().to_owned();
    let others = ben.open("/connections").await.form_token().to_owned();
    let origin = team.gateway.origin();
    let elsewhere = origin.replace("127.0.0.1", "localhost");
    let here = [
        ("sec-fetch-site", "same-origin"),
        ("origin", origin.as_str()),
    ];
    let with = |token: &str| format!("csrf={token}");
    // Those that need a session: every one of them but the way in.
    for path in posts.iter().filter(|path| *path != "/sign-in") {
        for form in [
            "",
            "csrf=",
            &with(&others),
            &with(&format!("{own}x")),
            "csrf=%00",
        ] {
            let page = ana.submit(path, form, &here).await;
            page.assert_error(403, "an earlier sign-in");
        }
        let twice = format!("csrf={own}&csrf={others}");
        assert_eq!(ana.submit(path, &twice, &here).await.status, 403, "{path}");
    }
    for path in &posts {
        for headers in [
            &[][..],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", elsewhere.as_str())],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", origin.as_str()),
            ],
        ] {
            let page = ana.submit(path, &with(&own), headers).await;
            assert_eq!(page.status, 403, "{path} {headers:?}");
            assert!(page.headers.get("set-cookie").is_none(), "{path}");
        }
    }
    assert!(is_signed_in(&ana).await, "none of them signed anybody out");
    // That it was the token and the page: with both, none is refused so.
    for path in posts.iter().filter(|path| !path.starts_with("/sign-out")) {
        let page = ana.submit(path, &with(&own), &here).await;
        assert_ne!(page.status, 403, "{path}");
    }
    let page = ana.submit("/sign-out", &with(&own), &here).await;
    assert_eq!(page.status, 303);
}

#[tokio::test]
async fn without_a_session_no_form_does_anything() {
    let team = Team::start().await;
    let stranger = team.browser("stranger");
    for path in posts().iter().filter(|path| *path != "/sign-in") {
        let page = stranger
            .submit(path, "csrf=", &[("sec-fetch-site", "same-origin")])
            .await;
        assert_eq!(
            (page.status.as_u16(), page.location()),
            (303, "/sign-in"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn where_nobody_signs_in_with_an_issuer_there_is_no_such_way() {
    let gateway = TestGateway::start(&crate::support::gateway::clock(), &[]).await;
    let ana = gateway.person("ana").await;
    let own = [("sec-fetch-site", "same-origin")];
    ana.submit("/sign-in", "", &own)
        .await
        .assert_error(404, "nothing here");
    for callback in ["/sign-in/callback", "/sign-in/callback?code=x&state=y"] {
        ana.open(callback).await.assert_error(404, "nothing here");
    }
}

#[tokio::test]
async fn too_many_beginnings_are_refused_and_pass() {
    let team = Team::start().await;
    let stranger = team.browser("stranger");
    let own = [("sec-fetch-site", "same-origin")];
    for _ in 0..200 {
        assert_eq!(stranger.submit("/sign-in", "", &own).await.status, 200);
    }
    stranger
        .submit("/sign-in", "", &own)
        .await
        .assert_error(429, "too fast");
    team.gateway
        .clock()
        .advance(std::time::Duration::from_secs(10));
    team.person("ana").await;
}

/// S-19 on every route of the pages.
#[tokio::test]
async fn no_page_is_answered_under_a_name_that_is_not_ours() {
    let team = Team::start().await;
    let ana = team.person("ana").await;
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let origin = team.gateway.origin();
    let authority = origin.strip_prefix("http://").unwrap();
    let hosts = [
        "evil.example".to_owned(),
        format!("{authority}.evil.example"),
        format!("user@{authority}"),
        "127.0.0.1".to_owned(),
    ];
    for (path, get, post) in routes() {
        let methods = [(Method::GET, get), (Method::POST, post)];
        for (method, _) in methods.into_iter().filter(|(_, takes)| *takes) {
            for host in &hosts {
                let asked = http
                    .request(method.clone(), format!("{origin}{path}"))
                    .header("host", host)
                    .header("cookie", ana.cookies())
                    .header("sec-fetch-site", "same-origin");
                let answer = asked.send().await.unwrap();
                assert_eq!(answer.status(), 421, "{method} {path} as {host}");
                let headers = answer.headers();
                assert!(headers.get("set-cookie").is_none() && headers.get("location").is_none());
                let shared = headers.get("access-control-allow-origin");
                assert!(shared.is_none(), "{method} {path}");
            }
        }
    }
}
