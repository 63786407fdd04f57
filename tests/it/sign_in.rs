//! Signing in with an OpenID Connect issuer: what works, and everything that must not.

mod answers;
mod forms;
mod in_a_browser;
mod people;
mod sessions;

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock};
use crate::support::issuer::Issuer;
use crate::support::person::{Page, Person};

/// A gateway on which people sign in with `issuer`.
pub(crate) struct Team {
    issuer: Issuer,
    gateway: TestGateway,
}

const SESSION: &str = "__Host-attache_session";

impl Team {
    async fn start() -> Self {
        Self::configured(|_| {}).await
    }

    async fn configured(change: impl FnOnce(&mut attache::config::Config)) -> Self {
        let clock = clock();
        let issuer = Issuer::start(&clock).await;
        let gateway = TestGateway::start_configured(&clock, &[], |config| {
            issuer.set_up(config);
            change(config);
        });
        let gateway = gateway.await;
        Self { issuer, gateway }
    }

    /// A browser in which nobody is signed in.
    fn browser(&self, name: &str) -> Person {
        Person::new(name, &self.gateway.origin(), "")
    }

    /// Somebody whom the issuer vouches for, signed in.
    async fn person(&self, name: &str) -> Person {
        let browser = self.browser(name);
        let page = self.sign_in(&browser, name, json!({})).await;
        assert_eq!(page.status, 303, "{}", page.text);
        browser
    }

    /// Signs in as `subject`: the answer to the callback.
    async fn sign_in(&self, browser: &Person, subject: &str, claims: Value) -> Page {
        let destination = browser.leave_for_issuer().await;
        let back = self.issuer.signs_in(&destination, subject, claims);
        browser.open(back.as_str()).await
    }
}

/// Whether the pages know somebody in this browser.
async fn is_signed_in(browser: &Person) -> bool {
    browser.open("/connections").await.status == 200
}

#[tokio::test]
async fn somebody_signs_in_and_returns_to_the_page_they_wanted() {
    let team = Team::start().await;
    let ana = team.browser("ana");
    let page = ana.open("/connect/AbCd").await;
    assert_eq!((page.status.as_u16(), page.location()), (303, "/sign-in"));
    let page = ana.open("/sign-in").await;
    assert!(page.text.contains("Sign in with Acme ID"), "{}", page.text);
    assert!(page.text.contains("connect a service for your agent"));
    let page = team.sign_in(&ana, "ana", json!({ "name": "Ana\u{202e} Ferreira" }));
    let page = page.await;
    assert_eq!(
        (page.status.as_u16(), page.location()),
        (303, "/connect/AbCd")
    );
    let set: Vec<_> = page.headers.get_all("set-cookie").iter().collect();
    let session = set.iter().map(|line| line.to_str().unwrap());
    let session = session.into_iter().find(|line| line.starts_with(SESSION));
    for part in [
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
        "Path=/",
        "Max-Age=604800",
    ] {
        assert!(session.unwrap().contains(part), "{session:?}");
    }
    assert!(!session.unwrap().contains("Domain"));
    let page = ana.open("/connections").await;
    assert!(page.text.contains(">Ana Ferreira<"), "{}", page.text);
    // Signed in already: there is nothing to sign in for.
    assert_eq!(ana.open("/sign-in").await.location(), "/connections");
}

#[tokio::test]
async fn the_same_person_is_issuer_and_subject_and_nothing_else() {
    let team = Team::start().await;
    let (first, second, other) = (team.browser("a"), team.browser("b"), team.browser("c"));
    let claims =
        |name: &str| json!({ "name": name, "email": "ana@example.com", "email_verified": true });
    team.sign_in(&first, "ana", claims("Ana")).await;
    team.sign_in(&second, "ana", claims("Ana F.")).await;
    team.sign_in(&other, "Ana", claims("Ana")).await;
    let people = team.gateway.app().gateway().people().await.unwrap();
    let mut seen: Vec<_> = people
        .iter()
        .filter_map(|line| line.person.as_ref())
        .map(|person| (person.subject.as_str(), person.name.as_str()))
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("Ana", "Ana"), ("ana", "Ana F.")]);
}

#[tokio::test]
async fn the_client_secret_goes_where_the_issuer_wants_it() {
    let team = Team::start().await;
    team.issuer.takes_the_secret_in_the_body();
    assert!(is_signed_in(&team.person("ana").await).await);
}

#[tokio::test]
async fn nothing_of_the_issuer_is_seen_on_pages() {
    let team = Team::start().await;
    let ana = team.browser("ana");
    let page = ana
        .submit("/sign-in", "", &[("sec-fetch-site", "same-origin")])
        .await;
    let back = team.issuer.signs_in(&page.destination(), "ana", json!({}));
    let arrived = ana.open(back.as_str()).await;
    let home = ana.open("/connections").await;
    let mut secrets = team.issuer.secrets();
    secrets.push(crate::support::issuer::CLIENT_SECRET.to_owned());
    for seen in [page, arrived, home] {
        for secret in &secrets {
            let headers = format!("{:?}", seen.headers);
            assert!(!seen.text.contains(secret) && !headers.contains(secret));
        }
    }
}
