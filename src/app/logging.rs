//! The log: one line per event, on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Environment;

/// What is logged when `ATTACHE_LOG` does not say otherwise.
const DEFAULT: &str = "warn,attache=info";

/// Starts logging. What is wanted comes from `ATTACHE_LOG`, in the words of `tracing_subscriber`'s filters.
pub fn start_logging(environment: &Environment) {
    let wanted = environment.find("ATTACHE_LOG").unwrap_or(DEFAULT);
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        eprintln!("attache: ATTACHE_LOG is not understood ({error}); logging {DEFAULT}");
        EnvFilter::new(DEFAULT)
    });
    let colour = std::io::stderr().is_terminal() && environment.find("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .init();
}
