//! Floor 7: the running program.
//!
//! Owns putting the parts together, listening, and ending in order. Refuses to know the command line.

mod demo;
pub mod doctor;
mod gateway;
mod listen;
mod logging;
mod ready;

pub use demo::{Demo, DemoError, DemoSettings};
pub use gateway::{App, StartError};
pub use logging::start_logging;
pub use ready::{Ready, ReadyPerson, ReadySandbox};
