//! Filling a store before the gateway under test opens it: people, their agents, their connections.
//!
//! The command line makes one person; a benchmark needs many. The library of the very same version writes them, by the
//! verbs that the pages use, and closes the store again. Where a million are needed, one person is made like that and the
//! records are copied, by the typed tables, under other names.

use anyhow::{Context, anyhow};
use attache::app::App;
use attache::base::{AgentId, Clock, ConnectionId, PersonId, Random, Secret, Timestamp};
use attache::config::{Config, Environment, Options};
use attache::connection::{Connection, Credential};
use attache::gateway::{CallbackParameters, Gateway};
use attache::identity::{AgentToken, Principal};
use attache::store::{MasterKey, Store};
use futures::{StreamExt, TryStreamExt, stream};
use url::Url;

use crate::gateway::{Home, SERVICE};

/// How many people are written at once: writes share their syncs.
const AT_ONCE: usize = 64;

/// A person that the store shall hold.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Their name, and that of their account at the API.
    pub(crate) name: String,
    /// Whether their account is connected already.
    pub(crate) connected: bool,
}

/// A person that the store holds.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// Their agent's token.
    pub(crate) token: String,
    /// The path that signs a browser in, once. None for those who are connected: they need no browser.
    pub(crate) sign_in: Option<String>,
}

fn config(home: &Home) -> anyhow::Result<Config> {
    let options = Options {
        config: Some(home.config()),
        ..Options::default()
    };
    Config::resolve(&options, &Environment::default()).map_err(|problems| anyhow!("{problems:?}"))
}

/// Writes `people` into the store of `home`, in which nothing may run.
pub(crate) async fn fill(home: &Home, people: &[Wanted]) -> anyhow::Result<Vec<Person>> {
    let config = config(home)?;
    let app = App::start(config, Clock::System, Random::System).await?;
    let written = stream::iter(people)
        .map(|wanted| person(app.gateway(), wanted))
        .buffered(AT_ONCE)
        .try_collect()
        .await;
    drop(app.stop().await);
    written
}

async fn person(gateway: &Gateway, wanted: &Wanted) -> anyhow::Result<Person> {
    let name = wanted.name.as_str();
    let (caller, token) = gateway
        .startup_caller("attache:bench", name, name, "Agent")
        .await?;
    let link = gateway.create_sign_in_link(&caller.principal).await?;
    let path = Url::parse(&link)?.path().to_owned();
    let sign_in = if wanted.connected {
        connect(gateway, name, &path).await?;
        None
    } else {
        Some(path)
    };
    Ok(Person {
        name: name.to_owned(),
        token: token.expose().to_owned(),
        sign_in,
    })
}

/// What happens between a click on Connect and the page that says so, without the pages.
async fn connect(gateway: &Gateway, account: &str, sign_in: &str) -> anyhow::Result<()> {
    let failed = |error| anyhow!("{account} could not be connected: {error:?}");
    let link = sign_in
        .rsplit('/')
        .next()
        .context("a link has a last part")?;
    let (_, signed_in) = gateway
        .sign_in(&Secret::new(link))
        .await?
        .context("a fresh link signs in")?;
    let begun = gateway
        .begin_with_service(SERVICE, &signed_in)
        .await
        .map_err(failed)?;
    let mut sent = begun.authorization_url.query_pairs();
    let state = sent.find(|(name, _)| name == "state").context("a state")?;
    let callback = CallbackParameters {
        state: vec![state.1.into_owned()],
        code: vec![account.to_owned()],
        ..CallbackParameters::default()
    };
    gateway
        .complete(SERVICE, &callback, &signed_in, Some(&begun.flow_cookie))
        .await
        .map_err(failed)?;
    Ok(())
}

/// How many people are copied at once.
const COPIES_AT_ONCE: usize = 1_024;

/// One person as the gateway made it, for many like it.
struct Model {
    principal: Principal,
    connection: Connection,
    credential: Credential,
    /// The secret half of every copy's token.
    secret: Secret,
}

/// Writes so many people with one agent and so many connections each, one of them to the service that is called, into the
/// store of `home`, in which nothing may run. Answers with the agents' tokens.
pub(crate) async fn grow(home: &Home, people: usize, each: usize) -> anyhow::Result<Vec<String>> {
    let wanted = Wanted {
        name: "model".to_owned(),
        connected: true,
    };
    fill(home, &[wanted]).await?;
    let (config, random) = (config(home)?, Random::System);
    let key = MasterKey::load(&config.master_key, &config.store, &random)?;
    let store = Store::open(&config.store, key, random.clone()).await?;
    let model = &model(&store, &random).await?;
    let tokens = stream::iter(0..people)
        .map(|_| copy(&store, model, each, &random))
        .buffer_unordered(COPIES_AT_ONCE)
        .try_collect()
        .await;
    store.close().await;
    tokens
}

async fn model(store: &Store, random: &Random) -> anyhow::Result<Model> {
    let connections = store.connections();
    let credentials = store.credentials();
    for person in store.people().list("", 10).await?.whole()? {
        let own = connections.list(&format!("{}/", person.key()), 1).await?;
        let Some(connection) = own.whole()?.pop() else {
            continue;
        };
        let credential = credentials.get(connection.key()).await?;
        return Ok(Model {
            principal: person.value,
            credential: credential.context("a credential")?.value,
            connection: connection.value,
            secret: random.token(),
        });
    }
    Err(anyhow!("nobody is connected"))
}

async fn copy(
    store: &Store,
    model: &Model,
    each: usize,
    random: &Random,
) -> anyhow::Result<String> {
    let person = PersonId::new(random);
    let token = AgentToken::from_parts(AgentId::new(random), model.secret.clone());
    let agent = token.agent(person.clone(), "Agent", Timestamp::from_unix(1_790_000_000));
    let principal = Principal {
        id: person.clone(),
        ..model.principal.clone()
    };
    store.people().create(person.as_str(), &principal).await?;
    store.agents().create(agent.id.as_str(), &agent).await?;
    let connections = (0..each).map(|number| connect_copy(store, model, &person, number, random));
    futures::future::try_join_all(connections).await?;
    Ok(token.to_secret().expose().to_owned())
}

async fn connect_copy(
    store: &Store,
    model: &Model,
    person: &PersonId,
    number: usize,
    random: &Random,
) -> anyhow::Result<()> {
    let id = ConnectionId::new(random);
    let key = format!("{person}/{id}");
    let service = match number {
        0 => model.connection.service.clone(),
        other => format!("other-{other}"),
    };
    let connection = Connection {
        id,
        person: person.clone(),
        service,
        ..model.connection.clone()
    };
    let credentials = store.credentials();
    credentials.create(&key, &model.credential).await?;
    store.connections().create(&key, &connection).await?;
    Ok(())
}
