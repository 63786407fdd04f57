//! What hostile clients of `/mcp` send: the gateway says no in a sentence, and goes on serving everybody else.

mod bombs;
mod crowds;
mod headers;
mod origins;
mod request_state;
