//! `attache new-provider`: a file to begin with.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::catalogue;

#[derive(Debug, Args)]
pub(super) struct NewProviderOptions {
    /// The id of the provider: the name of the file, and what its tools begin with. a-z, then a-z, 0-9 and `_`.
    name: String,
    /// The folder for the file; it is made when it is not there.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Writes the file, and says what comes next. An existing file is never overwritten.
pub(super) fn run(options: &NewProviderOptions) -> Result<(), Failure> {
    let source =
        catalogue::starter(&options.name).map_err(|error| Failure::usage(error.to_string()))?;
    std::fs::create_dir_all(&options.dir).map_err(|error| {
        Failure::new(format!(
            "{} cannot be made ({error}): choose another folder with --dir",
            options.dir.display()
        ))
    })?;
    let file = options.dir.join(&source.file);
    write_new(&file, &source.text, "choose another name")?;
    println!("{}", file.display());
    eprintln!(
        "Replace what is marked CHANGE in it, then run `attache check {}`.",
        options.dir.display()
    );
    Ok(())
}

/// Writes a file that must not be there yet; `otherwise` is what to do when it is.
pub(super) fn write_new(file: &Path, text: &str, otherwise: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("it is there already: move it away, or {otherwise}")
            }
            _ => "choose another folder with --dir".to_owned(),
        };
        Failure::new(format!(
            "{} cannot be written ({error}): {remedy}",
            file.display()
        ))
    };
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(file)
        .map_err(failed)?;
    out.write_all(text.as_bytes()).map_err(failed)
}
