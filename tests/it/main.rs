//! The integration tests: one binary, real parts.

mod black_box;
mod callback;
mod canary;
mod catalogue;
mod connect;
mod doctor;
mod end_to_end;
mod floors;
mod manifest;
mod mcp;
mod support;
mod tickets;
