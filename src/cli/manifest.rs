//! `attache manifest`: what this version of Attache is and offers, as JSON.

use clap::{Args, ValueEnum};

use super::Failure;
use crate::catalogue::Catalogue;
use crate::mcp::{Manifest, ServerJson};

#[derive(Debug, Args)]
pub(super) struct ManifestOptions {
    /// Which form to print.
    #[arg(long, value_enum, default_value_t = Format::Manifest)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// The MCP Registry's fields with transports, protocol versions and every tool: `mcp-manifest.json`.
    Manifest,
    /// The MCP Registry's `server.json` alone.
    ServerJson,
}

/// Prints it. The catalogue is the built-in one, so that the same version always prints the same.
pub(super) fn run(options: &ManifestOptions) -> Result<(), Failure> {
    let text = match options.format {
        Format::Manifest => {
            let catalogue =
                Catalogue::load(None).map_err(|problems| super::check::report(&problems))?;
            serde_json::to_string_pretty(&Manifest::new(&catalogue))
        }
        Format::ServerJson => serde_json::to_string_pretty(&ServerJson::of_this_version()),
    };
    println!("{}", text?);
    Ok(())
}
