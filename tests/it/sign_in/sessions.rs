//! Sessions of people who signed in with the issuer (S-23), and where they are led afterwards (S-24).

use std::time::Duration;

use attache::gateway::SignedIn;
use serde_json::json;

use super::{SESSION, Team, is_signed_in};
use crate::support::person::Person;

async fn known(team: &Team, cookie: &str) -> Option<SignedIn> {
    let cookie = attache::base::Secret::new(cookie);
    let gateway = team.gateway.app().gateway();
    gateway.signed_in(&cookie).await.unwrap()
}

#[tokio::test]
async fn a_sign_in_never_goes_on_with_a_session_that_was_there_before() {
    let team = Team::start().await;
    let mallory = team.person("mallory").await;
    let planted = mallory.cookie(SESSION).unwrap();
    let ana = team.browser("ana");
    ana.has_cookie(SESSION, &planted);
    team.sign_in(&ana, "ana", json!({})).await;
    let own = ana.cookie(SESSION).unwrap();
    assert_ne!(own, planted);
    assert_eq!(known(&team, &own).await.unwrap().principal.subject, "ana");
    assert!(known(&team, &planted).await.is_none(), "it is ended");
    assert!(!is_signed_in(&mallory).await);
    // Nor with one that somebody made up.
    let ben = team.browser("ben");
    ben.has_cookie(SESSION, "made-up");
    team.sign_in(&ben, "ben", json!({})).await;
    assert_ne!(ben.cookie(SESSION).unwrap(), "made-up");
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_gateway_and_not_only_in_the_browser() {
    let team = Team::start().await;
    let (here, there) = (team.person("ana").await, team.person("ana").await);
    let kept = here.cookie(SESSION).unwrap();
    let page = here.open("/connections").await;
    assert_eq!(here.press(&page, "/sign-out").await.location(), "/sign-in");
    assert!(here.cookie(SESSION).is_none());
    here.has_cookie(SESSION, &kept);
    assert!(!is_signed_in(&here).await);
    assert!(
        is_signed_in(&there).await,
        "another browser is another session"
    );
}

#[tokio::test]
async fn signing_out_everywhere_is_meant() {
    let team = Team::start().await;
    let (here, there) = (team.person("ana").await, team.person("ana").await);
    let ben = team.person("ben").await;
    let kept = there.cookie(SESSION).unwrap();
    let page = here.open("/sign-out").await;
    assert!(page.text.contains("Sign out everywhere"));
    let page = here.press(&page, "/sign-out/everywhere").await;
    assert_eq!(page.location(), "/sign-in");
    there.has_cookie(SESSION, &kept);
    assert!(!is_signed_in(&here).await && !is_signed_in(&there).await);
    assert!(is_signed_in(&ben).await);
    assert!(is_signed_in(&team.person("ana").await).await);
}

#[tokio::test]
async fn a_session_ends_after_a_day_without_use_and_after_a_week_in_any_case() {
    let team = Team::start().await;
    let (idle, busy) = (team.person("ana").await, team.person("ben").await);
    let clock = team.gateway.clock();
    for hour in (12..168).step_by(12) {
        clock.advance(Duration::from_hours(12));
        assert!(is_signed_in(&busy).await, "{hour}");
        if hour == 12 {
            assert!(is_signed_in(&idle).await);
        }
        if hour == 36 {
            assert!(!is_signed_in(&idle).await);
        }
    }
    clock.advance(Duration::from_hours(12));
    assert!(!is_signed_in(&busy).await);
}

#[tokio::test]
async fn sessions_outlive_a_restart_and_not_a_change_of_issuer() {
    let team = Team::start().await;
    let ana = team.person("ana").await;
    let cookie = ana.cookie(SESSION).unwrap();
    let Team { issuer, gateway } = team;
    let gateway = gateway.restart_configured(&[], |config| issuer.set_up(config));
    let team = Team {
        gateway: gateway.await,
        issuer,
    };
    assert!(known(&team, &cookie).await.is_some());
    let Team { issuer, gateway } = team;
    let other = crate::support::issuer::Issuer::start(gateway.clock()).await;
    let gateway = gateway.restart_configured(&[], |config| other.set_up(config));
    let team = Team {
        gateway: gateway.await,
        issuer,
    };
    assert!(known(&team, &cookie).await.is_none());
    // Nor one back to a computer of one person's own.
    let Team { gateway, issuer } = team;
    let team = Team {
        gateway: gateway.restart(&[]).await,
        issuer,
    };
    assert!(known(&team, &cookie).await.is_none());
}

#[tokio::test]
async fn who_was_let_in_without_an_issuer_is_nobody_once_there_is_one() {
    let team = Team::start().await;
    let Team { issuer, gateway } = team;
    let gateway = gateway.restart(&[]).await;
    let owner = gateway.person("owner").await;
    assert!(is_signed_in(&owner).await && owner.is_known().await);
    let cookie = owner.cookie(SESSION).unwrap();
    let gateway = gateway.restart_configured(&[], |config| issuer.set_up(config));
    let team = Team {
        gateway: gateway.await,
        issuer,
    };
    let owner = Person::new("owner", &team.gateway.origin(), owner.token());
    owner.has_cookie(SESSION, &cookie);
    assert!(!is_signed_in(&owner).await);
    assert!(
        !owner.is_known().await,
        "nor is the token that was printed then"
    );
}

/// S-24: wherever a browser is told to go afterwards, it is one of our own pages.
#[tokio::test]
async fn nobody_is_led_elsewhere_after_signing_in() {
    let team = Team::start().await;
    let hosts = [
        "evil.example",
        "127.0.0.1:1",
        "localhost",
        "[::1]",
        "evil%2Eexample",
    ];
    let forms = [
        "https://{}",
        "http://{}",
        "//{}",
        "///{}",
        "////{}",
        "/\\{}",
        "\\\\{}",
        "\\/{}",
        "/\t/{}",
        "/%2f{}",
        "/%5c{}",
        "https:{}",
        "https:/{}",
        "https:\\\\{}",
        "http:///{}",
        "//{}/%2e%2e",
        "/.{}",
        "/connect/..//{}",
        "/connect//{}",
        "/connect/../../{}",
        "/connections@{}",
        "/connections/..;/{}",
        "/connections//{}",
        "/connections?next=//{}",
        "/connections#//{}",
        "@{}",
        ".{}",
        "{}",
        "javascript:alert('{}')",
        "data:text/html,{}",
        "/;@{}",
        "/%09/{}",
        "/%0d%0aLocation:%20//{}",
        "//user:pass@{}",
        "//{}#x",
        "//{}?x",
        "/connect/{}",
    ];
    let mut tried = 0;
    for host in hosts {
        for form in forms {
            let wanted = form.replace("{}", host);
            let ana = team.browser("ana");
            ana.has_cookie(
                "__Host-attache_return",
                &wanted.replace(';', "%3b").replace('\t', "%09"),
            );
            let page = team.sign_in(&ana, "ana", json!({})).await;
            let path = page.location();
            let own = path == "/connections" || path == "/connect/localhost";
            assert!(page.status == 303 && own, "{wanted}: {path}");
            tried += 1;
        }
    }
    assert!(tried >= 170, "{tried}");
    // Nor does any parameter lead anywhere.
    for name in [
        "return_to",
        "next",
        "redirect",
        "redirect_uri",
        "url",
        "continue",
        "RelayState",
    ] {
        let ana = team.browser("ana");
        let destination = ana.leave_for_issuer().await;
        let mut back = team.issuer.signs_in(&destination, "ana", json!({}));
        back.query_pairs_mut()
            .append_pair(name, "https://evil.example");
        assert_eq!(ana.open(back.as_str()).await.location(), "/connections");
    }
}
