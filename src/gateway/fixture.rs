//! A gateway in memory with one connection, for tests that need to reach what no surface shows. Its provider cannot be
//! reached.

use std::collections::BTreeMap;
use std::time::Duration;

use super::credentials::record_key;
use super::{Gateway, Links, ServiceSettings, Services, Settings};
use crate::base::{Clock, ConnectionId, Random, Secret, Timestamp};
use crate::catalogue::{Account, Catalogue, ScopeSet};
use crate::connection::{Connection, Credential, Status};
use crate::egress::{self, Egress};
use crate::store::{MasterKey, Store};

const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);
/// How long access tokens live.
pub(super) const LIFETIME: Duration = Duration::from_hours(1);

/// The gateway, and the connection in it.
pub(super) struct Fixture {
    pub(super) gateway: Gateway,
    pub(super) connection: Connection,
    pub(super) key: String,
}

impl Fixture {
    /// A connection that was just made, to a service whose refresh tokens are replaced each time.
    pub(super) async fn new() -> Self {
        // Nothing gets out of here: the address of a test is nobody's.
        let egress = Egress::new(egress::Settings::default()).expect("settings");
        Self::of(
            Catalogue::load(None).expect("our own files"),
            "linear",
            egress,
        )
        .await
    }

    /// The same with a connection to another service, and another way out.
    pub(super) async fn of(catalogue: Catalogue, service: &str, egress: Egress) -> Self {
        let random = Random::seeded(7);
        let store = Store::memory(MasterKey::generate(&random), random.clone());
        let given = ServiceSettings {
            client_id: Some("client".to_owned()),
            client_secret: Some(Secret::new("secret")),
            variables: BTreeMap::new(),
        };
        let settings = BTreeMap::from([(service.to_owned(), given)]);
        let gateway = Gateway::new(
            store,
            egress,
            Services::new(catalogue, &settings).expect("one service"),
            Links::new("http://127.0.0.1:8080").expect("an address"),
            Clock::manual(NOON),
            random,
            Settings::default(),
        );
        let connection = Self::connect(&gateway, service).await;
        let key = record_key(&connection);
        Self {
            gateway,
            connection,
            key,
        }
    }

    async fn connect(gateway: &Gateway, service: &str) -> Connection {
        let person = gateway.person("test", "ana", "ana").await.expect("a store");
        let services = gateway.services();
        let ready = services.find(service).and_then(|found| found.ready());
        let connection = Connection {
            id: ConnectionId::new(gateway.random()),
            person: person.id.clone(),
            service: service.to_owned(),
            account: Account {
                id: "1".to_owned(),
                label: "ana".to_owned(),
                workspace: None,
            },
            granted_by: ready.expect("it is set up").authority(),
            requested: ScopeSet::default(),
            granted: ScopeSet::default(),
            status: Status::Active,
            since: NOON,
            connects: 1,
            reach: crate::catalogue::Reach::default(),
        };
        let credential = Credential {
            access_token: Secret::new("access"),
            refresh_token: Some(Secret::new("refresh")),
            obtained: NOON,
            expires: Some(NOON + LIFETIME),
            refresh_expires: None,
            generation: connection.first_generation(),
            intent: None,
        };
        let (store, key) = (&gateway.parts.store, record_key(&connection));
        let stored = store.credentials().create(&key, &credential).await;
        stored.expect("a store");
        let stored = store.connections().create(&key, &connection).await;
        stored.expect("a store");
        connection
    }
}
