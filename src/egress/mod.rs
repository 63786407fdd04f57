//! Floor 2: the only way out.
//!
//! Owns everything that is true of every outgoing HTTP request: which addresses may be reached, how long things may
//! take, how much may come back, that redirects are never followed and that no proxy is taken from the environment.
//! Refuses to know OAuth, providers and tools. The HTTP client crate is used nowhere else.
//!
//! The address guard has four parts, and each is needed: the host as the URL standard reads it ([`address`]), because
//! a client never asks its resolver about IP literals; the resolver ([`resolver`]), because a public name can point
//! inwards; no redirects, because the answer could name an address that nobody checked; no proxy, because
//! `HTTP_PROXY` would hand every request, tokens included, to a third party.

mod address;
mod error;
mod public_address;
mod reply;
mod resolver;
mod settings;

#[cfg(test)]
pub(crate) mod canned_server;

use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, COOKIE, HeaderValue, USER_AGENT,
};
use http::{Method, Request, Response};
use reqwest::redirect::Policy;

use self::address::{AddressGuard, Destination, Reach};
use self::resolver::FilteringResolver;

pub use self::address::{LoopbackAuthority, LoopbackAuthorityError};
pub use self::error::{AddressRefusal, EgressError, EgressSetupError, ReplyLimit, TimeoutStage};
pub use self::settings::{Limits, Settings};

/// The way out. Clones share connections.
#[derive(Clone, Debug)]
pub struct Egress {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    guard: AddressGuard,
    public: reqwest::Client,
    /// Built only when the settings name a loopback authority. A client of its own, because a resolver sees names
    /// without ports: one that let loopback through for `localhost:9123` would do so for `localhost:22` too.
    loopback: Option<reqwest::Client>,
    user_agent: HeaderValue,
    limits: Limits,
}

impl Egress {
    /// Opens the way out.
    ///
    /// # Errors
    /// When the system has no certificate authorities to trust, or the user agent cannot stand in a header.
    pub fn new(settings: Settings) -> Result<Self, EgressSetupError> {
        let user_agent =
            HeaderValue::from_str(&settings.user_agent).map_err(|_| EgressSetupError::UserAgent)?;
        let public = client(&settings, Reach::Public)?;
        let loopback = if settings.dangerously_allow_loopback.is_empty() {
            None
        } else {
            Some(client(&settings, Reach::Loopback)?)
        };
        Ok(Self {
            shared: Arc::new(Shared {
                guard: AddressGuard::new(settings.dangerously_allow_loopback),
                public,
                loopback,
                user_agent,
                limits: settings.limits,
            }),
        })
    }

    /// The limits of the settings: the widest that [`Egress::send`] grants.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.shared.limits
    }

    /// Sends one request and reads the whole reply, decoded. `limits` can only narrow those of the settings.
    ///
    /// Every status is a reply, redirects included. `Content-Encoding`, `Content-Length` and the headers that belong to
    /// the connection are taken off the reply: they speak of bytes that the reader does not see.
    ///
    /// # Errors
    /// Those of [`EgressError`]; [`EgressError::request_was_sent`] tells whether the other side may have acted.
    pub async fn send(
        &self,
        request: Request<Vec<u8>>,
        limits: Limits,
    ) -> Result<Response<Vec<u8>>, EgressError> {
        let limits = limits.within(self.shared.limits);
        let destination = self.shared.guard.admit(request.uri())?;
        let client = match destination.reach {
            Reach::Public => &self.shared.public,
            Reach::Loopback => self.shared.loopback.as_ref().unwrap_or(&self.shared.public),
        };
        let origin = destination.origin.clone();
        let outgoing = self.outgoing(request, destination);

        let total = tokio::time::sleep(limits.total);
        let head = tokio::time::timeout(limits.headers, client.execute(outgoing));
        tokio::pin!(total);
        let response = tokio::select! {
            () = &mut total => return Err(EgressError::timed_out(origin, TimeoutStage::AwaitingReply)),
            head = head => match head {
                Err(_) => return Err(EgressError::timed_out(origin, TimeoutStage::AwaitingReply)),
                Ok(Err(error)) => return Err(EgressError::from_client(origin, &error)),
                Ok(Ok(response)) => response,
            },
        };
        tokio::select! {
            () = &mut total => Err(EgressError::timed_out(origin, TimeoutStage::ReadingReply)),
            reply = reply::read(response, limits) => reply.map_err(|failure| failure.at(origin)),
        }
    }

    /// The request as the client wants it, with what every request carries.
    fn outgoing(&self, request: Request<Vec<u8>>, destination: Destination) -> reqwest::Request {
        let (parts, body) = request.into_parts();
        let mut outgoing = reqwest::Request::new(parts.method.clone(), destination.url);
        let headers = outgoing.headers_mut();
        *headers = parts.headers;
        for secret in [AUTHORIZATION, COOKIE] {
            if let Some(value) = headers.get_mut(secret) {
                // Keeps the value out of the HTTP stack's own logs and compression tables.
                value.set_sensitive(true);
            }
        }
        headers
            .entry(USER_AGENT)
            .or_insert_with(|| self.shared.user_agent.clone());
        // Ours alone: what is decoded here is capped here.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if !body.is_empty() {
            *outgoing.body_mut() = Some(body.into());
        } else if matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
            // RFC 9110 section 8.6: methods that mean something with a body announce an empty one.
            outgoing
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        outgoing
    }
}

/// A client that reaches public addresses only, or loopback addresses only.
fn client(settings: &Settings, reach: Reach) -> Result<reqwest::Client, EgressSetupError> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .https_only(reach == Reach::Public)
        .dns_resolver(FilteringResolver { reach })
        .connect_timeout(settings.connect_timeout)
        .http2_max_header_list_size(reply::MAX_HEADER_BYTES)
        .build()
        .map_err(|error| EgressSetupError::client(&error))
}

#[cfg(test)]
mod tests;
