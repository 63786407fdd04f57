//! Floor 7: the running program.
//!
//! Owns putting the parts together, listening, and ending in order. Refuses to know the command line.

mod activity;
mod backup;
mod bridge;
mod capacity;
mod catalogue_files;
mod connection;
pub mod control;
mod demo;
pub mod doctor;
mod drill;
mod gateway;
mod listen;
mod logging;
mod offline;
mod ready;
mod standby;
mod watched_folder;

pub use backup::{BackupFailure, BackupTo, Backups};
pub use bridge::{BridgeError, bridge, bridge_to};
pub use catalogue_files::Reading;
pub use demo::{Demo, DemoError};
pub use gateway::{App, StartError};
pub use logging::start_logging;
pub use offline::Offline;
pub use ready::{Ready, ReadyPerson, ReadySandbox, ReadyState, ShownOnce};
pub use standby::{Standby, Start};
