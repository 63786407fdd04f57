//! What changes the granted scopes, and what is known of their use.

use std::collections::BTreeMap;

use super::*;
use crate::base::{Clock, ConnectionId, PersonId, Random};
use crate::catalogue::{Account, Catalogue};
use crate::connection::{GrantedBy, RevokedReason, Status};
use crate::egress::Egress;
use crate::gateway::{Links, Services};
use crate::store::{MasterKey, Store};

const NOON: Timestamp = Timestamp::from_unix(1_800_014_400);

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text, "")
}

fn gateway() -> Gateway {
    let random = Random::seeded(4);
    let catalogue = Catalogue::load(None).unwrap();
    Gateway::new(
        Store::memory(MasterKey::generate(&random), random.clone()),
        Egress::new(crate::egress::Settings::default()).unwrap(),
        Services::new(catalogue, &BTreeMap::new()).unwrap(),
        Links::new("http://localhost:1").unwrap(),
        Clock::manual(NOON),
        random,
        crate::gateway::Settings::default(),
    )
}

async fn connected(gateway: &Gateway, granted: &str) -> Connection {
    let connection = Connection {
        id: ConnectionId::new(gateway.random()),
        person: PersonId::new(gateway.random()),
        service: "sandbox".into(),
        account: Account {
            id: "1".into(),
            label: "ana".into(),
            workspace: None,
        },
        granted_by: GrantedBy {
            issuer: None,
            token_endpoint: "https://acme.example/token".into(),
            client_id: "c".into(),
        },
        requested: scopes(granted),
        granted: scopes(granted),
        status: Status::Active,
        since: NOON,
        connects: 1,
        reach: crate::catalogue::Reach::default(),
    };
    let connections = gateway.parts.store.connections();
    let key = record_key(&connection);
    connections.create(&key, &connection).await.unwrap();
    connection
}

async fn stored(gateway: &Gateway, connection: &Connection) -> Connection {
    let connections = gateway.parts.store.connections();
    let record = connections.get(&record_key(connection)).await.unwrap();
    record.unwrap().value
}

#[tokio::test]
async fn what_a_refresh_says_replaces_what_was_granted() {
    let gateway = gateway();
    let connection = connected(&gateway, "profile notes:read notes:write").await;
    for (said, granted) in [
        ("", "profile notes:read notes:write"),
        ("profile notes:read", "profile notes:read"),
        ("profile", "profile"),
    ] {
        let now = stored(&gateway, &connection).await;
        let key = record_key(&now);
        gateway.note_granted(&key, &scopes(said)).await.unwrap();
        let now = stored(&gateway, &connection).await;
        assert_eq!(now.granted, scopes(granted), "{said}");
        // What was asked for stays, so that the page can say what is missing.
        assert_eq!(now.requested.len(), 3);
    }
    let now = stored(&gateway, &connection).await;
    let service = gateway.services().find("sandbox").cloned().unwrap();
    let shown = Scopes::of(&service, &now, None, NOON);
    assert_eq!(shown.refused, scopes("notes:read notes:write"));
    assert!(shown.unasked.is_empty() && shown.less.is_none());
}

#[tokio::test]
async fn uses_are_written_and_go_with_the_connection_and_the_person() {
    let gateway = gateway();
    let connection = connected(&gateway, "profile notes:read").await;
    let services = gateway.services();
    let (_, tool) = services.tool("sandbox_list_notes").unwrap();
    let ledger = gateway.parts.store.uses();
    let key = record_key(&connection);

    gateway.note_use(&connection, tool.scopes());
    assert_eq!(gateway.last_used(&connection).await.unwrap(), Some(NOON));
    for (hours, lately) in [(23, true), (25, false)] {
        let later = NOON + std::time::Duration::from_hours(hours);
        let found = gateway.was_used_lately(&connection, later).await;
        assert_eq!(found.unwrap(), lately, "{hours}");
    }
    assert!(ledger.get(&key).await.unwrap().is_none(), "only noted");
    gateway.write_uses().await.unwrap();
    let written = ledger.get(&key).await.unwrap().unwrap().value;
    assert_eq!(written.scopes.keys().collect::<Vec<_>>(), ["notes:read"]);

    gateway.forget_use(&connection).await.unwrap();
    assert_eq!(gateway.last_used(&connection).await.unwrap(), None);
    gateway.note_use(&connection, tool.scopes());
    gateway.write_all_uses().await.unwrap();
    gateway.forget_uses_of(&connection.person).await.unwrap();
    assert!(ledger.get(&key).await.unwrap().is_none());
    assert_eq!(gateway.last_used(&connection).await.unwrap(), None);
}

#[tokio::test]
async fn a_disconnected_connection_gets_no_ledger_again() {
    let gateway = gateway();
    let connection = connected(&gateway, "profile").await;
    let services = gateway.services();
    let (_, tool) = services.tool("sandbox_whoami").unwrap();
    gateway.note_use(&connection, tool.scopes());
    let connections = gateway.parts.store.connections();
    let record = connections.get(&record_key(&connection)).await.unwrap();
    let record = record.unwrap();
    let by_user = RevokedReason::DisconnectedByUser;
    let revoked = record.value.clone().disconnect(by_user, NOON).unwrap();
    connections.replace(&record, &revoked).await.unwrap();
    gateway.write_all_uses().await.unwrap();
    assert_eq!(gateway.last_used(&connection).await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_idle_before_it_was_watched_for_a_month() {
    let gateway = gateway();
    let connection = connected(&gateway, "profile notes:read extra").await;
    let asked = Connection {
        requested: scopes("profile notes:read"),
        ..connection
    };
    let service = gateway.services().find("sandbox").cloned().unwrap();
    let month = NOON + Usage::RECENT;
    let need = |usage: Option<&Usage>, now| {
        let shown = Scopes::of(&service, &asked, usage, now);
        let needs: Vec<_> = shown.granted.iter().map(|line| line.need).collect();
        (needs, shown.less)
    };
    // In the order of the scopes: extra, notes:read, profile. Nobody asked for the first: it cannot be given up so.
    let waiting = vec![Need::Never, Need::Waiting, Need::Always];
    assert_eq!(need(None, month), (waiting.clone(), None));
    let begun = Usage::begun(NOON);
    assert_eq!(need(Some(&begun), NOON), (waiting, None));
    let idle = vec![Need::Never, Need::Idle, Need::Always];
    assert_eq!(need(Some(&begun), month), (idle, Some(scopes("profile"))));
}
