//! Records that were damaged on the disk while nobody looked (S-38): each is an error of its own, which its person can mend,
//! and nothing else stops. Never does another's token reach a provider.

mod connections;
mod credentials;
mod many;
mod people;

use std::time::Duration;

use attache::app::control::{Answer, Command, run};
use attache::gateway::Gateway;
use attache::identity::{Caller, Principal};
use serde_json::json;

use crate::support::gateway::{TestGateway, clock};
use crate::support::person::{Page, Person};
use crate::support::provider::Provider;
use crate::support::rows::Rows;

const MINUTE: Duration = Duration::from_mins(1);

/// Ana, Ben and Cleo at `acme`; Ana at `birch` too.
struct Scene {
    acme: Provider,
    birch: Provider,
    gateway: TestGateway,
}

/// What is done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Injury {
    /// One bit of it is flipped.
    Flip,
    /// It is exchanged with the same row of Ben's.
    Swap,
}

const INJURIES: [Injury; 2] = [Injury::Flip, Injury::Swap];

impl Scene {
    async fn new() -> Self {
        let clock = clock();
        let (acme, birch) = (
            Provider::start(&clock),
            Provider::start_named("birch", &clock),
        );
        let gateway = TestGateway::start(&clock, &[&acme, &birch]).await;
        let ana = connected(&gateway, &acme, "ana").await;
        for name in ["ben", "cleo"] {
            connected(&gateway, &acme, name).await;
        }
        connects(&ana, &birch).await;
        Self {
            acme,
            birch,
            gateway,
        }
    }

    fn parts(&self) -> &Gateway {
        self.gateway.app().gateway()
    }

    async fn principal(&self, name: &str) -> Principal {
        self.caller(name).await.principal.as_ref().clone()
    }

    async fn caller(&self, name: &str) -> Caller {
        let agent = format!("{name}'s agent");
        let caller = self
            .parts()
            .startup_caller("attache:test", name, name, &agent);
        caller.await.expect("the store works").0
    }

    /// What stands after the prefix in the keys of a person's records of a connection.
    async fn key(&self, person: &str, service: &str) -> String {
        let principal = self.principal(person).await;
        let views = self.parts().connections(&principal).await;
        let views = views.expect("the store works");
        let view = views.iter().find(|view| view.service.id() == service);
        let connection = &view.expect("the service").connections[0].connection;
        format!("{}/{}", principal.id, connection.id)
    }

    async fn with_rows<T>(self, work: impl FnOnce(&Rows) -> T) -> (Self, T) {
        let Self {
            acme,
            birch,
            gateway,
        } = self;
        let (gateway, done) = gateway.with_rows(&[&acme, &birch], work).await;
        let scene = Self {
            acme,
            birch,
            gateway,
        };
        (scene, done)
    }

    /// Does this to the row of the table `prefix` that belongs to Ana's connection at `acme`.
    async fn injured(self, prefix: &str, injury: Injury) -> Self {
        let (hers, his) = (self.key("ana", "acme").await, self.key("ben", "acme").await);
        let (hers, his) = (format!("{prefix}/{hers}"), format!("{prefix}/{his}"));
        let injured = self.with_rows(|rows| match injury {
            Injury::Flip => rows.flip(&hers),
            Injury::Swap => rows.swap(&hers, &his),
        });
        injured.await.0
    }

    /// Everything that was not touched works as ever, and each acts as themselves.
    async fn assert_others_go_on(&self, injury: Injury) {
        let ana = self.gateway.person("ana").await;
        assert_eq!(whoami(&ana, "birch").await, "ana");
        let cleo = self.gateway.person("cleo").await;
        assert_eq!(whoami(&cleo, "acme").await, "cleo");
        assert_eq!(cleo.open("/connections").await.card("acme"), "active");
        if injury != Injury::Swap {
            let ben = self.gateway.person("ben").await;
            assert_eq!(whoami(&ben, "acme").await, "ben");
        }
    }

    async fn command(&self, name: &str, command: Command) -> Answer {
        let owner = self.caller(name).await;
        run(self.parts(), &owner, command).await
    }

    /// Time passes, and what is due is done.
    async fn later(&self, time: Duration) {
        self.gateway.clock().advance(time);
        let done = self.parts().do_due_work().await;
        done.expect("the store works");
    }
}

async fn connected(gateway: &TestGateway, provider: &Provider, name: &str) -> Person {
    let person = gateway.person(name).await;
    connects(&person, provider).await;
    person
}

async fn connects(person: &Person, provider: &Provider) {
    let tool = format!("{}_whoami", provider.name());
    let link = person.call(&tool, json!({})).await.link();
    person.connect(&link, provider).await.assert_connected();
}

/// Whose account a call reaches.
async fn whoami(person: &Person, service: &str) -> String {
    let answer = person.call(&format!("{service}_whoami"), json!({})).await;
    answer.json()["name"].as_str().expect("a name").to_owned()
}

/// The paths on a page that end so, each once.
fn paths(page: &Page, end: &str) -> Vec<String> {
    let after = page.text.split("\"/connections/con_").skip(1);
    let mut paths: Vec<_> = after
        .filter_map(|rest| rest.split('"').next())
        .filter(|rest| rest.ends_with(end))
        .map(|rest| format!("/connections/con_{rest}"))
        .collect();
    paths.dedup();
    paths
}

/// Opens the first page at such a path, and presses its button.
async fn opens_and_presses(person: &Person, end: &str) -> Page {
    let page = person.open("/connections").await;
    let path = paths(&page, end).remove(0);
    let question = person.open(&path).await;
    person.press(&question, &path).await
}
