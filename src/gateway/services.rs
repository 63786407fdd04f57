//! Which services of the catalogue are set up here, and with which client registration.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::Secret;
use crate::catalogue::{Catalogue, ClientAuth, OAuthProfile, Product, Provider, Tool, Variables};
use crate::connection::{ClientRegistration, GrantedBy};

/// What an operator says about one service.
#[derive(Clone, Debug, Default)]
pub struct ServiceSettings {
    /// Our client id at the provider.
    pub client_id: Option<String>,
    /// Our client secret at the provider.
    pub client_secret: Option<Secret>,
    /// Values of the provider file's variables.
    pub variables: BTreeMap<String, String>,
}

/// One service of the catalogue.
#[derive(Clone, Debug)]
pub struct Service {
    /// What its provider file says.
    pub provider: Arc<Provider>,
    /// Set when it can be connected.
    ready: Option<Arc<Ready>>,
}

/// What a service needs before anyone can connect it.
#[derive(Debug)]
pub struct Ready {
    /// The provider file's variables, filled in.
    pub variables: Variables,
    /// Who we are there.
    pub registration: ClientRegistration,
    /// How to speak OAuth there.
    pub oauth: OAuthProfile,
}

impl Ready {
    /// The authority that grants connections now.
    #[must_use]
    pub fn authority(&self) -> GrantedBy {
        GrantedBy {
            issuer: self.oauth.issuer.clone(),
            token_endpoint: self.oauth.token.url.to_string(),
            client_id: self.registration.client_id.clone(),
        }
    }
}

impl Service {
    /// What is needed to connect it; none when nobody has set it up.
    #[must_use]
    pub fn ready(&self) -> Option<&Arc<Ready>> {
        self.ready.as_ref()
    }

    /// Its identifier: the stem of its provider file.
    #[must_use]
    pub fn id(&self) -> &str {
        self.provider.id()
    }

    /// The identifiers of its products.
    pub fn product_ids(&self) -> impl Iterator<Item = &str> {
        self.provider.products().iter().map(Product::id)
    }
}

/// Why the settings of a service cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("services.{service}: {message}")]
pub struct ServicesProblem {
    /// The service.
    pub service: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// All services of the catalogue, in the order of their identifiers.
#[derive(Debug)]
pub struct Services {
    catalogue: Catalogue,
    services: BTreeMap<String, Service>,
}

impl Services {
    /// Matches the catalogue with what the operator says.
    ///
    /// # Errors
    /// Every problem at once: unknown services, missing secrets, bad variables.
    pub fn new(
        catalogue: Catalogue,
        settings: &BTreeMap<String, ServiceSettings>,
    ) -> Result<Self, Vec<ServicesProblem>> {
        let mut problems = unknown_services(&catalogue, settings);
        let mut services = BTreeMap::new();
        for provider in catalogue.providers() {
            let ready = match settings.get(provider.id()) {
                Some(given) => make_ready(provider, given).unwrap_or_else(|found| {
                    problems.extend(found);
                    None
                }),
                None => None,
            };
            services.insert(
                provider.id().to_owned(),
                Service {
                    provider: Arc::clone(provider),
                    ready,
                },
            );
        }
        if problems.is_empty() {
            Ok(Self {
                catalogue,
                services,
            })
        } else {
            Err(problems)
        }
    }

    /// A service by its identifier.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Service> {
        self.services.get(id)
    }

    /// A service by its identifier, or by that of one of its products.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<&Service> {
        let of_product = || {
            let (provider, _) = self.catalogue.product(id)?;
            self.find(provider.id())
        };
        self.find(id).or_else(of_product)
    }

    /// A service as it is set up now, if that is who once granted something there.
    pub(super) fn granting(
        &self,
        id: &str,
        granted_by: &GrantedBy,
    ) -> Result<(Service, Arc<Ready>), NotReady> {
        let service = self.find(id).ok_or(NotReady::NotSetUp)?;
        let ready = service.ready().ok_or(NotReady::NotSetUp)?;
        if ready.authority() == *granted_by {
            Ok((service.clone(), Arc::clone(ready)))
        } else {
            Err(NotReady::SetUpAnew)
        }
    }

    /// Every service, set up or not.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    /// The services that can be connected.
    pub fn enabled(&self) -> impl Iterator<Item = &Service> {
        self.iter().filter(|service| service.ready.is_some())
    }

    /// A tool and its service, whether set up or not.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<(&Service, &Arc<Tool>)> {
        let (provider, tool) = self.catalogue.tool(name)?;
        Some((self.services.get(provider.id())?, tool))
    }

    /// What is advertised: the tools of enabled services, in a fixed order.
    pub fn advertised(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.enabled().flat_map(|service| service.provider.tools())
    }
}

/// Why a provider cannot be asked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotReady {
    /// The service is not offered or not set up any more.
    NotSetUp,
    /// It is set up with another registration than the one that the tokens were given to.
    SetUpAnew,
}

fn unknown_services(
    catalogue: &Catalogue,
    settings: &BTreeMap<String, ServiceSettings>,
) -> Vec<ServicesProblem> {
    let known = catalogue
        .providers()
        .iter()
        .map(|provider| provider.id())
        .collect::<Vec<_>>()
        .join(", ");
    settings
        .keys()
        .filter(|id| catalogue.provider(id).is_none())
        .map(|id| ServicesProblem {
            service: id.clone(),
            message: format!("there is no such service; the catalogue has {known}"),
        })
        .collect()
}

fn make_ready(
    provider: &Arc<Provider>,
    given: &ServiceSettings,
) -> Result<Option<Arc<Ready>>, Vec<ServicesProblem>> {
    let problem = |message: String| ServicesProblem {
        service: provider.id().to_owned(),
        message,
    };
    let Some(client_id) = given.client_id.clone().filter(|id| !id.is_empty()) else {
        let orphan = given.client_secret.is_some();
        return if orphan {
            Err(vec![problem(
                "client_secret is set but client_id is not; set both, or neither".into(),
            )])
        } else {
            Ok(None)
        };
    };
    let variables = provider.resolve(&given.variables).map_err(|found| {
        found
            .iter()
            .map(|p| problem(p.to_string()))
            .collect::<Vec<_>>()
    })?;
    let oauth = provider
        .oauth(&variables)
        .map_err(|error| vec![problem(error.to_string())])?;
    if oauth.client_auth != ClientAuth::None && given.client_secret.is_none() {
        let message = "client_id is set but client_secret is not; this provider wants both";
        return Err(vec![problem(message.into())]);
    }
    let registration = ClientRegistration {
        client_id,
        client_secret: given.client_secret.clone(),
    };
    Ok(Some(Arc::new(Ready {
        variables,
        registration,
        oauth,
    })))
}
