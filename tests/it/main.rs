//! The integration tests: one binary, real parts.

mod black_box;
mod bridge;
mod callback;
mod canary;
mod catalogue;
mod connect;
mod control;
mod end_to_end;
mod floors;
mod mcp;
mod support;
mod tickets;
