//! Filling a store before the gateway under test opens it: people, their agents, their connections.
//!
//! The command line makes one person; a benchmark needs many. The library of the very same version writes them, by the
//! verbs that the pages use, and closes the store again.

use anyhow::{Context, anyhow};
use attache::app::App;
use attache::base::{Clock, Random, Secret};
use attache::config::{Config, Environment, Options};
use attache::gateway::{CallbackParameters, Gateway};
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

/// Writes `people` into the store of `home`, in which nothing may run.
pub(crate) async fn fill(home: &Home, people: &[Wanted]) -> anyhow::Result<Vec<Person>> {
    let options = Options {
        config: Some(home.config()),
        ..Options::default()
    };
    let config = Config::resolve(&options, &Environment::default())
        .map_err(|problems| anyhow!("{problems:?}"))?;
    let app = App::start(config, Clock::System, Random::System).await?;
    let written = stream::iter(people)
        .map(|wanted| person(app.gateway(), wanted))
        .buffered(AT_ONCE)
        .try_collect()
        .await;
    app.stop().await;
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
