//! `attache probe-store`: the gateway's own child, which opens a copy of a store that may be damaged.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::store;

#[derive(Debug, Args)]
pub(super) struct ProbeOptions {
    /// The folder of the copy.
    folder: PathBuf,
    /// The most memory that may be addressed, in bytes.
    #[arg(long, value_name = "BYTES")]
    address_space: Option<u64>,
}

/// Prints the verdict as one line of JSON on stdout. Everything else that may happen is an end of this process, which
/// whoever started it understands as well.
pub(super) fn run(options: &ProbeOptions) -> Result<(), Failure> {
    let verdict = store::probe(&options.folder, options.address_space)?;
    println!("{}", serde_json::to_string(&verdict)?);
    Ok(())
}
