//! Connecting: from the person's click to a sealed credential.
//!
//! Whoever begins must finish: the same person, in the same browser, at the same provider, within ten minutes
//! (draft-ietf-oauth-security-topics-update). All of it is checked before the token request.

mod ask;
mod begin;
mod callback;
mod complete;
mod other_accounts;
mod reach;

pub use ask::Extent;
pub use begin::Begun;
pub use callback::CallbackParameters;
pub(in crate::gateway) use callback::error_code;
pub use complete::{Completed, RemainingSteps};
pub use other_accounts::{DefaultNow, OtherAccounts};

use super::{Fault, Gateway, Service};
use crate::base::Secret;
use crate::connection::{CallbackRefusal, TicketRefusal};

/// Why a connection could not be begun or completed.
#[derive(Debug)]
pub enum ConnectError {
    /// There is no such connect link, or it is long gone.
    UnknownLink,
    /// The link cannot be used by this person now.
    Link(TicketRefusal),
    /// There is no such service.
    UnknownService,
    /// The person has no such connection. The same answer whether it is another's or nobody's.
    UnknownConnection,
    /// The service has no client registration here.
    NotConfigured,
    /// The agent that asks for a link is narrowed to other services. The sentence says so.
    Narrowed(String),
    /// The callback carries no usable `state`, or one that was used already.
    UnknownState,
    /// The callback does not belong to the request that its `state` names.
    Callback(CallbackRefusal),
    /// The `iss` parameter is not the provider's (RFC 9207). What the callback says is not shown.
    WrongIssuer,
    /// The callback lacks the proof that the provider file demands, or carries a wrong one. The request that it names
    /// still waits for the right callback. What the callback says is not shown.
    NotVerified,
    /// The person said no at the provider.
    Cancelled {
        /// The service's name.
        service: String,
    },
    /// The provider refused the authorization request or the code.
    RefusedByProvider {
        /// The service's name.
        service: String,
        /// The provider's error code, made safe to show.
        error: String,
    },
    /// The provider could not be asked, or its answer not be read. Nothing was stored.
    ProviderTrouble {
        /// The service's name.
        service: String,
        /// What happened, without addresses or secrets.
        message: String,
    },
    /// The account that was chosen at the provider reaches nothing there. Nothing was stored.
    NoTenant {
        /// The service's name.
        service: String,
    },
    /// Something failed on our side.
    Fault(Fault),
}

impl ConnectError {
    /// Whether a callback belongs to nothing that this person has begun: made up, or used before.
    #[must_use]
    pub fn is_of_nothing_begun(&self) -> bool {
        matches!(
            self,
            Self::UnknownState | Self::Callback(_) | Self::WrongIssuer
        )
    }
}

impl<E: Into<Fault>> From<E> for ConnectError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl From<TicketRefusal> for ConnectError {
    fn from(refusal: TicketRefusal) -> Self {
        Self::Link(refusal)
    }
}

impl From<CallbackRefusal> for ConnectError {
    fn from(refusal: CallbackRefusal) -> Self {
        Self::Callback(refusal)
    }
}

impl Gateway {
    /// The service that is asked for.
    pub(super) fn known_service(&self, service: &str) -> Result<Service, ConnectError> {
        self.services()
            .find(service)
            .cloned()
            .ok_or(ConnectError::UnknownService)
    }

    pub(super) fn redirect_uri(&self, service: &Service) -> Result<url::Url, Fault> {
        let text = self.parts.links.callback(service.id());
        url::Url::parse(&text)
            .map_err(|error| Fault::Catalogue(format!("redirect URI {text}: {error}")))
    }
}

/// What the cookie of one flow is called: flows in several tabs do not overwrite each other's.
pub(in crate::gateway) fn flow_cookie_name(state: &Secret) -> String {
    format!("__Host-attache_flow_{}", &state.digest()[..16])
}
