//! Person x token x transport x what is asked: one table of what comes back.

use std::time::Duration;

use attache::identity::AgentTerms;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{agent, connected, expires_in, narrowed_to, only, principal};
use crate::sse::Stream;
use crate::support::gateway::{TestGateway, clock};
use crate::support::legacy::LegacySession;
use crate::support::machine::{Bridge, legacy};
use crate::support::person::{Answer, Person};
use crate::support::program;
use crate::support::provider::Provider;

/// What a token is, and so what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Narrowed,
    Unknown,
    WrongSecret,
    Expired,
    Stopped,
    Revoked,
}

const KINDS: [Kind; 7] = [
    Kind::Good,
    Kind::Narrowed,
    Kind::Unknown,
    Kind::WrongSecret,
    Kind::Expired,
    Kind::Stopped,
    Kind::Revoked,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Modern,
    Session,
    Sse,
    Bridge,
}

/// Somebody who asks, over one transport, at one endpoint.
enum Asker<'a> {
    Modern(&'a Person, &'static str),
    Session(Box<LegacySession>),
    Sse(Box<Stream>, u32),
    Bridge(Box<Bridge>, u64),
}

impl Asker<'_> {
    /// The result, or the error of JSON-RPC.
    async fn ask(&mut self, method: &str, parameters: Value) -> Value {
        let answer = match self {
            Self::Modern(person, endpoint) => {
                let name = parameters["name"].as_str().map(str::to_owned);
                let sent = person.send(endpoint, method, name.as_deref(), parameters, json!({}));
                Answer::of(sent.await).await.body
            }
            Self::Session(session) => session.ask(method, parameters).await,
            Self::Sse(stream, id) => {
                *id += 1;
                stream.request(*id, method, parameters).await
            }
            Self::Bridge(bridge, id) => {
                *id += 1;
                let mut request = legacy(*id, method);
                request["params"] = parameters;
                bridge.ask(&request).await
            }
        };
        if answer["result"].is_null() {
            answer["error"].clone()
        } else {
            answer["result"].clone()
        }
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let parameters = json!({ "name": tool, "arguments": arguments });
        self.ask("tools/call", parameters).await
    }

    async fn tools(&mut self) -> Vec<String> {
        let list = self.ask("tools/list", json!({})).await;
        let tools = list["tools"].as_array().cloned().unwrap_or_default();
        let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
        tools.iter().map(name).collect()
    }
}

fn text(result: &Value) -> String {
    result["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The tokens of one person, one of each kind.
async fn tokens(gateway: &TestGateway, owner: &Person) -> Vec<(Kind, Person)> {
    let parts = gateway.app().gateway();
    let owner_principal = principal(gateway, &owner.name).await;
    let mut tokens = Vec::new();
    for kind in KINDS {
        let terms = match kind {
            Kind::Narrowed => narrowed_to(only(&["acme"], true)),
            Kind::Expired => expires_in(gateway, Duration::from_hours(1)),
            _ => AgentTerms::default(),
        };
        let (record, bearer) = agent(gateway, owner, terms).await;
        let token = match kind {
            Kind::WrongSecret => {
                let (id, secret) = bearer.token().rsplit_once('_').expect("a token");
                format!("{id}_{}", secret.chars().rev().collect::<String>())
            }
            Kind::Unknown => bearer.token().replacen(&bearer.token()[4..8], "0000", 1),
            _ => bearer.token().to_owned(),
        };
        if kind == Kind::Revoked {
            parts
                .revoke_agent(&owner_principal, &record.id)
                .await
                .unwrap();
        }
        tokens.push((kind, Person::new(&owner.name, &gateway.origin(), &token)));
    }
    tokens
}

#[tokio::test]
async fn every_token_opens_what_it_opens_over_every_transport() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let birch = Provider::start_named("birch", &clock);
    let gateway = TestGateway::start(&clock, &[&acme, &birch]).await;
    let mut all = Vec::new();
    for name in ["ana", "ben"] {
        let owner = connected(&gateway, &acme, name).await;
        all.extend(
            tokens(&gateway, &owner)
                .await
                .into_iter()
                .filter(|(kind, _)| *kind != Kind::Stopped),
        );
    }
    // Stopping stops every agent of a person, so the stopped are those of a third.
    let cleo = connected(&gateway, &acme, "cleo").await;
    let (_, stopped) = agent(&gateway, &cleo, AgentTerms::default()).await;
    all.push((Kind::Stopped, stopped));
    let owner = principal(&gateway, "cleo").await;
    let parts = gateway.app().gateway();
    parts.stop_agents(&owner).await.unwrap();
    clock.advance(Duration::from_hours(2));

    let mut refusals = Vec::new();
    for (kind, bearer) in &all {
        if matches!(kind, Kind::Good | Kind::Narrowed) {
            for transport in [
                Transport::Modern,
                Transport::Session,
                Transport::Sse,
                Transport::Bridge,
            ] {
                is_let_in(&gateway, *kind, bearer, transport).await;
            }
        } else {
            refusals.extend(is_turned_away(&gateway, *kind, bearer).await);
        }
    }
    let (_, first) = &refusals[0];
    for (kind, refusal) in &refusals {
        assert_eq!(
            refusal, first,
            "{kind:?} can be told from {:?}",
            refusals[0].0
        );
    }
    // Five kinds, four of them of two people, each at five doors.
    assert_eq!(refusals.len(), (4 * 2 + 1) * 5);
}

async fn open<'a>(
    gateway: &TestGateway,
    bearer: &'a Person,
    transport: Transport,
    service: Option<&'static str>,
) -> Option<Asker<'a>> {
    let endpoint = match service {
        None => "/mcp",
        Some("acme") => "/mcp/acme",
        Some(_) => "/mcp/birch",
    };
    Some(match transport {
        Transport::Modern => Asker::Modern(bearer, endpoint),
        Transport::Session => {
            let url = format!("{}{endpoint}", gateway.origin());
            let session = LegacySession::begin(&url, bearer.token(), "2025-11-25", json!({}));
            Asker::Session(Box::new(session.await))
        }
        Transport::Sse if service.is_some() => return None,
        Transport::Sse => Asker::Sse(Box::new(Stream::begin(gateway, bearer).await), 10),
        Transport::Bridge => {
            let mut command = program::command(&["stdio"]);
            command
                .env("ATTACHE_URL", gateway.origin())
                .env("ATTACHE_TOKEN", bearer.token());
            if let Some(service) = service {
                command.args(["--service", service]);
            }
            let mut bridge = Bridge::start(command);
            bridge.initialize().await;
            Asker::Bridge(Box::new(bridge), 10)
        }
    })
}

async fn is_let_in(gateway: &TestGateway, kind: Kind, bearer: &Person, transport: Transport) {
    let what = format!("{kind:?} token of {} over {transport:?}", bearer.name);
    let is_narrowed = kind == Kind::Narrowed;
    let mut asker = open(gateway, bearer, transport, None)
        .await
        .expect("/mcp is everywhere");

    let tools = asker.tools().await;
    let offers = |tool: &str| tools.iter().any(|name| name == tool);
    assert!(
        offers("acme_whoami") && offers("attache_connect"),
        "{what}: {tools:?}"
    );
    for outside in ["acme_create_thing", "birch_whoami"] {
        assert_eq!(offers(outside), !is_narrowed, "{what}: {outside}");
    }

    let mine = asker.call("acme_whoami", json!({})).await;
    assert!(text(&mine).contains(&bearer.name), "{what}: {mine:#}");

    let foreign = asker.call("birch_whoami", json!({})).await;
    assert_eq!(foreign["isError"], true, "{what}: {foreign:#}");
    let says = text(&foreign);
    assert_eq!(says.contains("/connect/"), !is_narrowed, "{what}: {says}");
    if is_narrowed {
        let sentences = [
            "narrowed its token to acme with tools that only look",
            &bearer.name,
            "attache agents narrow agt_",
        ];
        assert!(
            sentences.iter().all(|one| says.contains(one)),
            "{what}: {says}"
        );
        let changing = asker
            .call("acme_create_thing", json!({ "name": "kite" }))
            .await;
        assert!(
            text(&changing).contains("not one that only looks"),
            "{what}: {changing:#}"
        );
    }

    let stands = asker.call("attache_connections", json!({})).await;
    let stands = stands["structuredContent"]["services"].to_string();
    assert!(stands.contains("acme"), "{what}: {stands}");
    assert_eq!(stands.contains("birch"), !is_narrowed, "{what}: {stands}");

    let link = asker
        .call("attache_connect", json!({ "services": ["birch"] }))
        .await;
    assert_eq!(
        link.to_string().contains("/connect/"),
        !is_narrowed,
        "{what}: {link:#}"
    );
    let everything = asker.call("attache_connect", json!({})).await.to_string();
    assert_eq!(
        everything.contains("birch"),
        !is_narrowed,
        "{what}: {everything}"
    );

    if let Some(mut asker) = open(gateway, bearer, transport, Some("acme")).await {
        let tools = asker.tools().await;
        assert!(
            tools.iter().all(|name| name.starts_with("acme_")),
            "{what}: {tools:?}"
        );
        assert_eq!(
            tools.iter().any(|name| name == "acme_create_thing"),
            !is_narrowed,
            "{what}"
        );
    }
    if let Some(mut asker) = open(gateway, bearer, transport, Some("birch")).await {
        assert_eq!(asker.tools().await.is_empty(), is_narrowed, "{what}");
        let refused = asker.call("birch_whoami", json!({})).await;
        assert_eq!(
            text(&refused).contains("/connect/"),
            !is_narrowed,
            "{what}: {refused:#}"
        );
    }
}

/// Everything that tells one refusal from another.
type Refusal = (StatusCode, Vec<(String, String)>, Vec<u8>);

async fn is_turned_away(
    gateway: &TestGateway,
    kind: Kind,
    bearer: &Person,
) -> Vec<(Kind, Refusal)> {
    let what = format!("{kind:?} token of {}", bearer.name);
    let mut refusals = Vec::new();
    for endpoint in ["/mcp", "/mcp/acme"] {
        for (method, name) in [("tools/list", None), ("tools/call", Some("acme_whoami"))] {
            let parameters = json!({ "name": name, "arguments": {} });
            let sent = bearer
                .send(endpoint, method, name, parameters, json!({}))
                .await;
            refusals.push((kind, refusal(sent, &what).await));
        }
    }
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let stream = http
        .get(format!("{}/sse", gateway.origin()))
        .bearer_auth(bearer.token());
    refusals.push((kind, refusal(stream.send().await.unwrap(), &what).await));

    let mut command = program::command(&["stdio"]);
    command
        .env("ATTACHE_URL", gateway.origin())
        .env("ATTACHE_TOKEN", bearer.token());
    let mut bridge = Bridge::start(command);
    let answer = bridge.ask(&legacy(1, "tools/list")).await;
    assert!(
        answer["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("not known")),
        "{what}: {answer:#}"
    );
    refusals
}

async fn refusal(response: reqwest::Response, what: &str) -> Refusal {
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
    let headers = response
        .headers()
        .iter()
        .filter(|(name, _)| *name != "date");
    let headers =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let (status, headers) = (response.status(), headers.collect());
    (status, headers, response.bytes().await.unwrap().to_vec())
}
