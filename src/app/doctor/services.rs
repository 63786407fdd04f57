//! Which services can be connected, and what do the others lack?

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::Gravity;
use crate::catalogue::{Catalogue, ClientAuth, Problem, Provider};
use crate::config::Config;
use crate::gateway::{Links, Service, ServiceSettings, Services, ServicesProblem};

/// What was found about the services.
#[derive(Debug)]
pub enum ServiceFinding {
    /// A provider file is wrong.
    Catalogue(Problem),
    /// Something that is said about one service cannot be used.
    Wrong(ServicesProblem),
    /// Not one service is set up: agents see no tools.
    NoneSetUp,
    /// One service whose settings are right.
    Service {
        /// Its identifier.
        id: String,
        /// Its name.
        name: String,
        /// How it stands.
        standing: Standing,
    },
    /// The redirect URL that must be registered at the provider of a service that is set up.
    RedirectUrl {
        /// The identifier of the service.
        id: String,
        /// Its name.
        name: String,
        /// The redirect URL.
        url: String,
        /// What the provider demands of one.
        rules: String,
        /// Where it is entered.
        page: Option<Url>,
    },
}

/// How a service stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be connected.
    SetUp {
        /// How many tools agents see.
        tools: usize,
        /// The facts of its provider file that no live login has confirmed.
        unconfirmed: Vec<String>,
    },
    /// Nobody has set it up.
    NotSetUp {
        /// The settings that are missing, as they stand in the configuration file.
        missing: Vec<String>,
        /// Where Attache is registered.
        page: Option<Url>,
        /// The redirect URL to register, if it is known before the start.
        redirect_url: Option<String>,
        /// How many facts of its provider file no live login has confirmed.
        unconfirmed: usize,
    },
}

impl ServiceFinding {
    pub(super) fn gravity(&self) -> Gravity {
        match self {
            Self::Catalogue(_) | Self::Wrong(_) => Gravity::Problem,
            Self::NoneSetUp => Gravity::Warning,
            Self::RedirectUrl { .. } => Gravity::Ok,
            Self::Service { standing, .. } => match standing {
                Standing::SetUp { unconfirmed, .. } if !unconfirmed.is_empty() => Gravity::Warning,
                Standing::SetUp { .. } | Standing::NotSetUp { .. } => Gravity::Ok,
            },
        }
    }
}

/// Looks at every service of the catalogue. One that is set up wrongly does not hide the others.
pub(super) fn examine(config: &Config, links: Option<&Links>) -> Vec<ServiceFinding> {
    match matched(config) {
        Ok((services, problems)) => findings(&services, problems, &config.services, links),
        Err(problems) => problems
            .into_iter()
            .map(ServiceFinding::Catalogue)
            .collect(),
    }
}

/// The services without those whose settings are wrong, and what is wrong with those.
fn matched(config: &Config) -> Result<(Services, Vec<ServicesProblem>), Vec<Problem>> {
    let load = || Catalogue::load(config.providers.as_deref());
    let mut settings = config.services.clone();
    let mut problems = Vec::new();
    loop {
        match Services::new(load()?, &settings) {
            Ok(services) => return Ok((services, problems)),
            Err(found) => {
                for problem in &found {
                    settings.remove(&problem.service);
                }
                problems.extend(found);
            }
        }
    }
}

fn findings(
    services: &Services,
    problems: Vec<ServicesProblem>,
    settings: &BTreeMap<String, ServiceSettings>,
    links: Option<&Links>,
) -> Vec<ServiceFinding> {
    let wrong: BTreeSet<String> = problems.iter().map(|found| found.service.clone()).collect();
    let mut findings: Vec<_> = problems.into_iter().map(ServiceFinding::Wrong).collect();
    if services.enabled().next().is_none() {
        findings.push(ServiceFinding::NoneSetUp);
    }
    let right = services.iter().filter(|known| !wrong.contains(known.id()));
    for service in right {
        let standing = standing(service, settings.get(service.id()), links);
        findings.push(ServiceFinding::Service {
            id: service.id().to_owned(),
            name: service.provider.name().to_owned(),
            standing,
        });
        if let (Some(_), Some(links)) = (service.ready(), links) {
            findings.push(redirect_url(&service.provider, links));
        }
    }
    findings
}

fn standing(service: &Service, given: Option<&ServiceSettings>, links: Option<&Links>) -> Standing {
    let provider = &service.provider;
    if service.ready().is_some() {
        return Standing::SetUp {
            tools: provider.tools().len(),
            unconfirmed: provider.unconfirmed().to_vec(),
        };
    }
    Standing::NotSetUp {
        missing: missing(provider, given),
        page: provider.setup().url.clone(),
        redirect_url: links.map(|links| links.callback(provider.id())),
        unconfirmed: provider.unconfirmed().len(),
    }
}

/// The settings that a service still needs. A secret without an id is a problem of its own, so here both are missing.
fn missing(provider: &Provider, given: Option<&ServiceSettings>) -> Vec<String> {
    let mut keys = vec!["client_id".to_owned()];
    if provider.client_auth() != ClientAuth::None {
        keys.push("client_secret".to_owned());
    }
    let is_given = |name: &str| given.is_some_and(|given| given.variables.contains_key(name));
    let needed = provider.variables().iter();
    let needed = needed.filter(|(name, known)| known.default().is_none() && !is_given(name));
    keys.extend(needed.map(|(name, _)| format!("variables.{name}")));
    keys.iter()
        .map(|key| format!("services.{}.{key}", provider.id()))
        .collect()
}

fn redirect_url(provider: &Provider, links: &Links) -> ServiceFinding {
    let setup = provider.setup();
    ServiceFinding::RedirectUrl {
        id: provider.id().to_owned(),
        name: provider.name().to_owned(),
        url: links.callback(provider.id()),
        rules: setup.redirect_rules.clone(),
        page: setup.url.clone(),
    }
}
