//! Where the catalogue of a running gateway comes from, so that it can be read again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::gateway::StartError;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::gateway::{Gateway, ServiceSettings, Services};

/// The folder with the operator's provider files, and what the configuration says of each service.
#[derive(Debug)]
pub(crate) struct CatalogueFiles {
    folder: Option<PathBuf>,
    settings: BTreeMap<String, ServiceSettings>,
    /// Held from reading to replacing, so that what was read first never takes the place of what was read later.
    reading: Mutex<()>,
    readings: watch::Sender<Reading>,
}

/// How the provider files were read the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// How often they were read again since the start.
    pub count: u64,
    /// What is wrong with them, so that the catalogue before them goes on; none when they are in use.
    pub problems: Option<String>,
}

impl CatalogueFiles {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            folder: config.providers.clone(),
            settings: config.services.clone(),
            reading: Mutex::default(),
            readings: watch::Sender::default(),
        }
    }

    /// The operator's folder.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// How the files were read, and when they are read again.
    pub(super) fn readings(&self) -> watch::Receiver<Reading> {
        self.readings.subscribe()
    }

    /// The services as the files say now.
    pub(super) fn read(&self) -> Result<Services, StartError> {
        let catalogue = Catalogue::load(self.folder.as_deref()).map_err(StartError::Catalogue)?;
        Services::new(catalogue, &self.settings).map_err(StartError::Services)
    }

    /// Puts the services as the files say now in the place of those that `gateway` has. When they have problems,
    /// nothing is changed.
    pub(super) fn read_again(&self, gateway: &Gateway) -> Result<Arc<Services>, StartError> {
        let _turn = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.read().map(|services| {
            gateway.replace_services(services);
            gateway.services()
        });
        match &outcome {
            Ok(services) => tracing::info!(
                services = services.enabled().count(),
                tools = services.advertised().count(),
                "the catalogue was read again"
            ),
            Err(problems) => tracing::warn!(
                %problems,
                "the provider files were read again and are not used: the catalogue before them goes on"
            ),
        }
        self.readings.send_modify(|reading| {
            reading.count += 1;
            reading.problems = outcome.as_ref().err().map(ToString::to_string);
        });
        outcome
    }
}
