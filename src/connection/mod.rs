//! Floor 1: what a person has connected.
//!
//! Owns connections, their status and its reason, credentials, authorization requests and connect tickets. Refuses to
//! know how any of it is stored or fetched.

mod authorization_request;
mod client_registration;
mod connect_ticket;
#[expect(
    clippy::module_inception,
    reason = "the file of the type that the floor is named after"
)]
mod connection;
mod credential;

pub use authorization_request::{AuthorizationRequest, CallbackRefusal};
pub use client_registration::ClientRegistration;
pub use connect_ticket::{ConnectTicket, TicketRefusal};
pub use connection::{AtProvider, Connection, ExpiredReason, GrantedBy, RevokedReason, Status};
pub use credential::Credential;
