//! The real gateway, started inside the test on a free port, with a clock that the test turns.

use std::collections::BTreeMap;
use std::path::Path;

use attache::app::App;
use attache::base::{Clock, Random, Timestamp};
use attache::config::{Config, Environment, Options};
use attache::gateway::ServiceSettings;
use attache::store::{MasterKey, Restore, Restored, Store};
use tempfile::TempDir;

use super::machine::Bridge;
use super::person::Person;
use super::program;
use super::provider::Provider;
use super::rows::Rows;

/// When every test begins: 2026-11-23T06:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_unix(1_795_413_600);

/// A clock that stands at [`START`].
pub(crate) fn clock() -> Clock {
    Clock::manual(START)
}

/// What most tests begin with: the provider `acme`, and a gateway on which it is set up.
pub(crate) async fn gateway_with_acme() -> (Provider, TestGateway) {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    (acme, gateway)
}

/// A running gateway. Its folder goes with it.
pub(crate) struct TestGateway {
    app: App,
    clock: Clock,
    folder: TempDir,
}

impl TestGateway {
    /// A gateway on which these providers are set up.
    pub(crate) async fn start(clock: &Clock, providers: &[&Provider]) -> Self {
        Self::start_configured(clock, providers, |_| {}).await
    }

    /// The same, with a configuration that the test changes first.
    pub(crate) async fn start_configured(
        clock: &Clock,
        providers: &[&Provider],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let app = start_app(folder.path(), clock, providers, change).await;
        Self {
            app,
            clock: clock.clone(),
            folder,
        }
    }

    /// Ends it in order and starts it again on the same folder.
    pub(crate) async fn restart(self, providers: &[&Provider]) -> Self {
        self.restart_configured(providers, |_| {}).await
    }

    /// The same, with a configuration that the test changes first.
    pub(crate) async fn restart_configured(
        self,
        providers: &[&Provider],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let Self { app, clock, folder } = self;
        drop(app.stop().await);
        let app = start_app(folder.path(), &clock, providers, change).await;
        Self { app, clock, folder }
    }

    /// Ends it in order, does `work` with its store while nobody else has it, and starts it again: what a process that was
    /// killed would have left behind, or a look at what is really stored.
    pub(crate) async fn at_rest(
        self,
        providers: &[&Provider],
        work: impl AsyncFnOnce(&Store),
    ) -> Self {
        let Self { app, clock, folder } = self;
        drop(app.stop().await);
        let (config, key) = config_and_key(folder.path());
        let store = Store::open(&config.store, key, Random::System).await;
        let store = store.expect("its store");
        work(&store).await;
        store.close().await;
        let app = start_app(folder.path(), &clock, providers, |_| {}).await;
        Self { app, clock, folder }
    }

    /// Ends it in order, does `work` with the rows of its store as whoever has the disk can, and starts it again.
    pub(crate) async fn with_rows<T>(
        self,
        providers: &[&Provider],
        work: impl FnOnce(&Rows) -> T,
    ) -> (Self, T) {
        let Self { app, clock, folder } = self;
        drop(app.stop().await);
        let done = work(&Rows::open(&folder.path().join("data")));
        let app = start_app(folder.path(), &clock, providers, |_| {}).await;
        (Self { app, clock, folder }, done)
    }

    /// Ends it in order, has a store made of `backup` take the place of its own, and starts it again.
    pub(crate) async fn restored(self, providers: &[&Provider], backup: &Path) -> (Self, Restored) {
        let Self { app, clock, folder } = self;
        drop(app.stop().await);
        let (config, key) = config_and_key(folder.path());
        let number = std::fs::read_dir(&config.data_dir)
            .expect("a folder")
            .count();
        let restore = Restore {
            settings: config.store,
            backup: backup.to_owned(),
            replace: true,
            aside: format!("store.before-{number}"),
        };
        let restored = restore.run(&key, &Random::System, &|_, _, _| {}).await;
        let restored = restored.unwrap_or_else(|error| panic!("{error}"));
        let app = start_app(folder.path(), &clock, providers, |_| {}).await;
        (Self { app, clock, folder }, restored)
    }

    /// The master key of its store.
    pub(crate) fn master_key(&self) -> MasterKey {
        config_and_key(self.folder.path()).1
    }

    /// A person who is signed in, with an agent of their own.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let agent = format!("{name}'s agent");
        let person = self
            .app
            .gateway()
            .startup_caller("attache:test", name, name, &agent)
            .await;
        let (caller, token) = person.expect("the store works");
        let link = self
            .app
            .gateway()
            .create_sign_in_link(&caller.principal)
            .await
            .expect("the store works");
        let person = Person::new(name, &self.origin(), token.expose());
        person.sign_in(&link).await;
        person
    }

    /// A client's process, `attache stdio`, which reaches this gateway through its control socket and acts for the person
    /// whom [`TestGateway::person`] knows by the same name.
    pub(crate) async fn bridge_for(&mut self, name: &str) -> Bridge {
        let agent = format!("{name}'s agent");
        let person = self
            .app
            .gateway()
            .startup_caller("attache:test", name, name, &agent)
            .await;
        let (caller, _) = person.expect("the store works");
        self.app.open_control(caller).expect("a socket");
        let data = self.folder().join("data");
        let mut command = program::command(&["stdio", "--data-dir"]);
        command.arg(data);
        Bridge::start(command)
    }

    /// The clock that it goes by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.app.gateway().links().origin().to_owned()
    }

    /// The folder with the store and the master key.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The use cases, for what no surface shows.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }
}

fn config_and_key(folder: &Path) -> (Config, MasterKey) {
    let options = Options {
        data_dir: Some(folder.join("data")),
        ..Options::default()
    };
    let config = Config::resolve(&options, &Environment::default()).expect("a right configuration");
    let key = MasterKey::load(&config.master_key, &config.store, &Random::System);
    (config, key.expect("its key"))
}

async fn start_app(
    folder: &Path,
    clock: &Clock,
    providers: &[&Provider],
    change: impl FnOnce(&mut Config),
) -> App {
    let files = folder.join("providers");
    std::fs::create_dir_all(&files).expect("a folder for provider files");
    let options = Options {
        bind: Some("127.0.0.1:0".into()),
        data_dir: Some(folder.join("data")),
        providers: Some(files.clone()),
        ..Options::default()
    };
    let mut config =
        Config::resolve(&options, &Environment::default()).expect("a right configuration");
    for provider in providers {
        let file = files.join(format!("{}.toml", provider.name()));
        std::fs::write(file, provider.provider_file()).expect("a provider file");
        if let Some(product) = provider.product_file() {
            let file = files.join(format!("{}_notes.toml", provider.name()));
            std::fs::write(file, product).expect("a product file");
        }
        config
            .services
            .insert(provider.name(), registration(provider));
        let url = provider.url("/");
        let authority = format!("localhost:{}", url.port().expect("a port"));
        config
            .egress
            .dangerously_allow_loopback
            .push(authority.parse().expect("a loopback authority"));
    }
    change(&mut config);
    match App::start(config, clock.clone(), Random::System).await {
        Ok(app) => app,
        Err(error) => panic!("the gateway did not start: {error}"),
    }
}

fn registration(provider: &Provider) -> ServiceSettings {
    ServiceSettings {
        client_id: Some(provider.client_id()),
        client_secret: Some(attache::base::Secret::new(provider.client_secret())),
        variables: BTreeMap::new(),
    }
}
