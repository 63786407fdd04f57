//! Every contract fixture of this release once more, by the real way: a person's connection in the store, a call at the
//! gateway, requests over TCP, error rules, shaping, and what becomes of the connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attache::base::{Clock, ConnectionId, Random, Secret};
use attache::catalogue::{Account, Catalogue, Contract, Ending, Reach, Reply, Tenant, embedded};
use attache::connection::{Connection, Credential, ExpiredReason, Status};
use attache::egress::{self, Egress};
use attache::gateway::{
    CallError, CallbackParameters, Gateway, Links, Ready, ServiceSettings, Services, Settings,
    SignedIn,
};
use attache::identity::Caller;
use attache::store::{MasterKey, Store};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::support::catalogue::{catalogue, fixtures, tools};
use crate::support::gateway::START;
use crate::support::stage::{Piece, Stage};

/// How many calls run at once.
const AT_ONCE: usize = 16;

/// A gateway on which every service of this release is set up, and all of their providers on one stage.
struct House {
    gateway: Gateway,
    store: Store,
    stage: Stage,
}

impl House {
    async fn open(pieces: &[Piece]) -> Self {
        let stage = Stage::open().await;
        let sources = embedded().into_iter();
        let sources = sources.map(|source| stage.relocated(source)).collect();
        let catalogue = Catalogue::from_sources(sources);
        let catalogue = catalogue.unwrap_or_else(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", problems.join("\n"))
        });
        let mut settings: BTreeMap<String, ServiceSettings> = BTreeMap::new();
        for piece in pieces {
            let service = settings.entry(piece.provider().id().to_owned());
            let service = service.or_insert_with(|| ServiceSettings {
                client_id: Some("client".to_owned()),
                client_secret: Some(Secret::new("client-secret")),
                variables: piece.given_variables().clone(),
            });
            let same = service.variables == *piece.given_variables();
            assert!(same, "the fixtures of a provider agree on its variables");
        }
        let mut egress = egress::Settings::default();
        let authority = stage.authority().parse().expect("a loopback authority");
        egress.dangerously_allow_loopback.push(authority);
        let store = Store::memory(MasterKey::generate(&Random::System), Random::System);
        let gateway = Gateway::new(
            store.clone(),
            Egress::new(egress).expect("a way out"),
            Services::new(catalogue, &settings).expect("right settings"),
            Links::new("http://127.0.0.1:1").expect("an address"),
            Clock::manual(START),
            Random::System,
            Settings::default(),
        );
        Self {
            gateway,
            store,
            stage,
        }
    }

    /// A person for each fixture: what one call does to a connection is no other's business.
    async fn person(&self, name: &str) -> Caller {
        let person = self
            .gateway
            .startup_caller("attache:test", name, name, "agent");
        person.await.expect("the store works").0
    }

    fn ready(&self, piece: &Contract<'_>) -> Arc<Ready> {
        let services = self.gateway.services();
        let service = services.find(piece.provider().id()).expect("a service");
        Arc::clone(service.ready().expect("it is set up"))
    }

    /// Gives `caller` a connection with everything granted, and with what the fixture says that a login has captured. There
    /// is no refresh token: a token that is refused is the end of it.
    async fn connect(&self, caller: &Caller, piece: &Contract<'_>, token: &str) -> String {
        let ready = self.ready(piece);
        let captured = piece.captured().clone();
        let reach = if piece
            .tool()
            .is_some_and(|tool| tool.tenant_argument().is_some())
        {
            let tenant = Tenant {
                id: "tenant".to_owned(),
                label: "Tenant".to_owned(),
                captured,
            };
            Reach {
                tenants: vec![tenant],
                ..Reach::default()
            }
        } else {
            Reach::default()
        };
        let connection = Connection {
            id: ConnectionId::new(&Random::System),
            person: caller.principal.id.clone(),
            service: piece.provider().id().to_owned(),
            account: Account {
                id: "1".to_owned(),
                label: "ana".to_owned(),
                workspace: None,
            },
            granted_by: ready.authority(),
            requested: ready.oauth.scopes.clone(),
            granted: ready.oauth.scopes.clone(),
            status: Status::Active,
            since: START,
            connects: 1,
            reach,
        };
        let credential = Credential {
            access_token: Secret::new(token),
            refresh_token: None,
            obtained: START,
            expires: None,
            refresh_expires: None,
            generation: connection.first_generation(),
            intent: None,
        };
        let key = format!("{}/{}", connection.person, connection.id);
        let stored = self.store.credentials().create(&key, &credential).await;
        stored.expect("the store works");
        let stored = self.store.connections().create(&key, &connection).await;
        stored.expect("the store works");
        key
    }

    /// The connection at `key` as it stands.
    async fn connection(&self, key: &str) -> Connection {
        let record = self.store.connections().get(key).await;
        record.expect("the store works").expect("it is there").value
    }

    /// Makes the call of a fixture; returns what is not as it says.
    async fn call(&self, name: &str, piece: &Piece) -> Vec<String> {
        let tool = piece.tool().expect("a call").name();
        let token = format!("at-{name}-{}", Random::System.token().expose());
        let caller = self.person(name).await;
        let key = self.connect(&caller, piece, &token).await;
        self.stage.play(&token, piece);
        let arguments = piece.arguments();
        let answer = self.gateway.call_tool(&caller, tool, &arguments).await;
        let (sent, mut problems) = self.stage.seen(&token);
        let connection = self.connection(&key).await;
        match ends_the_connection(piece) {
            None => {
                problems.extend(ended(piece, answer));
                if connection.status != Status::Active || granted_less(&connection) {
                    problems.push(format!("the connection is {:?}", connection.status));
                }
            }
            Some(End::Expired) => {
                problems.extend(asked_to_connect(&answer, "has ended"));
                let reason = ExpiredReason::RefusedByProvider;
                if connection.status != (Status::Expired { reason }) {
                    problems.push(format!("the connection is {:?}", connection.status));
                }
                // From now on nothing is sent.
                let again = self.gateway.call_tool(&caller, tool, &arguments).await;
                problems.extend(asked_to_connect(&again, "has ended"));
            }
            Some(End::Withdrawn(said)) => {
                problems.extend(asked_to_connect(&answer, &said));
                if connection.status != Status::Active || !granted_less(&connection) {
                    let granted = &connection.granted;
                    problems.push(format!("{:?}, granted {granted}", connection.status));
                }
                let again = self.gateway.call_tool(&caller, tool, &arguments).await;
                problems.extend(asked_to_connect(&again, "lacks a permission"));
            }
        }
        let now = self.stage.seen(&token).0;
        if now != sent {
            problems.push(format!("{now} requests in place of {sent}"));
        }
        problems
    }

    /// Connects an account as the fixture of an account call says; returns what is not as it says.
    async fn log_in(&self, name: &str, piece: &Piece) -> Vec<String> {
        let ready = self.ready(piece);
        let (token, code) = (format!("at-{name}-0123456789"), format!("code-{name}"));
        let endpoint = ready.oauth.token.url.as_str();
        self.stage
            .grants(endpoint, &code, token_reply(&ready, &token));
        self.stage.play(&token, piece);
        let signed_in = SignedIn {
            principal: Arc::clone(&self.person(name).await.principal),
            form_token: Secret::new("form"),
        };
        let service = piece.provider().id();
        let begun = self.gateway.begin_with_service(service, &signed_in).await;
        let begun = begun.expect("it is set up");
        let mut parameters = begun.authorization_url.query_pairs();
        let state = parameters.find(|(name, _)| name == "state");
        let callback = CallbackParameters {
            state: vec![state.expect("a state").1.into_owned()],
            code: vec![code],
            iss: ready.oauth.issuer.iter().cloned().collect(),
            ..CallbackParameters::default()
        };
        let cookie = Some(&begun.flow_cookie);
        let completed = self
            .gateway
            .complete(service, &callback, &signed_in, cookie);
        match completed.await {
            Ok(completed) => {
                let (_, mut problems) = self.stage.seen(&token);
                let ending = Ending::of_account(&completed.connection.account);
                let ends = piece.problems_of_ending(&ending);
                problems.extend(ends.iter().map(ToString::to_string));
                problems
            }
            Err(error) => vec![format!("it is not connected: {error:?}")],
        }
    }
}

/// What a fixture does to the connection.
enum End {
    /// The token is refused, and there is nothing to renew it with.
    Expired,
    /// A permission is gone, for which the provider says this.
    Withdrawn(String),
}

fn ends_the_connection(piece: &Contract<'_>) -> Option<End> {
    let (key, refusal) = piece.outcome()?;
    let said = || refusal["message"].as_str().expect("a message").to_owned();
    let tool = piece.tool()?;
    let needs_scopes = || tool.scopes_for(&piece.arguments()).iter().next().is_some();
    match refusal["kind"].as_str().filter(|_| key == "refusal")? {
        "token_invalid" => Some(End::Expired),
        "scope_missing" if needs_scopes() => Some(End::Withdrawn(said())),
        _ => None,
    }
}

fn granted_less(connection: &Connection) -> bool {
    connection.granted != connection.requested
}

/// Where a call ends otherwise than the fixture says.
fn ended(
    piece: &Contract<'_>,
    answer: Result<attache::catalogue::ToolOutput, CallError>,
) -> Vec<String> {
    let refused = |error, done| match error {
        CallError::Refused { refusal, .. } => Ok(Ending::of_refusal(&refusal, done)),
        other => Err(other.sentence()),
    };
    let ending = match answer {
        Ok(output) => Ok(Ending::of_reply(Reply::Success(output), None)),
        Err(CallError::HalfDone { done, error }) => refused(*error, Some(done)),
        Err(error) => refused(error, None),
    };
    match ending {
        Ok(ending) => {
            let problems = piece.problems_of_ending(&ending);
            problems.iter().map(ToString::to_string).collect()
        }
        Err(sentence) => vec![format!("the call ends with: {sentence}")],
    }
}

/// Whether the answer is a link, and a sentence that says why.
fn asked_to_connect<T: std::fmt::Debug>(
    answer: &Result<T, CallError>,
    why: &str,
) -> Option<String> {
    match answer {
        Err(CallError::ConnectFirst(link)) if link.sentence.contains(why) => None,
        other => Some(format!("there should be a link ({why}): {other:?}")),
    }
}

/// What the token endpoint of a provider answers, where its file says that the fields stand.
fn token_reply(ready: &Ready, token: &str) -> Value {
    let rules = &ready.oauth.token_reply;
    let mut reply = json!({ "token_type": "bearer" });
    put(&mut reply, &rules.access_token, json!(token));
    put(&mut reply, &rules.expires_in, json!(3600));
    let separator = rules.scope_separators.chars().next().unwrap_or(' ');
    let scopes = ready.oauth.scopes.join(&separator.to_string());
    put(&mut reply, &rules.scope, json!(scopes));
    if let Some(ok) = &rules.ok {
        put(&mut reply, ok, json!(true));
    }
    reply
}

fn put(tree: &mut Value, path: &str, value: Value) {
    let mut place = tree;
    for key in path.split('.') {
        place = &mut place[key];
    }
    *place = value;
}

/// Every fixture, by a name that can stand in a token.
fn pieces() -> Vec<(String, Piece)> {
    let read = |file: &'static attache::catalogue::FixtureFile| {
        let piece = Contract::read(catalogue(), file).unwrap_or_else(|problem| panic!("{problem}"));
        let name = format!("{}-{}", file.owner, file.stem).replace('.', "-");
        (name, Arc::new(piece))
    };
    fixtures().iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fixture_holds_at_the_gateway_and_over_the_wire() {
    let pieces = pieces();
    let all: Vec<Piece> = pieces.iter().map(|(_, piece)| Arc::clone(piece)).collect();
    let house = &House::open(&all).await;
    for piece in all.iter().filter(|piece| piece.tool().is_some()) {
        let first = piece.requests().next().expect("a request");
        let text = |key: &str| first[key].as_str().expect("a text");
        house.stage.knows(piece, text("method"), text("url"));
    }
    let played = futures::stream::iter(&pieces).map(async |(name, piece)| {
        let problems = match piece.tool() {
            Some(_) => house.call(name, piece).await,
            None => house.log_in(name, piece).await,
        };
        problems
            .into_iter()
            .map(move |problem| format!("{name}: {problem}"))
    });
    let problems: Vec<Vec<String>> = played
        .buffer_unordered(AT_ONCE)
        .map(Iterator::collect)
        .collect()
        .await;
    let mut problems = problems.concat();
    problems.extend(house.stage.wrong());
    assert!(problems.is_empty(), "{}", problems.join("\n"));

    let called: BTreeSet<&str> = all
        .iter()
        .filter_map(|piece| piece.tool())
        .map(attache::catalogue::Tool::name)
        .collect();
    let uncalled: Vec<_> = tools()
        .map(|(_, tool)| tool.name())
        .filter(|name| !called.contains(name))
        .collect();
    assert!(
        uncalled.is_empty(),
        "no fixture calls {}",
        uncalled.join(", ")
    );
    println!("{} fixtures, which call {} tools", all.len(), called.len());
}
