//! The demo: a gateway with the Sandbox beside it, for two people.
//!
//! The Sandbox stands for any third-party service: the gateway reaches it over HTTP alone, through its provider file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::control::WaitingForTheEnd;
use super::drill::SandboxAtHand;
use super::gateway::{App, StartError, links};
use super::listen;
use super::ready::{Ready, ReadyPerson, ReadyState, ShownOnce};
use crate::base::{Clock, Random, Secret};
use crate::config::Config;
use crate::egress::LoopbackAuthority;
use crate::gateway::{Fault, Gateway, Links, ServiceSettings};
use crate::identity::{Caller, Mode};
use crate::sandbox::{self, Sandbox};

/// The service that the demo is about.
const SANDBOX: &str = "sandbox";

/// Who vouches for the people of the demo.
const ISSUER: &str = "attache:demo";

/// The people of the demo. Commands and bridges act for the first.
const PEOPLE: [(&str, &str); 2] = [("ana", "Ana"), ("ben", "Ben")];

/// One of the people of the demo as their agent calls, and that agent's token.
async fn caller(
    gateway: &Gateway,
    (subject, name): (&str, &str),
) -> Result<(Caller, Secret), Fault> {
    let agent = format!("{name}'s agent");
    gateway.startup_caller(ISSUER, subject, name, &agent).await
}

/// A running demo.
pub struct Demo {
    app: App,
    sandbox: Sandbox,
    data_dir: PathBuf,
}

/// Why the demo did not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Others could reach it.
    #[error(
        "the demo has no real sign-in, so it listens on this machine only; use --bind 127.0.0.1:PORT"
    )]
    NotLoopback,
    /// The gateway did not start.
    #[error(transparent)]
    Gateway(#[from] StartError),
    /// The Sandbox did not start.
    #[error("the Sandbox did not start: {0}")]
    Sandbox(String),
}

impl From<Fault> for DemoError {
    fn from(fault: Fault) -> Self {
        Self::Gateway(fault.into())
    }
}

impl Demo {
    /// Starts both, from the gateway's configuration, whose address must be on this machine.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn start(
        mut config: Config,
        clock: Clock,
        random: Random,
    ) -> Result<Self, DemoError> {
        if !config.bind.ip().is_loopback() {
            return Err(DemoError::NotLoopback);
        }
        let (listener, address) = listen::bind(config.bind).await.map_err(StartError::from)?;
        let links = links(&config, address)?;
        let data_dir = config.data_dir.clone();
        let sandbox = start_sandbox(&data_dir, clock.clone(), random.clone()).await?;
        let (service, authority) = set_up(&sandbox, &links).await?;
        config.mode = Mode::Demo;
        config.sign_in = None;
        config.services.insert(SANDBOX.to_owned(), service);
        config.egress.dangerously_allow_loopback.push(authority);
        let mut app = App::start_on(listener, address, config, clock, random).await?;
        let (owner, _) = caller(app.gateway(), PEOPLE[0]).await?;
        app.practise_on(SandboxAtHand {
            control: sandbox.control(),
            service: SANDBOX.to_owned(),
        });
        app.open_control(owner)?;
        Ok(Self {
            app,
            sandbox,
            data_dir,
        })
    }

    /// The gateway.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// What to say when it is ready: fresh sign-in links and the people's tokens.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn ready(&self) -> Result<Ready, Fault> {
        let mut people = Vec::new();
        let gateway = self.app.gateway();
        for person in PEOPLE {
            let (caller, agent_token) = caller(gateway, person).await?;
            let sign_in_url = gateway.create_sign_in_link(&caller.principal).await?;
            people.push(ReadyPerson {
                name: person.0.to_owned(),
                sign_in_url,
                agent_token,
            });
        }
        let links = gateway.links();
        Ok(Ready {
            mcp_url: links.mcp(),
            sse_url: self.app.sse_url(),
            dashboard_url: links.connections(),
            state: ReadyState::Ready,
            problem: None,
            sign_in_url: Some(people[0].sign_in_url.clone()),
            agent_token: Some(ShownOnce(people[0].agent_token.clone())),
            data_dir: self.data_dir.clone(),
            sandbox_url: Some(self.sandbox.url().to_owned()),
            people,
        })
    }

    /// Ends both in order.
    pub async fn stop(self) -> WaitingForTheEnd {
        let waiting = self.app.stop().await;
        self.sandbox.stop().await;
        waiting
    }
}

async fn start_sandbox(
    data_dir: &std::path::Path,
    clock: Clock,
    random: Random,
) -> Result<Sandbox, DemoError> {
    let settings = sandbox::Settings {
        bind: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        state_file: Some(data_dir.join("sandbox.json")),
    };
    sandbox::start(settings, clock, random)
        .await
        .map_err(|error| DemoError::Sandbox(error.to_string()))
}

/// What an admin would do by hand: register Attache at the service, and tell Attache about it.
async fn set_up(
    sandbox: &Sandbox,
    links: &Links,
) -> Result<(ServiceSettings, LoopbackAuthority), DemoError> {
    let failed = |error: &dyn std::fmt::Display| DemoError::Sandbox(error.to_string());
    let client = sandbox
        .register_client("Attache", &links.callback(SANDBOX))
        .await
        .map_err(|error| failed(&error))?;
    let port = sandbox.port();
    let authority = format!("localhost:{port}")
        .parse::<LoopbackAuthority>()
        .map_err(|error| failed(&error))?;
    let service = ServiceSettings {
        client_id: Some(client.client_id),
        client_secret: Some(client.client_secret),
        variables: BTreeMap::from([("port".to_owned(), port.to_string())]),
    };
    Ok((service, authority))
}
