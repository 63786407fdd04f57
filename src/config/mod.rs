//! Floor 6: raw settings in, resolved settings out, every problem reported at once.
//!
//! Owns where settings come from (option, environment, file, default, in this order) and nothing of what they mean:
//! each floor owns its own.

mod access_tokens;
mod control_socket;
mod file;
#[cfg(test)]
mod fixture;
mod keys;
mod remote;
mod resolve;
mod sign_in;
mod source;
mod webhooks;

pub use remote::Remote;
pub use resolve::{Config, ConfigProblem, Options};
pub use source::Environment;
