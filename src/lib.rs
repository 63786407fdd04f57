//! Attache, a self-hosted MCP gateway: each person's agents call third-party tools with that person's own connections.
//!
//! The floors, from the ground up (a module imports only from floors below its own; `tests/it/floors.rs` holds it):
//!
//! ```text
//! 0 base  <-  1 identity, catalogue, connection  <-  2 store, egress  <-  3 oauth, upstream
//!         <-  4 gateway  <-  5 mcp, web  <-  6 config  <-  7 app, cli
//! ```
//!
//! `sandbox` stands aside: a third-party service of its own that imports only `base` and is reached over HTTP alone.

pub mod app;
pub mod base;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod connection;
pub mod egress;
pub mod gateway;
pub mod identity;
pub mod mcp;
pub mod oauth;
pub mod sandbox;
pub mod store;
pub mod upstream;
pub mod web;
