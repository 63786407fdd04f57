//! What the tests stand on: the outside world, played by parts that can be told how to behave.

pub(crate) mod bare;
pub(crate) mod bombs;
pub(crate) mod browser;
pub(crate) mod catalogue;
pub(crate) mod clients;
pub(crate) mod conformance_suite;
pub(crate) mod environment;
pub(crate) mod events;
pub(crate) mod folder;
pub(crate) mod gateway;
pub(crate) mod inward;
pub(crate) mod issuer;
pub(crate) mod legacy;
pub(crate) mod machine;
pub(crate) mod other_version;
pub(crate) mod person;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod provider;
pub(crate) mod receiver;
pub(crate) mod relay;
pub(crate) mod rows;
pub(crate) mod sandbox_visitor;
pub(crate) mod stage;
pub(crate) mod token_issuer;
pub(crate) mod wire;
