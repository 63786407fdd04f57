//! Signing people in with an OpenID Connect issuer (OpenID Connect Core 1.0, code flow with proof keys).
//!
//! Owns what is asked of the issuer: its discovery document and keys, the authentication request, the exchange of the code,
//! and the verification of the ID token. Refuses to know who may come in and what a session is. The `openidconnect` crate is
//! used nowhere else, and it runs on [`Egress`](crate::egress::Egress).

mod discovery;
mod exchange;
mod id_token;

pub use discovery::{AuthenticationRequest, Issuer};
pub use exchange::Answer;
pub use id_token::{IdTokenProblem, Vouched};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::base::Secret;
use crate::egress::{Egress, EgressError, Limits};

/// Who vouches for people, and as which client we ask.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// The issuer, exactly as it calls itself.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// Our client secret there; none for a public client.
    pub client_secret: Option<Secret>,
    /// The scopes that are asked for; `openid` is among them.
    pub scopes: Vec<String>,
}

/// Why nobody was signed in. No text here holds a code, a token, a verifier or a client secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInTrouble {
    /// The issuer cannot be reached, or what it answers cannot be read.
    #[error("the issuer cannot be asked: {0}")]
    Unreachable(String),
    /// It refused the code.
    #[error("the issuer refused the code: {0}")]
    Refused(String),
    /// What it vouches with is not acceptable.
    #[error("the ID token is not accepted: {0}")]
    IdToken(#[from] IdTokenProblem),
}

/// What one request to the issuer may cost. A person waits for it.
const LIMITS: Limits = Limits {
    headers: Duration::from_secs(10),
    total: Duration::from_secs(15),
    wire_bytes: 1 << 20,
    decoded_bytes: 1 << 20,
};

/// The way out, as the `openidconnect` crate takes it.
struct Wire<'a>(&'a Egress);

impl<'c> AsyncHttpClient<'c> for Wire<'_> {
    type Error = EgressError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, EgressError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.0.send(request, LIMITS))
    }
}
