//! The integration tests: one binary, real parts.

mod callback;
mod catalogue;
mod connect;
mod floors;
mod mcp;
mod support;
mod tickets;
