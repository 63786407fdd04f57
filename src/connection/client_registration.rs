//! Who we are at a provider.

use crate::base::Secret;

/// Our client id and secret at one provider (RFC 6749 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRegistration {
    /// The public identifier.
    pub client_id: String,
    /// The secret; public clients have none.
    pub client_secret: Option<Secret>,
}
