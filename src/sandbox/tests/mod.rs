//! The Sandbox over HTTP, as clients and browsers meet it.
