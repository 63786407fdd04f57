//! Renewing credentials: when, how often, and what becomes of the connection when the provider does not play along.

mod faults;
mod once;
mod times;

use std::time::Duration;

use attache::base::Clock;
use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock};
use crate::support::person::{Answer, Person};
use crate::support::provider::Provider;

const HOUR: Duration = Duration::from_hours(1);
/// How long the gateway waits for the provider.
const PATIENCE: Duration = Duration::from_mins(2);

/// Ana, connected to `acme`, whose access tokens live an hour.
struct Scene {
    acme: Provider,
    gateway: TestGateway,
    ana: Person,
}

impl Scene {
    /// The provider as `knobs` make it.
    async fn with(knobs: impl FnOnce(&Provider)) -> Self {
        let clock = clock();
        Self::with_clocks(&clock, &clock, knobs).await
    }

    /// The same, where gateway and provider go by clocks of their own.
    async fn with_clocks(clock: &Clock, theirs: &Clock, knobs: impl FnOnce(&Provider)) -> Self {
        let acme = Provider::start(theirs);
        knobs(&acme);
        let gateway = TestGateway::start_configured(clock, &[&acme], |config| {
            // Thousands of calls at once on a busy machine: nothing here is about time-outs.
            config.egress.connect_timeout = PATIENCE;
            config.egress.limits.headers = PATIENCE;
            config.egress.limits.total = PATIENCE;
        })
        .await;
        let ana = gateway.person("ana").await;
        let link = ana
            .call("acme_create_thing", json!({ "name": "kite" }))
            .await
            .link();
        ana.connect(&link, &acme).await.assert_connected();
        Self { acme, gateway, ana }
    }

    /// The provider that is hardest to please: it rotates, and a second use of a refresh token ends the grant.
    async fn strict() -> Self {
        Self::with(|acme| {
            acme.rotates_refresh_tokens();
        })
        .await
    }

    fn clock(&self) -> &Clock {
        self.gateway.clock()
    }

    async fn whoami(&self) -> Answer {
        self.ana.call("acme_whoami", json!({})).await
    }

    async fn assert_works(&self) {
        assert_eq!(self.whoami().await.json()["name"], "ana");
    }

    /// Ana connects again, with the link that a call gives her now.
    async fn reconnect(&self) {
        let link = self.whoami().await.link();
        self.ana.connect(&link, &self.acme).await.assert_connected();
        self.assert_works().await;
    }

    async fn assert_card(&self, status: &str) {
        assert_eq!(self.ana.open("/connections").await.card("acme"), status);
    }

    /// How many refreshes the provider was asked for.
    fn refreshes(&self) -> usize {
        let requests = self.acme.token_requests();
        requests
            .iter()
            .filter(|request| {
                request.params().get("grant_type").map(String::as_str) == Some("refresh_token")
            })
            .count()
    }

    async fn do_due_work(&self) {
        self.gateway
            .app()
            .gateway()
            .do_due_work()
            .await
            .expect("the store works");
    }

    /// Ends the gateway in order and starts it again.
    async fn restarted(self) -> Self {
        let Self { acme, gateway, .. } = self;
        let gateway = gateway.restart(&[&acme]).await;
        let ana = gateway.person("ana").await;
        Self { acme, gateway, ana }
    }
}

/// What an agent is told when the connection stays and cannot be renewed at the moment.
fn assert_delayed(answer: &Answer) {
    let structured = &answer.result()["structuredContent"];
    assert_eq!(structured["error"], json!("delayed"), "{:#}", answer.body);
    assert!(
        structured["retry_after_seconds"]
            .as_u64()
            .is_some_and(|wait| wait > 0)
    );
    assert_eq!(structured.get("connect_url"), None::<&Value>);
}
