//! Floor 1: what a person has connected.
//!
//! Owns connections, their status and its reason, credentials and their renewal, when they will end, the events that are told
//! about them, the ledger of use, tombstones, authorization requests and connect tickets. Refuses to know how any of it is
//! stored or fetched.

mod authorization_request;
mod client_registration;
mod connect_ticket;
#[expect(
    clippy::module_inception,
    reason = "the file of the type that the floor is named after"
)]
mod connection;
mod credential;
mod default_account;
mod delivery;
mod event;
mod forecast;
mod status;
mod tombstone;
mod usage;

pub use authorization_request::{AuthorizationRequest, CallbackRefusal};
pub use client_registration::ClientRegistration;
pub use connect_ticket::{ConnectTicket, TicketRefusal, ToolCase};
pub use connection::{Connection, GrantedBy, IllegalTransition};
pub use credential::{Credential, RefreshExhausted, RefreshIntent, Renewal};
pub use default_account::DefaultAccount;
pub use delivery::{Attempt, AttemptOutcome, Delivery, DeliveryState, GivenUp};
pub use event::{Event, EventKind, test_body};
pub use forecast::{EndReason, Ending, Forecast, KEEP_ALIVE};
pub use status::{AtProvider, ExpiredReason, Remedy, RevokedReason, Status};
pub use tombstone::{Tombstone, TombstoneReason};
pub use usage::Usage;
