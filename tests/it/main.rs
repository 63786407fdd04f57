//! The integration tests: one binary, real parts.

mod attacks;
mod black_box;
mod bridge;
mod callback;
mod canary;
mod catalogue;
mod conformance;
mod connect;
mod control;
mod docs;
mod doctor;
mod end_to_end;
mod floors;
mod full_disk;
mod manifest;
mod mcp;
mod real_clients;
mod sessions;
mod sse;
mod support;
mod tickets;
