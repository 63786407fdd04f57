//! Every way in which providers grant access, renew it and take it back: a person connects at each kind of provider through the
//! real gateway, and the provider says what arrived.

mod callbacks;
mod faults;
mod granting;
mod lifetimes;
mod renewing;
mod revoking;

use serde_json::json;

use crate::support::gateway::{TestGateway, clock};
use crate::support::person::{Answer, Page, Person};
use crate::support::provider::{Provider, Request};

/// Ana, connected to one kind of provider.
struct Connected {
    acme: Provider,
    gateway: TestGateway,
    ana: Person,
}

impl Connected {
    async fn to(kind: impl FnOnce(&Provider)) -> Self {
        let clock = clock();
        let acme = Provider::start(&clock);
        kind(&acme);
        let gateway = TestGateway::start(&clock, &[&acme]).await;
        let ana = gateway.person("ana").await;
        let link = ana
            .call("acme_create_thing", json!({ "name": "kite" }))
            .await
            .link();
        ana.connect(&link, &acme).await.assert_connected();
        Self { acme, gateway, ana }
    }

    async fn whoami(&self) -> Answer {
        self.ana.call("acme_whoami", json!({})).await
    }

    async fn assert_works(&self) {
        assert_eq!(self.whoami().await.json()["name"], "ana");
    }

    /// Disconnects on the Connections page, and returns the path and the receipt.
    async fn disconnect(&self) -> (String, Page) {
        let path = self.ana.open("/connections").await.disconnect_path();
        (path, self.ana.disconnect().await)
    }

    async fn card(&self) -> String {
        self.ana.open("/connections").await.card("acme")
    }

    /// The refreshes that arrived, in order.
    fn refreshes(&self) -> Vec<Request> {
        let mut requests = self.acme.token_requests();
        requests.retain(|request| request.param("grant_type").as_deref() == Some("refresh_token"));
        requests
    }

    /// The tokens of this kind that the provider issued, in order.
    fn issued(&self, kind: &str) -> Vec<String> {
        let mark = format!("_{kind}_");
        let mut canaries = self.acme.canaries();
        canaries.retain(|canary| canary.contains(&mark));
        canaries
    }
}

/// How a receipt says that it stands at the provider.
fn at_provider(receipt: &Page) -> &str {
    let (_, rest) = receipt
        .text
        .split_once("data-at-provider=\"")
        .expect("a receipt");
    rest.split('"').next().expect("an end")
}
