//! Whether an access token still works, by the word of its provider: the account call, which changes nothing.
//!
//! Owns how that call is read. Refuses to know what follows: a renewal and a revocation ask for opposite reasons.

use super::{Gateway, Ready, Service};
use crate::base::Secret;
use crate::catalogue::{Account, Refusal, RefusalKind, RenderError, Variables};
use crate::upstream::{self, Manner, UpstreamError};

/// What the account call says of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// It is good.
    Works,
    /// It is refused as one that is worth nothing.
    Refused,
    /// Neither: a provider that is down does not answer a good token either.
    Unknown,
}

/// Why the account call named nobody.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAccount {
    /// It cannot be written: the catalogue is at fault.
    #[error(transparent)]
    Unrenderable(#[from] RenderError),
    /// No answer came.
    #[error(transparent)]
    Unreachable(#[from] UpstreamError),
    /// The provider refused it, or its answer names no account.
    #[error("{}", .0.message)]
    Refused(Refusal),
}

impl Gateway {
    /// Sends the account call with `access_token`.
    pub(super) async fn probe(
        &self,
        service: &Service,
        ready: &Ready,
        access_token: &Secret,
    ) -> Probe {
        match self
            .ask_account(service, &ready.variables, access_token)
            .await
        {
            Ok(_) => Probe::Works,
            Err(NoAccount::Refused(refusal)) if refusal.kind == RefusalKind::TokenInvalid => {
                Probe::Refused
            }
            Err(_) => Probe::Unknown,
        }
    }

    /// Sends the account call with `access_token`, and reads whom it belongs to.
    pub(super) async fn ask_account(
        &self,
        service: &Service,
        variables: &Variables,
        access_token: &Secret,
    ) -> Result<Account, NoAccount> {
        let provider = &service.provider;
        let request = provider.account_request(variables)?;
        let manner = Manner {
            inject: Some(provider.inject()),
            redirect: None,
        };
        let response = upstream::send(&self.parts.egress, request, access_token, manner).await?;
        provider.read_account(&response).map_err(NoAccount::Refused)
    }
}
