//! The official conformance suite of MCP, npm `@modelcontextprotocol/conformance`, as a child process.
//!
//! Owns its command line and the form of its results. Refuses to know what should pass. `scripts/clients` installs it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::environment;
use super::process::Process;

/// How it marks scenarios of extensions, which belong to no revision.
pub(crate) const EXTENSION: &str = "extension";

/// How the names of its result folders end: `-2026-11-23T09-35-40-747Z`.
const TIMESTAMP_LENGTH: usize = 25;

/// The suite, installed.
pub(crate) struct Suite {
    clients: PathBuf,
}

/// Revision of the protocol, or [`EXTENSION`], to the names of its server scenarios, in the order of the suite.
pub(crate) type Scenarios = BTreeMap<String, Vec<String>>;

/// Scenario to what was checked in it. A scenario that broke off has no checks.
pub(crate) type Results = BTreeMap<String, Vec<Check>>;

/// One thing that the suite looked at.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    /// Not unique: some are made several times in one scenario.
    pub(crate) id: String,
    pub(crate) status: Status,
    pub(crate) description: String,
    pub(crate) error_message: Option<String>,
}

/// What the suite made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Success,
    /// A MUST is broken, or could not be tried.
    Failure,
    /// A SHOULD is broken.
    Warning,
    /// The server does not offer what this is about.
    Skipped,
    /// Nothing is judged.
    Info,
}

impl Suite {
    /// `None` when the clients are not installed: see [`environment::clients`].
    pub(crate) fn installed() -> Option<Self> {
        let clients = environment::clients()?;
        Some(Self { clients })
    }

    /// Its version, as pinned.
    pub(crate) fn version(&self) -> String {
        let manifest = std::fs::read_to_string(self.package().join("package.json"));
        let manifest: serde_json::Value =
            serde_json::from_str(&manifest.expect("a package")).expect("JSON");
        manifest["version"].as_str().expect("a version").to_owned()
    }

    /// Every server scenario that it has.
    pub(crate) async fn scenarios(&self) -> Scenarios {
        let lines = run(self.command(&["list", "--server"])).await;
        let mut scenarios = Scenarios::new();
        for line in lines {
            let Some((name, revisions)) = listed(&line) else {
                continue;
            };
            for revision in revisions {
                let names = scenarios.entry(revision.to_owned()).or_default();
                names.push(name.to_owned());
            }
        }
        assert!(!scenarios.is_empty(), "the suite lists its scenarios");
        scenarios
    }

    /// Runs every scenario of a revision against the server at `url`, in one process.
    pub(crate) async fn run(&self, url: &str, revision: &str, scenarios: &[String]) -> Results {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = folder.path().to_str().expect("a plain path");
        let mut command = self.command(&["server", "--url", url, "--suite", "all", "-o", output]);
        // Without a version it runs everything, each at the newest revision that has it: extensions run no other way.
        if revision != EXTENSION {
            command.args(["--spec-version", revision]);
        }
        run(command).await;
        let mut results = results(folder.path());
        let wanted: BTreeSet<_> = scenarios.iter().collect();
        results.retain(|scenario, _| wanted.contains(scenario));
        results
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.clients.join("node"));
        command
            .arg(self.package().join("dist/index.js"))
            .args(arguments)
            .env("NO_COLOR", "1");
        command
    }

    fn package(&self) -> PathBuf {
        self.clients
            .join("node_modules/@modelcontextprotocol/conformance")
    }
}

/// Runs to the end. Its exit status says that something failed, which the results say better.
async fn run(command: Command) -> Vec<String> {
    let mut process = Process::start(command);
    let mut lines = Vec::new();
    while let Some(line) = process.next_line().await {
        lines.push(line);
    }
    let status = process.status();
    assert!(
        status == 0 || status == 1,
        "it ended with {status}: {lines:#?}"
    );
    lines
}

/// A line of the list: `  - tools-list [2025-06-18,2025-11-25,2026-07-28]`.
fn listed(line: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
    let entry = line.trim_start().strip_prefix("- ")?;
    let (name, revisions) = entry.strip_suffix(']')?.split_once(" [")?;
    Some((name, revisions.split(',')))
}

/// One folder per scenario, with `checks.json` in it unless it broke off.
fn results(folder: &Path) -> Results {
    let entries = std::fs::read_dir(folder).expect("the suite writes its results");
    let folders = entries.map(|entry| entry.expect("an entry").path());
    folders
        .map(|folder| (scenario(&folder), checks(&folder)))
        .collect()
}

fn scenario(folder: &Path) -> String {
    let name = folder.file_name().and_then(|name| name.to_str());
    let name = name.and_then(|name| name.strip_prefix("server-"));
    let name = name.and_then(|name| name.get(..name.len().checked_sub(TIMESTAMP_LENGTH)?));
    name.unwrap_or_else(|| panic!("{} is no result of a scenario", folder.display()))
        .to_owned()
}

fn checks(folder: &Path) -> Vec<Check> {
    let Ok(text) = std::fs::read_to_string(folder.join("checks.json")) else {
        return Vec::new();
    };
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_line_is_a_name_and_its_revisions() {
        let (name, revisions) = listed("  - ping [2025-06-18,2025-11-25]").unwrap();
        assert_eq!(name, "ping");
        assert_eq!(revisions.collect::<Vec<_>>(), ["2025-06-18", "2025-11-25"]);
        assert!(listed("Server scenarios (test against a server):").is_none());
    }

    #[test]
    fn a_result_folder_names_its_scenario() {
        let folder = Path::new("out/server-json-schema-2020-12-2026-11-23T09-35-40-747Z");
        assert_eq!(scenario(folder), "json-schema-2020-12");
    }
}
