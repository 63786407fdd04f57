//! Floor 4: the use cases.
//!
//! Owns what Attache does: list tools, call one, connect, disconnect, sign in, look after agents. Each verb says in
//! its steps what happens; the surfaces (`mcp`, `web`) only translate. Refuses to know rmcp, axum and sled.

mod access_tokens;
mod accounts;
mod admission;
mod agents;
mod arrivals;
mod attempts;
mod burial;
mod call;
mod call_error;
mod connect;
mod connections;
mod credentials;
mod damage;
mod default_account;
mod deliver;
mod departure;
mod disconnect;
mod disconnect_all;
mod drill;
mod fault;
#[cfg(test)]
mod fixture;
mod health;
mod keys;
mod last_rites;
mod lease;
mod links;
mod notify;
mod people;
mod probe;
mod renewal;
mod request_state;
mod scopes;
mod seen;
mod services;
mod sign_in;
mod standing;
mod store_check;
mod tickets;
mod upkeep;
mod usage;
mod webhook;

use std::sync::Arc;

pub use access_tokens::AccessTokenError;
pub use accounts::{AccountChoice, AccountChoices, Accounts, Unclear, WhichAccount};
pub use admission::{Busy, Limits, Permit};
pub use agents::{AgentView, Agents, NarrowingError};
pub use arrivals::Arriving;
pub use attempts::{Attempt, TooManyAttempts};
pub use call_error::CallError;
pub use connect::{
    Begun, CallbackParameters, Completed, ConnectError, DefaultNow, Extent, OtherAccounts,
    RemainingSteps,
};
pub use connections::{ConnectionView, ServiceView, Waiting};
pub use credentials::MissingReason;
pub use damage::DamagedConnection;
pub use default_account::DefaultAccountError;
pub use deliver::WebhookError;
pub use departure::{CutOff, Departure, PersonLine, RemovePersonError};
pub use disconnect::{DisconnectError, Obstacle, Receipt, Revoking};
pub use disconnect_all::{Ended, EndedAll};
pub use drill::{Actor, Drill, DrillReport, DrillStep, RehearsalError};
pub use fault::Fault;
pub use health::{Foreseen, Outlooks};
pub use links::Links;
pub use request_state::{RequestState, RequestStateError};
pub use scopes::{GrantedScope, Need, Scopes};
pub use services::{Ready, Service, ServiceSettings, Services, ServicesProblem};
pub use sign_in::{Arrived, Departing, SignInError, SignInSettings, SignedIn};
pub use standing::RoleError;
pub use tickets::{ConnectLink, StepView, TicketView};
pub use webhook::{Webhook, WebhookProblem, WebhookSettings};

use data_encoding::HEXLOWER;
use tokio::sync::{broadcast, watch};

use crate::base::{Clock, Random};
use crate::egress::Egress;
use crate::identity::{Principal, TrustedIssuer};
use crate::store::{Seal, Store};

/// What an operator says about the use cases, besides their services.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What each agent may ask for at once.
    pub limits: Limits,
    /// Where events are sent.
    pub webhooks: Vec<Webhook>,
    /// Whose access tokens are accepted.
    pub access_tokens: Vec<TrustedIssuer>,
    /// Who vouches for people; none: whoever is at this machine does.
    pub sign_in: Option<SignInSettings>,
}

/// The use cases over one store, one way out and one set of services. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    parts: Arc<Parts>,
}

struct Parts {
    store: Store,
    egress: Egress,
    services: watch::Sender<Arc<Services>>,
    links: Links,
    clock: Clock,
    random: Random,
    open_tickets: tickets::OpenTickets,
    arrivals: arrivals::Arrivals,
    resting_providers: last_rites::RestingProviders,
    request_state: Seal,
    used_sign_in_links: broadcast::Sender<Arc<Principal>>,
    admission: admission::Admission,
    access_tokens: access_tokens::AccessTokens,
    webhooks: Vec<Webhook>,
    renewals: renewal::Renewals,
    uses: usage::Uses,
    seen: seen::Seen,
    attempts: attempts::Attempts,
    told_damage: damage::ToldDamage,
    sign_in: Option<sign_in::IssuerDoor>,
}

impl Gateway {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        store: Store,
        egress: Egress,
        services: Services,
        links: Links,
        clock: Clock,
        random: Random,
        settings: Settings,
    ) -> Self {
        let admission = admission::Admission::new(settings.limits, clock.clone());
        let attempts = attempts::Attempts::new(clock.clone());
        let request_state = Seal::new(&store.sub_key("mcp request state"), random.clone());
        let renewals = renewal::Renewals::new(&random);
        let access_tokens = access_tokens::AccessTokens::new(settings.access_tokens, &links.mcp());
        let parts = Parts {
            store,
            egress,
            services: watch::Sender::new(Arc::new(services)),
            links,
            clock,
            random,
            open_tickets: tickets::OpenTickets::default(),
            arrivals: arrivals::Arrivals::default(),
            resting_providers: last_rites::RestingProviders::default(),
            request_state,
            used_sign_in_links: broadcast::Sender::new(16),
            admission,
            access_tokens,
            webhooks: settings.webhooks,
            renewals,
            uses: usage::Uses::default(),
            seen: seen::Seen::default(),
            attempts,
            told_damage: damage::ToldDamage::default(),
            sign_in: settings.sign_in.map(sign_in::IssuerDoor::new),
        };
        Self {
            parts: Arc::new(parts),
        }
    }

    /// The services of the catalogue as it is now, set up or not.
    #[must_use]
    pub fn services(&self) -> Arc<Services> {
        Arc::clone(&self.parts.services.borrow())
    }

    /// The services as they are now and become later, each time they are replaced.
    #[must_use]
    pub fn watch_services(&self) -> watch::Receiver<Arc<Services>> {
        self.parts.services.subscribe()
    }

    /// Puts other services in the place of those that were. Calls under way finish with what they began with.
    pub fn replace_services(&self, services: Services) {
        self.parts.services.send_replace(Arc::new(services));
    }

    /// The gateway's own addresses.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.parts.links
    }

    /// The clock that everything here goes by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.parts.clock
    }

    /// Where everything here takes its chance from.
    #[must_use]
    pub fn random(&self) -> &Random {
        &self.parts.random
    }

    /// A number that a person can quote and that stands in the log too.
    #[must_use]
    pub fn request_id(&self) -> String {
        format!("req_{}", HEXLOWER.encode(&self.parts.random.bytes::<6>()))
    }

    /// Tells of every sign-in link that is used from now on, and by whom, so that a new one can be offered.
    #[must_use]
    pub fn used_sign_in_links(&self) -> broadcast::Receiver<Arc<Principal>> {
        self.parts.used_sign_in_links.subscribe()
    }

    /// Removes what has expired: tickets, authorization requests, sessions; forgets idle agents. Returns how many
    /// records went.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn sweep(&self) -> Result<usize, Fault> {
        const AT_MOST: usize = 1_000;
        self.parts.admission.forget_the_idle();
        self.parts.attempts.forget_the_idle();
        Ok(self
            .parts
            .store
            .sweep(self.parts.clock.now(), AT_MOST)
            .await?)
    }
}
