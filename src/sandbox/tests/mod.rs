//! The Sandbox over HTTP, as clients and browsers meet it.

mod api;
mod authorization;
mod orders;
mod person;
mod restarts;
mod tokens;
