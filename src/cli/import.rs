//! `attache import openapi`: drafts a provider file out of an `OpenAPI` document.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use url::Url;

use super::Failure;
use super::new_provider::write_new;
use crate::catalogue::{self, Selection};
use crate::egress::{self, Egress};

/// The largest document that is read. The largest published ones have about 12 MB.
const LARGEST_DOCUMENT: usize = 32 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct ImportOptions {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// Draft a provider file out of an `OpenAPI` 3 document in JSON or YAML.
    Openapi(OpenapiOptions),
}

#[derive(Debug, Args)]
struct OpenapiOptions {
    /// The document: a file, an https address, or - for stdin.
    #[arg(value_name = "FILE|URL")]
    document: String,
    /// The operations to draft: `GET /pets`, an operation id or `tag:pets`, separated by commas.
    #[arg(long, value_name = "SELECTION")]
    select: Selection,
    /// The id of the provider: the name of the file, and what its tools begin with.
    #[arg(long = "as", value_name = "NAME")]
    id: Option<String>,
    /// Write the draft into this folder instead of printing it; an existing file is never overwritten.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Drafts the file; what was left out is said on stderr.
pub(super) fn run(options: &ImportOptions) -> Result<(), Failure> {
    let From::Openapi(options) = &options.from;
    let place = Url::parse(&options.document)
        .ok()
        .filter(url::Url::has_host);
    let id = options
        .id
        .clone()
        .unwrap_or_else(|| name_of(&options.document));
    catalogue::check_new_id(&id)
        .map_err(|error| Failure::usage(format!("{error}. Give another one with --as")))?;
    let text = match &place {
        Some(url) => fetch(url)?,
        None => read(&options.document)?,
    };
    let draft = catalogue::import(&text, &id, &options.select, place.as_ref())
        .map_err(|error| Failure::new(error.to_string()))?;
    for reason in &draft.left_out {
        eprintln!("left out: {reason}");
    }
    match &options.dir {
        None => print!("{}", draft.text),
        Some(dir) => {
            let file = dir.join(format!("{id}.toml"));
            write_new(&file, &draft.text, "choose another name with --as")?;
            eprintln!(
                "{} tools drafted in {}. Settle every CHECK in it, then run `attache check {}`.",
                draft.tools,
                file.display(),
                dir.display()
            );
        }
    }
    Ok(())
}

fn read(document: &str) -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Failure::new(format!("{document} cannot be read: {error}"));
    let mut bytes = Vec::new();
    let limit = LARGEST_DOCUMENT as u64 + 1;
    if document == "-" {
        std::io::stdin()
            .lock()
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        let file = std::fs::File::open(document).map_err(failed)?;
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    }
    as_text(document, bytes)
}

#[tokio::main(flavor = "current_thread")]
async fn fetch(url: &Url) -> Result<String, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(format!("{url} cannot be read: {error}"));
    let limits = egress::Limits {
        wire_bytes: LARGEST_DOCUMENT,
        decoded_bytes: LARGEST_DOCUMENT,
        ..egress::Limits::default()
    };
    let settings = egress::Settings {
        limits,
        ..egress::Settings::default()
    };
    let egress = Egress::new(settings).map_err(|error| failed(&error))?;
    let request = http::Request::get(url.as_str())
        .body(Vec::new())
        .map_err(|error| failed(&error))?;
    let reply = egress
        .send(request, limits)
        .await
        .map_err(|error| failed(&error))?;
    if !reply.status().is_success() {
        return Err(failed(&format!(
            "it answers {}; redirects are not followed, so give the address of the document itself",
            reply.status()
        )));
    }
    as_text(url.as_str(), reply.into_body())
}

fn as_text(document: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    if bytes.len() > LARGEST_DOCUMENT {
        return Err(Failure::new(format!(
            "{document} is larger than {} MiB",
            LARGEST_DOCUMENT >> 20
        )));
    }
    String::from_utf8(bytes).map_err(|_| Failure::new(format!("{document} is not UTF-8")))
}

/// The stem of a file or of the last part of an address.
fn name_of(document: &str) -> String {
    let last = document.rsplit('/').next().unwrap_or_default();
    let stem = last.split(['.', '?']).next().unwrap_or_default();
    stem.to_lowercase().replace('-', "_")
}
