//! A disconnect, a sign-in or a reconnect that was cut off between any two of its steps is gone on with.

use attache::connection::{
    AtProvider, Connection, Credential, RevokedReason, Tombstone, TombstoneReason,
};
use attache::store::{Record, Store};

use super::*;

/// The one connection in the store and its credential.
async fn found(store: &Store) -> (Record<Connection>, Option<Record<Credential>>) {
    let connections = store.connections().list("", 10).await.expect("a store");
    let connection = connections.whole().expect("readable").pop();
    let connection = connection.expect("a connection");
    let credential = store.credentials().get(connection.key()).await;
    (connection, credential.expect("a store"))
}

async fn note(store: &Store, key: &str, scene_now: attache::base::Timestamp) {
    let task = format!("revoke/{key}");
    let noted = store.note_due(scene_now + MINUTE, &task).await;
    noted.expect("a store");
}

async fn mark_revoked(store: &Store, record: &Record<Connection>, now: attache::base::Timestamp) {
    let reason = RevokedReason::DisconnectedByUser;
    let revoked = record.value.clone().disconnect(reason, now).expect("legal");
    let written = store.connections().replace(record, &revoked).await;
    written.expect("a store");
}

async fn bury(
    store: &Store,
    record: &Record<Connection>,
    credential: &Credential,
    now: attache::base::Timestamp,
) {
    let reason = TombstoneReason::Disconnected;
    let tombstone = Tombstone::of(&record.value, credential, reason, now);
    let key = format!("{}/1", record.key());
    let written = store.tombstones().create(&key, &tombstone).await;
    written.expect("a store");
}

/// Kills a disconnect after this many of its steps: the note, the status, the tombstone, the end of the credential, and
/// what comes after the provider's word.
async fn kill_after(steps: usize) -> Scene {
    let Scene { acme, gateway, ana } = Scene::new().await;
    gateway.clock().advance(MINUTE);
    let now = gateway.clock().now();
    let gateway = gateway
        .at_rest(&[&acme], async |store| {
            let (connection, credential) = found(store).await;
            let credential = credential.expect("its credential");
            note(store, connection.key(), now).await;
            if steps >= 2 {
                mark_revoked(store, &connection, now).await;
            }
            if steps >= 3 {
                bury(store, &connection, &credential.value, now).await;
            }
            if steps >= 4 {
                let deleted = store.credentials().delete(&credential).await;
                deleted.expect("a store");
            }
            if steps >= 5 {
                let (revoked, _) = found(store).await;
                let settled = revoked.value.clone().settle(AtProvider::Confirmed);
                let settled = settled.expect("legal");
                let written = store.connections().replace(&revoked, &settled).await;
                written.expect("a store");
            }
        })
        .await;
    Scene { acme, gateway, ana }
}

#[tokio::test]
async fn a_disconnect_is_finished_from_wherever_it_stopped() {
    for steps in 2..=5 {
        let scene = kill_after(steps).await;
        let scene = Scene {
            ana: scene.gateway.person("ana").await,
            ..scene
        };
        scene
            .ana
            .call("acme_whoami", json!({}))
            .await
            .assert_failed("ana has disconnected");
        scene.later(2 * MINUTE).await;
        let receipt = scene.receipt().await;
        assert_eq!(receipt.at_provider, AtProvider::Confirmed, "{steps}");
        assert_eq!(scene.acme.live_grants_of("ana"), 0, "{steps}");
        scene.assert_stored(0, 0).await;
    }
}

/// A note alone decides nothing.
#[tokio::test]
async fn a_disconnect_that_only_left_its_note_did_not_happen() {
    let scene = kill_after(1).await;
    let ana = scene.gateway.person("ana").await;
    scene.later(2 * MINUTE).await;
    assert_eq!(
        ana.call("acme_whoami", json!({})).await.json()["name"],
        "ana"
    );
    assert_eq!(ana.open("/connections").await.card("acme"), "active");
    scene.assert_stored(1, 0).await;
}

/// The process dies while a person presses "Try again" on what was cut off: the same end.
#[tokio::test]
async fn a_person_can_finish_what_was_cut_off() {
    for steps in 2..=5 {
        let scene = kill_after(steps).await;
        let ana = scene.gateway.person("ana").await;
        let scene = Scene { ana, ..scene };
        scene.gateway.clock().advance(2 * MINUTE);
        let (principal, id) = scene.connection().await;
        let gateway = scene.gateway.app().gateway();
        let receipt = gateway.disconnect(&principal, &id).await.expect("hers");
        assert_eq!(receipt.at_provider, AtProvider::Confirmed, "{steps}");
        scene.do_due_work().await;
        assert_eq!(scene.acme.live_grants_of("ana"), 0, "{steps}");
        scene.assert_stored(0, 0).await;
    }
}

/// A reconnect of what was disconnected is killed after its credential was stored, and before its connection was.
#[tokio::test]
async fn a_reconnect_that_was_cut_off_leaves_no_live_credential() {
    let scene = Scene::new().await;
    let now = scene.gateway.clock().now();
    scene.disconnect().await;
    let Scene { acme, gateway, .. } = scene;
    let gateway = gateway
        .at_rest(&[&acme], async |store| {
            let (connection, none) = found(store).await;
            assert!(none.is_none());
            note(store, connection.key(), now).await;
            let stored = store.credentials();
            stored
                .create(connection.key(), &unknown_credential(now))
                .await
                .expect("a store");
        })
        .await;
    let ana = gateway.person("ana").await;
    let scene = Scene { acme, gateway, ana };
    scene.later(2 * MINUTE).await;
    scene.later(2 * MINUTE).await;
    scene.assert_unusable().await;
    scene.assert_card("revoked").await;
    scene.assert_stored(0, 0).await;
}

/// Tokens that the provider never gave: it answers their revocation with success, as RFC 7009 section 2.2 has it.
fn unknown_credential(now: attache::base::Timestamp) -> Credential {
    Credential {
        access_token: attache::base::Secret::new("second-access"),
        refresh_token: Some(attache::base::Secret::new("second-refresh")),
        obtained: now,
        expires: None,
        refresh_expires: None,
        generation: 1,
        intent: None,
    }
}

/// A sign-in is killed after the provider gave its tokens: what was kept safe for that is revoked.
#[tokio::test]
async fn a_sign_in_that_was_cut_off_is_taken_back() {
    let Scene { acme, gateway, .. } = Scene::new().await;
    let now = gateway.clock().now();
    let gateway = gateway
        .at_rest(&[&acme], async |store| {
            let (connection, credential) = found(store).await;
            let credential = credential.expect("its credential");
            let reason = TombstoneReason::Superseded;
            let mut tombstone = Tombstone::of(&connection.value, &credential.value, reason, now);
            tombstone.next = Some(now + MINUTE);
            let key = connection.key().to_owned();
            let grave = format!("{key}/1");
            note(store, &key, now).await;
            let written = store.tombstones().create(&grave, &tombstone).await;
            written.expect("a store");
            let deleted = store.connections().delete(&connection).await;
            deleted.expect("a store");
            let deleted = store.credentials().delete(&credential).await;
            deleted.expect("a store");
        })
        .await;
    let ana = gateway.person("ana").await;
    let scene = Scene { acme, gateway, ana };
    scene.later(2 * MINUTE).await;
    assert_eq!(scene.acme.live_grants_of("ana"), 0);
    assert_eq!(
        scene.ana.open("/connections").await.card("acme"),
        "not_connected"
    );
    scene.assert_stored(0, 0).await;
}

/// What is kept safe during a sign-in never harms the connection that came of it, even if it was left behind.
#[tokio::test]
async fn tokens_in_use_are_not_revoked_by_what_a_sign_in_left_behind() {
    let Scene { acme, gateway, .. } = Scene::new().await;
    let now = gateway.clock().now();
    let gateway = gateway
        .at_rest(&[&acme], async |store| {
            let (connection, credential) = found(store).await;
            let credential = credential.expect("its credential").value;
            let reason = TombstoneReason::Superseded;
            let mut left = Tombstone::of(&connection.value, &credential, reason, now);
            left.connection = ConnectionId::new(&attache::base::Random::seeded(9));
            let key = format!("{}/{}", left.person, left.connection);
            note(store, &key, now).await;
            let written = store.tombstones().create(&format!("{key}/1"), &left).await;
            written.expect("a store");
        })
        .await;
    let ana = gateway.person("ana").await;
    let scene = Scene { acme, gateway, ana };
    scene.later(2 * MINUTE).await;
    assert!(scene.acme.revocation_requests().is_empty());
    let answer = scene.ana.call("acme_whoami", json!({})).await;
    assert_eq!(answer.json()["name"], "ana");
    scene.assert_stored(1, 0).await;
}
