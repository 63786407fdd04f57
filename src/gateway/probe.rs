//! Whether an access token still works, by the word of its provider: the account call, which changes nothing.
//!
//! Owns how that call is read. Refuses to know what follows: a renewal and a revocation ask for opposite reasons.

use super::{Gateway, Ready, Service};
use crate::base::Secret;
use crate::catalogue::RefusalKind;
use crate::upstream;

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

impl Gateway {
    /// Sends the account call with `access_token`.
    pub(super) async fn probe(
        &self,
        service: &Service,
        ready: &Ready,
        access_token: &Secret,
    ) -> Probe {
        let Ok(request) = service.provider.account_request(&ready.variables) else {
            return Probe::Unknown;
        };
        let Ok(response) = upstream::send(&self.parts.egress, request, access_token).await else {
            return Probe::Unknown;
        };
        match service.provider.read_account(&response) {
            Ok(_) => Probe::Works,
            Err(refusal) if refusal.kind == RefusalKind::TokenInvalid => Probe::Refused,
            Err(_) => Probe::Unknown,
        }
    }
}
