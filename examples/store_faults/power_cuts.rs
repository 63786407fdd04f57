//! placeholder
use std::process::ExitCode;
pub(crate) fn run(_: &super::Loop) -> ExitCode { ExitCode::FAILURE }
