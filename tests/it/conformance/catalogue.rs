//! A gateway whose catalogue has the tools that the suite calls by name, as far as tools over REST can be what it asks.
//!
//! The suite has no client that opens links (URL elicitation), the one kind of question that the gateway asks. So the
//! application around it says that it can, and a person opens the links of one service: from then on, that is connected.

use std::path::Path;
use std::sync::Arc;

use attache::base::Secret;
use attache::config::Config;
use attache::gateway::ServiceSettings;
use axum::http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock};
use crate::support::person::Person;
use crate::support::provider::Provider;
use crate::support::relay::{Application, Relay};

/// What the provider files begin with, all alike.
const HEAD: &str = include_str!("catalogue/head.toml");

/// The services with their tools. The names of services are prefixes of the names that the suite wants.
const SERVICES: [(&str, &str); 5] = [
    // Connected from the beginning.
    ("test", include_str!("catalogue/test.toml")),
    // Connected through the link that the suite's client is shown.
    (LINKED, include_str!("catalogue/test_input.toml")),
    // Never connected.
    (
        "test_input_required",
        include_str!("catalogue/test_input_required.toml"),
    ),
    (
        "test_streaming",
        include_str!("catalogue/test_streaming.toml"),
    ),
    ("json", include_str!("catalogue/json.toml")),
];

/// The service whose links the person opens.
const LINKED: &str = "test_input";

/// A tool whose name for the suite is a letter longer than names of tools may be, and its name here.
const RENAMED: (&str, &str) = (
    "test_input_required_result_tampered_state",
    "test_input_required_result_tampered",
);

/// The gateway, the provider behind its services, and the person whose agent the suite is.
pub(super) struct Fixture {
    gateway: Arc<TestGateway>,
    provider: Arc<Provider>,
    person: Arc<Person>,
}

impl Fixture {
    pub(super) async fn start() -> Self {
        let clock = clock();
        let provider = Arc::new(Provider::start(&clock));
        let gateway = TestGateway::start_configured(&clock, &[&provider], |config| {
            for (service, tools) in SERVICES {
                add(config, &provider, service, tools);
            }
        })
        .await;
        let person = Arc::new(gateway.person("ana").await);
        let link = person.call("test_simple_text", json!({})).await.link();
        person.connect(&link, &provider).await.assert_connected();
        Self {
            gateway: Arc::new(gateway),
            provider,
            person,
        }
    }

    /// Where the suite connects to.
    pub(super) async fn relay(&self) -> Relay {
        let application = OpensLinks {
            gateway: Arc::clone(&self.gateway),
            provider: Arc::clone(&self.provider),
            person: Arc::clone(&self.person),
        };
        Relay::start(&self.gateway.origin(), self.person.token(), application).await
    }
}

/// Adds a service of the same provider.
fn add(config: &mut Config, provider: &Provider, service: &str, tools: &str) {
    let folder = config.providers.as_deref().expect("a folder of providers");
    let file = Path::new(folder).join(format!("{service}.toml"));
    let text = format!("{HEAD}\n{tools}").replace("@origin@", &provider.issuer());
    std::fs::write(file, text).expect("a provider file");
    let settings = ServiceSettings {
        client_id: Some(provider.client_id()),
        client_secret: Some(Secret::new(provider.client_secret())),
        ..ServiceSettings::default()
    };
    config.services.insert(service.to_owned(), settings);
}

/// Where clients say that they can ask people, in either era.
const ELICITATION: [&str; 2] = [
    "/params/_meta/io.modelcontextprotocol~1clientCapabilities/elicitation",
    "/params/capabilities/elicitation",
];

/// The tool with which the suite wants to change what there is.
const CHANGES_TOOLS: &str = "test_trigger_tool_change";

/// An application that opens links, with a person before it, and an operator who has the provider files read again.
struct OpensLinks {
    gateway: Arc<TestGateway>,
    provider: Arc<Provider>,
    person: Arc<Person>,
}

impl Application for OpensLinks {
    /// Where the client says that it can ask people (elicitation), adds that it can show them links; and calls a tool by
    /// its name here.
    fn amend(&self, headers: &mut HeaderMap, message: &Value) -> Option<Value> {
        let mut amended = message.clone();
        for place in ELICITATION {
            if let Some(capability) = amended.pointer_mut(place) {
                *capability = json!({ "form": {}, "url": {} });
            }
        }
        if message["params"]["name"] == CHANGES_TOOLS {
            let app = self.gateway.app();
            app.reload().expect("the provider files are as they were");
        }
        let (theirs, ours) = RENAMED;
        if let Some(name) = amended.pointer_mut("/params/name")
            && *name == *theirs
        {
            *name = json!(ours);
            headers.insert("mcp-name", HeaderValue::from_static(ours));
        }
        (amended != *message).then_some(amended)
    }

    async fn consider(&self, answer: &Value) {
        let place = format!("/result/inputRequests/connect_{LINKED}/params/url");
        if let Some(link) = answer.pointer(&place).and_then(Value::as_str) {
            self.person
                .connect(link, &self.provider)
                .await
                .assert_connected();
        }
    }
}
