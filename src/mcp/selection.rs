//! Which services an MCP client sees: all of them, or those it asked for.

use std::sync::Arc;

use crate::catalogue::nearest;
use crate::gateway::Services;

/// The services whose tools a client is offered. It narrows what is seen and can be called; it never widens it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// Every service that is set up, and Attache's own tools.
    #[default]
    All,
    /// These services and products of services, and nothing else. In order, each once.
    Only(Arc<[String]>),
}

/// A service that cannot be selected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("There is no service {asked:?} on this gateway.{hint} It has {}.", listed(.known))]
pub struct UnknownService {
    asked: String,
    hint: String,
    known: Vec<String>,
}

fn listed(known: &[String]) -> String {
    if known.is_empty() {
        "none yet: whoever runs Attache adds them in its configuration".to_owned()
    } else {
        known.join(", ")
    }
}

impl Selection {
    /// Only `wanted`, each of which must be set up; all when none is named.
    ///
    /// # Errors
    /// [`UnknownService`] names the first that is not there, and those that are.
    pub fn of<'a>(
        wanted: impl IntoIterator<Item = &'a str>,
        services: &Services,
    ) -> Result<Self, UnknownService> {
        let mut selected = Vec::new();
        for id in wanted {
            let known = services.named(id).filter(|known| known.ready().is_some());
            known.ok_or_else(|| UnknownService::new(id, services))?;
            selected.push(id.to_owned());
        }
        selected.sort();
        selected.dedup();
        Ok(if selected.is_empty() {
            Self::All
        } else {
            Self::Only(selected.into())
        })
    }

    /// Whether tools of `product` are offered, which is one of `service`, or that service itself.
    pub(super) fn includes(&self, service: &str, product: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(selected) => selected.iter().any(|id| id == service || id == product),
        }
    }
}

impl UnknownService {
    fn new(asked: &str, services: &Services) -> Self {
        let known: Vec<_> = services
            .enabled()
            .flat_map(|service| std::iter::once(service.id()).chain(service.product_ids()))
            .collect();
        let hint = nearest(asked, known.iter().copied())
            .map(|near| format!(" Did you mean {near}?"))
            .unwrap_or_default();
        Self {
            asked: asked.chars().take(64).collect(),
            hint,
            known: known.into_iter().map(str::to_owned).collect(),
        }
    }
}
