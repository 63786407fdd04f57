//! Floor 1: what a person has connected.
//!
//! Owns connections, their status and its reason, credentials, authorization requests and connect tickets. Refuses to
//! know how any of it is stored or fetched.

mod client_registration;

pub use client_registration::ClientRegistration;
