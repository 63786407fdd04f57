//! The use cases without a running gateway, for a command that needs none.

use super::backup::Backups;
use super::gateway::{Parts, StartError};
use crate::base::{Clock, Random};
use crate::config::Config;
use crate::gateway::{Gateway, Links};
use crate::store::Store;

/// A store that is open for one command. Nothing listens.
pub struct Offline {
    gateway: Gateway,
    store: Store,
    backups: Backups,
}

impl Offline {
    /// Opens the store.
    ///
    /// # Errors
    /// [`StartError`]; that the store is in use is among them.
    pub async fn open(config: Config, clock: Clock, random: Random) -> Result<Self, StartError> {
        let url = config
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", config.bind));
        let links =
            Links::new(&url).map_err(|problem| StartError::PublicUrl(problem.to_string()))?;
        let Parts {
            gateway,
            store,
            backups,
        } = Parts::open(config, links, clock, random).await?;
        Ok(Self {
            gateway,
            store,
            backups,
        })
    }

    /// The use cases.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The backups of the store.
    #[must_use]
    pub fn backups(&self) -> &Backups {
        &self.backups
    }

    /// Closes the store.
    pub async fn close(self) {
        if let Err(fault) = self.gateway.write_all_uses().await {
            tracing::error!(%fault, "what connections were last used for could not be written");
        }
        self.store.close().await;
    }
}
