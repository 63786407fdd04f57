//! What `scripts/test` tells the tests about the machine, and what holds when it says nothing.

use std::path::{Path, PathBuf};

/// Where `chromedriver` is: `ATTACHE_TEST_CHROMEDRIVER`, else where Debian puts it.
///
/// Without one, browser tests are skipped with a message; where `CI` is set, they fail instead.
pub(crate) fn chromedriver() -> Option<PathBuf> {
    let path =
        read("ATTACHE_TEST_CHROMEDRIVER").unwrap_or_else(|| "/usr/bin/chromedriver".to_owned());
    present_or_skipped(Path::new(&path), "chromedriver", "install chromium-driver")
}

/// Where `scripts/clients` installed the real MCP clients: `ATTACHE_TEST_CLIENTS`, else `target/clients`.
///
/// Without them, the tests that drive them are skipped with a message; where `CI` is set, they fail instead.
pub(crate) fn clients() -> Option<PathBuf> {
    let path = read("ATTACHE_TEST_CLIENTS")
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/target/clients").to_owned());
    let installed = Path::new(&path).join("installed");
    let path = PathBuf::from(path);
    present_or_skipped(&installed, "the MCP clients", "run scripts/clients").map(|_| path)
}

/// The program under test: `ATTACHE_TEST_BINARY`, else the one that Cargo built beside the tests.
pub(crate) fn binary() -> PathBuf {
    read("ATTACHE_TEST_BINARY").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_attache")),
        PathBuf::from,
    )
}

/// The program that breaks stores (`examples/store_faults`), where Cargo builds it beside the tests.
///
/// Without it, its tests are skipped with a message; where `CI` is set, they fail instead.
pub(crate) fn fault_harness() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_BIN_EXE_attache")).parent()?;
    let path = beside.join("examples/store_faults");
    let remedy = "run cargo build --example store_faults";
    present_or_skipped(&path, "the fault harness", remedy)
}

/// How many kills and stops the loops make: `ATTACHE_TEST_KILLS` and `ATTACHE_TEST_STOPS`, which `scripts/kills` sets.
///
/// Without them, few enough for every run of the tests.
pub(crate) fn kills_and_stops() -> (usize, usize) {
    let number = |name: &str| read(name).map(|text| text.parse().expect("a number"));
    (
        number("ATTACHE_TEST_KILLS").unwrap_or(12),
        number("ATTACHE_TEST_STOPS").unwrap_or(5),
    )
}

/// How often a backup is made and restored while people work: `ATTACHE_TEST_CYCLES`, which `scripts/backup-cycles` sets.
///
/// Without it, few enough for every run of the tests.
pub(crate) fn backup_cycles() -> usize {
    read("ATTACHE_TEST_CYCLES").map_or(3, |text| text.parse().expect("a number"))
}

/// How many connections are backed up where it is told what that costs: `ATTACHE_TEST_CONNECTIONS`.
pub(crate) fn many_connections() -> usize {
    read("ATTACHE_TEST_CONNECTIONS").map_or(100, |text| text.parse().expect("a number"))
}

/// How often the disk is filled and freed: `ATTACHE_TEST_FILLS`, which `scripts/full-disk` sets.
///
/// Without it, few enough for every run of the tests.
pub(crate) fn fills() -> usize {
    read("ATTACHE_TEST_FILLS").map_or(4, |text| text.parse().expect("a number"))
}

/// Says that something was left out, since this machine does not allow it.
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// The seed of random tests: `ATTACHE_TEST_SEED`.
pub(crate) fn seed() -> Option<u64> {
    read("ATTACHE_TEST_SEED").map(|text| text.parse().expect("a number"))
}

/// Whether files that tests generate are to be written anew: `INSTA_UPDATE=always`, as for snapshots.
pub(crate) fn updates_snapshots() -> bool {
    read("INSTA_UPDATE").as_deref() == Some("always")
}

fn present_or_skipped(path: &Path, what: &str, remedy: &str) -> Option<PathBuf> {
    if path.exists() {
        return Some(path.to_owned());
    }
    assert!(
        read("CI").is_none(),
        "{what} is missing at {}: {remedy}",
        path.display()
    );
    eprintln!("SKIPPED: {what} is missing at {}: {remedy}", path.display());
    None
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own settings, read here alone"
)]
fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_under_test_exists() {
        let binary = binary();
        assert!(binary.is_file(), "{} is no file", binary.display());
    }
}
