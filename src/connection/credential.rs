//! The secret inside a connection.

use serde::{Deserialize, Serialize};

use crate::base::{Secret, Timestamp};

/// What proves a connection to the provider. Kept in a record of its own, so that nothing unrelated ever makes the
/// write of a new token fail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// Sent with every call.
    #[serde(with = "crate::base::secret::for_sealing")]
    pub access_token: Secret,
    /// Renews the access token, where the provider gives one.
    #[serde(with = "crate::base::secret::for_sealing", default)]
    pub refresh_token: Option<Secret>,
    /// When the access token stops working, where the provider says so.
    pub expires: Option<Timestamp>,
    /// Counts the credentials of this connection, so that an older one is told from a newer.
    pub generation: u64,
}

impl Credential {
    /// Whether the access token's announced lifetime is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}
