//! The use cases without any surface, over a store in memory: for tests that need thousands of steps, or that take the
//! process away in the middle of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use attache::base::{Clock, Random, Secret};
use attache::catalogue::{Catalogue, Source, ToolOutput};
use attache::egress::{self, Egress};
use attache::gateway::{
    CallError, CallbackParameters, Completed, ConnectError, Gateway, Links, ServiceSettings,
    Services, Settings, SignedIn,
};
use attache::identity::Caller;
use attache::store::{MasterKey, Store};
use serde_json::Map;

use super::provider::Provider;

/// What outlives a process: the disk, the clock, and the provider's place in the configuration.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    random: Random,
    file: Source,
    settings: ServiceSettings,
    authority: String,
}

impl Machine {
    /// A machine with an empty store, on which `provider` is set up.
    pub(crate) fn new(clock: &Clock, provider: &Provider) -> Self {
        let random = Random::System;
        let key = MasterKey::generate(&random);
        let port = provider.url("/").port().expect("a port");
        Self {
            store: Store::memory(key, random.clone()),
            clock: clock.clone(),
            random,
            file: Source {
                file: format!("{}.toml", provider.name()),
                text: provider.provider_file(),
            },
            settings: ServiceSettings {
                client_id: Some(provider.client_id()),
                client_secret: Some(Secret::new(provider.client_secret())),
                variables: BTreeMap::new(),
            },
            authority: format!("localhost:{port}"),
        }
    }

    /// A new process on this machine.
    pub(crate) fn start(&self) -> Gateway {
        let catalogue = Catalogue::from_sources(vec![self.file.clone()]).expect("a right file");
        let id = self.file.file.trim_end_matches(".toml").to_owned();
        let settings = BTreeMap::from([(id, self.settings.clone())]);
        let services = Services::new(catalogue, &settings).expect("right settings");
        let mut egress = egress::Settings::default();
        egress
            .dangerously_allow_loopback
            .push(self.authority.parse().expect("a loopback authority"));
        Gateway::new(
            self.store.clone(),
            Egress::new(egress).expect("a way out"),
            services,
            Links::new("http://127.0.0.1:1").expect("an address"),
            self.clock.clone(),
            self.random.clone(),
            Settings::default(),
        )
    }
}

/// Who calls and who signs in: the same person.
#[derive(Clone)]
pub(crate) struct Someone {
    pub(crate) caller: Arc<Caller>,
    pub(crate) signed_in: SignedIn,
}

impl Someone {
    /// The person of this name, added if new.
    pub(crate) async fn named(gateway: &Gateway, name: &str) -> Self {
        let (caller, _) = gateway
            .startup_caller("attache:test", name, name, "agent")
            .await
            .expect("the store works");
        let signed_in = SignedIn {
            principal: Arc::clone(&caller.principal),
            form_token: Secret::new("form"),
        };
        Self {
            caller: Arc::new(caller),
            signed_in,
        }
    }

    /// Connects `provider` as the account of this name, from beginning to end.
    pub(crate) async fn connect(
        &self,
        gateway: &Gateway,
        provider: &Provider,
        account: &str,
    ) -> Result<Completed, ConnectError> {
        let service = provider.name();
        let begun = gateway
            .begin_with_service(&service, &self.signed_in)
            .await?;
        let callback = provider
            .has_account(account)
            .consent(&begun.authorization_url)
            .await;
        let values = |name: &str| -> Vec<String> {
            let pairs = callback.query_pairs();
            pairs
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .collect()
        };
        let parameters = CallbackParameters {
            others: Vec::new(),
            state: values("state"),
            code: values("code"),
            iss: values("iss"),
            error: values("error"),
        };
        gateway
            .complete(
                &service,
                &parameters,
                &self.signed_in,
                Some(&begun.flow_cookie),
            )
            .await
    }

    /// Calls a tool without arguments.
    pub(crate) async fn call(
        &self,
        gateway: &Gateway,
        tool: &str,
    ) -> Result<ToolOutput, CallError> {
        gateway.call_tool(&self.caller, tool, &Map::new()).await
    }
}
