//! What a disk that is full stops, and what it does not.

use super::*;
use crate::gateway::fixture::{Fixture, LIFETIME};
use crate::store::Room;

#[tokio::test]
async fn a_token_that_works_is_used_on_a_full_disk() {
    let Fixture { gateway, key, .. } = Fixture::new().await;
    let stored = gateway.stored_credential(&key).await.unwrap().unwrap();
    let credential = stored.unwrap().value;
    gateway.parts.store.leave(Room::None);
    // So near its end that it would be renewed first.
    gateway
        .clock()
        .advance(LIFETIME.saturating_sub(Duration::from_secs(10)));
    let used = gateway.fresh(&key, credential.clone()).await.unwrap();
    assert_eq!(used.generation, credential.generation);
}

#[tokio::test]
async fn a_single_use_refresh_token_is_not_sent_on_a_full_disk() {
    let Fixture { gateway, key, .. } = Fixture::new().await;
    let stored = gateway.stored_credential(&key).await.unwrap().unwrap();
    let credential = stored.unwrap().value;
    gateway.clock().advance(LIFETIME * 2);
    for room in [Room::ToEnd, Room::None] {
        gateway.parts.store.leave(room);
        // Sent, it would have had an outcome.
        let fault = match gateway.fresh(&key, credential.clone()).await {
            Err(Unusable::Fault(fault)) => fault,
            other => panic!("{:?}", other.map(|found| found.generation)),
        };
        assert!(fault.is_full_disk());
        assert!(
            fault
                .sentence()
                .contains("Nothing is wrong with your connections")
        );
    }
    let stored = gateway.stored_credential(&key).await.unwrap().unwrap();
    let stored = stored.unwrap().value;
    assert_eq!(
        (stored.generation, stored.intent),
        (credential.generation, None)
    );
    let connection = gateway.parts.store.connections().get(&key).await.unwrap();
    assert!(connection.unwrap().value.is_active(), "it has not ended");
}

/// What came of a sign-in is kept with the last of the space.
#[tokio::test]
async fn a_new_credential_is_kept_on_a_disk_that_is_nearly_full() {
    let Fixture {
        gateway,
        connection,
        key,
    } = Fixture::new().await;
    let stored = gateway.stored_credential(&key).await.unwrap().unwrap();
    let new = Credential {
        access_token: Secret::new("anew"),
        ..stored.unwrap().value
    };
    gateway.parts.store.leave(Room::ToEnd);
    gateway.put_credential(&connection, &new).await.unwrap();
    let stored = gateway.stored_credential(&key).await.unwrap().unwrap();
    assert_eq!(stored.unwrap().value.access_token, new.access_token);
    gateway.parts.store.leave(Room::None);
    let refused = gateway.put_credential(&connection, &new).await.unwrap_err();
    assert!(refused.is_full_disk());
}

/// What ends access must not wait for room.
#[tokio::test]
async fn a_disconnect_ends_use_on_a_disk_that_is_nearly_full() {
    let Fixture {
        gateway,
        connection,
        key,
    } = Fixture::new().await;
    gateway.parts.store.leave(Room::ToEnd);
    let reason = crate::connection::RevokedReason::DisconnectedByUser;
    let ended = gateway.end_use(&connection.person, &connection.id, reason);
    assert!(ended.await.is_ok());
    let stored = gateway.parts.store.connections().get(&key).await.unwrap();
    assert!(stored.unwrap().value.status.is_being_revoked());
    let credential = gateway.stored_credential(&key).await.unwrap().unwrap();
    assert!(credential.is_none());
    let (buried, _) = gateway.tombstones_at(&key).await.unwrap();
    assert_eq!(buried.len(), 1);
}
