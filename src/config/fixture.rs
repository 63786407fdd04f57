//! For tests: what a file of settings comes to.

use super::{Config, Environment, Options};

/// Resolves `text` as the file of settings, with a data folder of its own; what is wrong, a line each.
pub(super) fn resolve(text: &str, environment: &Environment) -> Result<Config, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("attache.toml");
    std::fs::write(&path, text).unwrap();
    let options = Options {
        config: Some(path),
        data_dir: Some(dir.path().into()),
        ..Options::default()
    };
    Config::resolve(&options, environment)
        .map_err(|found| found.iter().map(ToString::to_string).collect())
}
