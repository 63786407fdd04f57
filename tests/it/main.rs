//! The integration tests: one binary, real parts.

mod attacks;
mod black_box;
mod bridge;
mod callback;
mod canary;
mod cancellation;
mod catalogue;
mod conformance;
mod connect;
mod control;
mod docs;
mod doctor;
mod end_to_end;
mod floors;
mod full_disk;
mod fuzz_corpus;
mod manifest;
mod mcp;
mod sessions;
mod support;
mod tickets;
mod transport;
