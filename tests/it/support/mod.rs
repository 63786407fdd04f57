//! What the tests stand on: the outside world, played by parts that can be told how to behave.

pub(crate) mod browser;
pub(crate) mod clients;
pub(crate) mod environment;
pub(crate) mod provider;
