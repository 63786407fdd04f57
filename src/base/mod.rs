//! Floor 0: time, randomness, identifiers and secrets.
//!
//! Owns the few things that everything else needs and that tests must be able to turn: the clock and the random
//! source are values that are passed in, never globals. Refuses to know anything of ours.

pub mod clock;
mod held;
pub mod id;
mod plain_line;
pub mod random;
pub mod secret;

pub use clock::{Clock, Timestamp};
pub use held::Held;
pub use id::{AgentId, ConnectionId, EventId, PersonId};
pub use plain_line::{is_invisible, plain_line};
pub use random::Random;
pub use secret::Secret;
