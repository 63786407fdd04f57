//! Where the catalogue of a running gateway comes from, so that it can be read again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::gateway::StartError;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::gateway::{Gateway, ServiceSettings, Services};

/// The folder with the operator's provider files, and what the configuration says of each service.
#[derive(Debug)]
pub(crate) struct CatalogueFiles {
    folder: Option<PathBuf>,
    settings: BTreeMap<String, ServiceSettings>,
}

impl CatalogueFiles {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            folder: config.providers.clone(),
            settings: config.services.clone(),
        }
    }

    /// The services as the files say now.
    pub(super) fn read(&self) -> Result<Services, StartError> {
        let catalogue = Catalogue::load(self.folder.as_deref()).map_err(StartError::Catalogue)?;
        Services::new(catalogue, &self.settings).map_err(StartError::Services)
    }

    /// Puts the services as the files say now in the place of those that `gateway` has. When they have problems,
    /// nothing is changed.
    pub(super) fn read_again(&self, gateway: &Gateway) -> Result<Arc<Services>, StartError> {
        gateway.replace_services(self.read()?);
        let services = gateway.services();
        tracing::info!(
            services = services.enabled().count(),
            tools = services.advertised().count(),
            "the catalogue was read again"
        );
        Ok(services)
    }
}
