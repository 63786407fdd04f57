//! Disconnecting (S-35, S-36, R-05): unusable here at once, revoked at the provider, proven dead, and never called so before.

mod all;
mod cut_off;
mod superseded;

use std::time::Duration;

use attache::base::ConnectionId;
use attache::connection::{AtProvider, Tombstone};
use attache::gateway::{Obstacle, Receipt};
use attache::identity::Principal;
use attache::store::Store;
use serde_json::json;

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::person::{Page, Person};
use crate::support::provider::{Provider, RevocationStyle};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// Ana, connected to `acme`.
struct Scene {
    acme: Provider,
    gateway: TestGateway,
    ana: Person,
}

impl Scene {
    async fn with(knobs: impl FnOnce(&Provider)) -> Self {
        let clock = clock();
        let acme = Provider::start(&clock);
        knobs(&acme);
        let gateway = TestGateway::start(&clock, &[&acme]).await;
        let ana = connected(&gateway, &acme, "ana").await;
        Self { acme, gateway, ana }
    }

    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Presses Disconnect, as Ana: the receipt.
    async fn disconnect(&self) -> Page {
        self.ana.disconnect().await
    }

    /// What the receipt says now.
    async fn receipt(&self) -> Receipt {
        let (principal, id) = self.connection().await;
        let receipt = self.gateway.app().gateway().receipt(&principal, &id).await;
        receipt.expect("it is hers").expect("disconnected")
    }

    async fn connection(&self) -> (Principal, ConnectionId) {
        let gateway = self.gateway.app().gateway();
        let principal = gateway
            .person("attache:test", &self.ana.name, &self.ana.name)
            .await;
        let principal = principal.expect("the store works");
        let views = gateway.connections(&principal).await.expect("a store");
        let orphans = gateway.connections_without_service(&principal).await;
        let mut all = views.into_iter().flat_map(|view| view.connections);
        let known = all.next().map(|found| found.connection);
        let found = known.or(orphans.expect("a store").pop());
        (principal.as_ref().clone(), found.expect("a connection").id)
    }

    /// Time passes, and what is due is done.
    async fn later(&self, time: Duration) {
        self.gateway.clock().advance(time);
        self.do_due_work().await;
    }

    async fn do_due_work(&self) {
        let done = self.gateway.app().gateway().do_due_work().await;
        done.expect("the store works");
    }

    async fn assert_card(&self, status: &str) {
        let page = self.ana.open("/connections").await;
        assert_eq!(page.card("acme"), status);
    }

    async fn assert_unusable(&self) {
        let before = self.acme.api_requests().len();
        self.ana
            .call("acme_whoami", json!({}))
            .await
            .assert_failed("ana has disconnected");
        let after = self.acme.api_requests().len();
        assert_eq!(before, after, "a call went out");
    }

    /// Asserts on what is really stored.
    async fn assert_stored(self, credentials: usize, tombstones: usize) -> Self {
        let Self { acme, gateway, .. } = self;
        let gateway = gateway
            .at_rest(&[&acme], async |store| {
                assert_eq!(counts(store).await, (credentials, tombstones));
            })
            .await;
        // It listens on another port now.
        let ana = gateway.person("ana").await;
        Self { acme, gateway, ana }
    }
}

async fn connected(gateway: &TestGateway, provider: &Provider, name: &str) -> Person {
    let person = gateway.person(name).await;
    let tool = format!("{}_whoami", provider.name());
    let link = person.call(&tool, json!({})).await.link();
    person.connect(&link, provider).await.assert_connected();
    person
}

/// How many credentials and tombstones there are.
async fn counts(store: &Store) -> (usize, usize) {
    let credentials = store.credentials().list("", 100).await.expect("a store");
    let tombstones = store.tombstones().list("", 100).await.expect("a store");
    let tombstones = tombstones.whole().expect("readable");
    (
        credentials.whole().expect("readable").len(),
        tombstones.len(),
    )
}

fn says(page: &Page, at_provider: &str) {
    let mark = format!("data-at-provider=\"{at_provider}\"");
    assert!(page.text.contains(&mark), "{}", page.text);
}

#[tokio::test]
async fn both_tokens_are_revoked_and_the_access_token_is_proven_dead() {
    let scene = Scene::new().await;
    let before = scene.acme.requests().len();
    says(&scene.disconnect().await, "confirmed");
    let asked: Vec<_> = scene.acme.requests()[before..]
        .iter()
        .map(|request| {
            let hint = request.params().get("token_type_hint").cloned();
            (request.path.clone(), hint.unwrap_or_default())
        })
        .collect();
    let expected = [
        ("/revoke", "refresh_token"),
        ("/revoke", "access_token"),
        ("/api/me", ""),
    ];
    let expected = expected.map(|(path, hint)| (path.to_owned(), hint.to_owned()));
    assert_eq!(asked, expected);
    assert_eq!(scene.acme.live_grants_of("ana"), 0);
    scene.assert_card("revoked").await;
    scene.assert_unusable().await;
    scene.assert_stored(0, 0).await;
}

#[tokio::test]
async fn while_the_provider_is_down_nothing_works_here_and_it_is_asked_until_it_confirms() {
    let scene = Scene::new().await;
    scene.acme.revocation_is_down();
    let page = scene.disconnect().await;
    says(&page, "pending");
    assert!(page.text.contains("has not confirmed"), "{}", page.text);
    scene.assert_unusable().await;
    scene.assert_card("revoking").await;
    assert_eq!(scene.acme.live_grants_of("ana"), 1);

    let asked = scene.acme.revocation_requests().len();
    scene.do_due_work().await;
    assert_eq!(scene.acme.revocation_requests().len(), asked, "too soon");
    scene.later(MINUTE).await;
    assert!(scene.acme.revocation_requests().len() > asked);
    let revoking = scene.receipt().await.revoking.expect("pending");
    assert_eq!(revoking.obstacle, Obstacle::NotConfirmed);
    let now = scene.gateway.clock().now();
    assert_eq!(revoking.next, Some(now + 2 * MINUTE), "the second pause");

    let scene = scene.assert_stored(0, 1).await;
    scene.acme.recovers();
    scene.later(3 * MINUTE).await;
    assert_eq!(scene.acme.live_grants_of("ana"), 0);
    scene.assert_card("revoked").await;
    assert_eq!(scene.receipt().await.at_provider, AtProvider::Confirmed);
    scene.assert_stored(0, 0).await;
}

/// Pressing again asks at once, whatever the pause.
#[tokio::test]
async fn a_person_can_try_again_at_once() {
    let scene = Scene::new().await;
    scene.acme.revocation_is_down();
    says(&scene.disconnect().await, "pending");
    scene.acme.recovers();
    let (_, id) = scene.connection().await;
    let path = format!("/connections/{id}/disconnect");
    let receipt = scene.ana.open(&path).await;
    says(&receipt, "pending");
    says(&scene.ana.press(&receipt, &path).await, "confirmed");
    says(&scene.ana.open(&path).await, "confirmed");
}

#[tokio::test]
async fn a_token_that_still_answers_is_watched_until_it_does_not() {
    let scene = Scene::with(|acme| {
        acme.takes_dead_access_tokens_for(20 * MINUTE);
    })
    .await;
    let page = scene.disconnect().await;
    says(&page, "pending");
    assert!(page.text.contains("has not seen the old sign-in refused"));
    let revoking = scene.receipt().await.revoking.expect("pending");
    assert_eq!(revoking.obstacle, Obstacle::StillAnswers);
    assert!(revoking.answers_until.is_some());

    let asked = scene.acme.revocation_requests().len();
    for _ in 0..4 {
        scene.later(MINUTE).await;
    }
    scene.assert_card("revoking").await;
    scene.later(30 * MINUTE).await;
    assert_eq!(scene.receipt().await.at_provider, AtProvider::Confirmed);
    let again = scene.acme.revocation_requests().len();
    assert_eq!(again, asked, "it had confirmed, and is only watched");
    scene.assert_stored(0, 0).await;
}

/// A provider that says yes and does nothing: the access token's own end is the proof.
#[tokio::test]
async fn a_token_that_never_dies_is_called_dead_when_its_time_is_over() {
    let scene = Scene::with(|acme| {
        acme.only_pretends_to_revoke();
    })
    .await;
    says(&scene.disconnect().await, "pending");
    scene.later(59 * MINUTE).await;
    assert_eq!(scene.receipt().await.at_provider, AtProvider::Pending);
    scene.later(2 * MINUTE).await;
    assert_eq!(scene.receipt().await.at_provider, AtProvider::Confirmed);
}

/// A service that does not answer at all is no proof that it would refuse.
#[tokio::test]
async fn a_failed_account_call_proves_nothing() {
    let scene = Scene::new().await;
    scene.acme.answers_api_with(503, "{}");
    says(&scene.disconnect().await, "pending");
    assert_eq!(scene.acme.live_grants_of("ana"), 0);
    scene.acme.recovers();
    scene.later(2 * MINUTE).await;
    assert_eq!(scene.receipt().await.at_provider, AtProvider::Confirmed);
}

#[tokio::test]
async fn a_provider_without_a_way_to_revoke_is_named_with_its_page() {
    let scene = Scene::with(|acme| {
        acme.revokes_by(RevocationStyle::Unsupported);
    })
    .await;
    let page = scene.disconnect().await;
    says(&page, "unsupported");
    let receipt = scene.receipt().await;
    let url = receipt.manual_url.expect("its page");
    assert!(page.text.contains(&url), "{}", page.text);
    scene.assert_card("revoked").await;
    scene.assert_stored(0, 0).await;
}

#[tokio::test]
async fn after_thirty_days_the_tokens_go_and_nobody_claims_that_they_are_dead() {
    let scene = Scene::new().await;
    scene.acme.revocation_is_down();
    says(&scene.disconnect().await, "pending");
    scene.later(29 * DAY).await;
    assert_eq!(scene.receipt().await.at_provider, AtProvider::Pending);
    assert_eq!(Tombstone::KEPT, 30 * DAY);
    scene.later(DAY).await;
    let receipt = scene.receipt().await;
    assert_eq!(receipt.at_provider, AtProvider::GaveUp);
    assert_eq!(scene.acme.live_grants_of("ana"), 1, "it is so");
    scene.assert_stored(0, 0).await;
}

/// The pauses grow: a provider that is down for ten days is not asked more than some fifty times.
#[tokio::test]
async fn a_provider_that_stays_down_is_asked_more_and_more_rarely() {
    let scene = Scene::new().await;
    scene.acme.revocation_is_down();
    scene.disconnect().await;
    for _ in 0..(10 * 24 * 2) {
        scene.later(30 * MINUTE).await;
    }
    let asked = scene.acme.revocation_requests().len() / 2;
    assert!((40..60).contains(&asked), "{asked} times");
}

#[tokio::test]
async fn what_others_have_connected_is_untouched() {
    let scene = Scene::new().await;
    let ben = connected(&scene.gateway, &scene.acme, "ben").await;
    scene.disconnect().await;
    scene.later(2 * MINUTE).await;
    assert_eq!(
        ben.call("acme_whoami", json!({})).await.json()["name"],
        "ben"
    );
    let (_, id) = scene.connection().await;
    let path = format!("/connections/{id}/disconnect");
    let page = ben.open(&path).await;
    assert_eq!(page.status.as_u16(), 404);
}

/// Nobody set the service up any more: it ends here at once, and at the provider when it is set up again.
#[tokio::test]
async fn who_lost_access_to_a_service_can_still_disconnect_it() {
    for file_is_gone in [false, true] {
        let Scene { acme, gateway, .. } = Scene::new().await;
        let gateway = gateway.restart(&[]).await;
        if file_is_gone {
            let file = gateway.folder().join("providers/acme.toml");
            std::fs::remove_file(file).expect("a provider file");
            gateway.app().reload().expect("right provider files");
        }
        let ana = gateway.person("ana").await;
        let scene = Scene { acme, gateway, ana };
        let page = scene.disconnect().await;
        says(&page, "pending");
        assert!(
            page.text.contains("not set up here any more"),
            "{}",
            page.text
        );
        scene.assert_card("revoking").await;
        let revoking = scene.receipt().await.revoking.expect("pending");
        assert_eq!(revoking.obstacle, Obstacle::NotSetUp);
        assert!(scene.acme.revocation_requests().is_empty());

        // Back again, with the file and the registration.
        let scene = scene.assert_stored(0, 1).await;
        scene.later(61 * MINUTE).await;
        assert_eq!(scene.acme.live_grants_of("ana"), 0);
        assert_eq!(scene.receipt().await.at_provider, AtProvider::Confirmed);
    }
}

#[tokio::test]
async fn tokens_of_another_registration_are_never_sent_to_the_new_one() {
    let Scene { acme, gateway, .. } = Scene::new().await;
    let gateway = gateway
        .restart_configured(&[&acme], |config| {
            let settings = config.services.get_mut("acme").expect("set up");
            settings.client_id = Some("another-client".into());
        })
        .await;
    let ana = gateway.person("ana").await;
    let scene = Scene { acme, gateway, ana };
    says(&scene.disconnect().await, "pending");
    let revoking = scene.receipt().await.revoking.expect("pending");
    assert_eq!(revoking.obstacle, Obstacle::SetUpAnew);
    assert!(scene.acme.revocation_requests().is_empty());
    let scene = scene.assert_stored(0, 1).await;
    scene.later(61 * MINUTE).await;
    assert_eq!(scene.receipt().await.at_provider, AtProvider::Confirmed);
}

/// Every way in which real providers take access back ends in the same receipt.
#[tokio::test]
async fn every_style_of_revocation_is_proven() {
    for style in RevocationStyle::ALL {
        let scene = Scene::with(|acme| {
            acme.revokes_by(style).ends_the_grant_with_any_token();
        })
        .await;
        scene.disconnect().await;
        let receipt = scene.receipt().await;
        let expected = match style {
            RevocationStyle::Unsupported => AtProvider::Unsupported,
            _ => AtProvider::Confirmed,
        };
        assert_eq!(receipt.at_provider, expected, "{style:?}");
        let alive = usize::from(style == RevocationStyle::Unsupported);
        assert_eq!(scene.acme.live_grants_of("ana"), alive, "{style:?}");
    }
}

/// A disconnect that meets a renewal on its way: the tokens that arrive afterwards are revoked as well.
#[tokio::test]
async fn tokens_of_a_renewal_that_ends_after_the_disconnect_are_revoked_too() {
    let scene = Scene::with(|acme| {
        acme.rotates_refresh_tokens();
    })
    .await;
    scene.acme.revocation_is_down();
    // The access token is over: the next call renews.
    scene.gateway.clock().advance(61 * MINUTE);
    let hold = scene.acme.is_slow_to_answer("/token");
    let call = scene.ana.call("acme_whoami", json!({}));
    let meanwhile = async {
        hold.reached_by(1).await;
        says(&scene.disconnect().await, "pending");
        drop(hold);
    };
    let (answer, ()) = tokio::join!(call, meanwhile);
    answer.assert_failed("ana has disconnected");
    let scene = scene.assert_stored(0, 2).await;
    scene.acme.recovers();
    scene.later(5 * MINUTE).await;
    assert_eq!(scene.acme.live_grants_of("ana"), 0);
    let receipt = scene.receipt().await;
    assert_eq!(receipt.at_provider, AtProvider::Confirmed, "{receipt:?}");
    scene.assert_unusable().await;
    scene.assert_stored(0, 0).await;
}

#[tokio::test]
async fn nothing_renews_what_was_disconnected() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = connected(&gateway, &acme, "ana").await;
    let scene = Scene { acme, gateway, ana };
    scene.disconnect().await;
    for _ in 0..3 {
        scene.later(DAY).await;
    }
    let receipt = scene.receipt().await;
    assert_eq!(receipt.at_provider, AtProvider::Confirmed);
    assert!(scene.acme.token_requests().len() == 1, "nothing renewed it");
}
