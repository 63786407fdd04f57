//! Which of several accounts a person uses by default.

use serde::{Deserialize, Serialize};

use crate::base::ConnectionId;

/// What a person has chosen at one service. A record of its own, so that choosing never stands in the way of a renewal.
///
/// It may point to a connection that is disconnected or gone: then it says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultAccount {
    /// The service, by the stem of its provider file.
    pub service: String,
    /// The connection to the account that is used unless a call means another.
    pub connection: ConnectionId,
}
