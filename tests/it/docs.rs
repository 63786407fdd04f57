//! The documents keep their word: what they point to exists, settings are all there, and what they show loads.

use std::path::{Path, PathBuf};

use attache::config::{Config, Environment, Options};
use regex::Regex;

use crate::support::folder::files;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every document with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md"), root().join("providers/README.md")];
    for folder in ["docs", "docs/decisions"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        paths.extend(
            entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension() == Some("md".as_ref())),
        );
    }
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn what_documents_point_to_exists() {
    let path =
        Regex::new(r"`((?:src|tests|docs|scripts|providers|benches|examples)/[\w./-]*)`").unwrap();
    let link = Regex::new(r"\]\(([^)#:]+)(?:#[^)]*)?\)").unwrap();
    let mut missing = Vec::new();
    for (file, text) in documents() {
        let folder = file.parent().unwrap();
        let named = path
            .captures_iter(&text)
            .map(|found| root().join(&found[1]));
        let linked = link
            .captures_iter(&text)
            .map(|found| folder.join(&found[1]));
        let absent = named.chain(linked).filter(|target| !target.exists());
        missing.extend(
            absent.map(|target| format!("{} points to {}", file.display(), target.display())),
        );
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_readme_stays_short_and_the_product_speaks_of_itself_alone() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() < 200);
    assert!(readme.contains("cargo run --release -- demo") && readme.contains("scripts/test"));
}

#[test]
fn every_environment_variable_is_documented() {
    let variable = Regex::new(r#""(ATTACHE_[A-Z_]*[A-Z])""#).unwrap();
    let configuration = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let mut undocumented = Vec::new();
    let sources = files(&root().join("src"));
    for entry in sources
        .iter()
        .filter(|file| file.extension() == Some("rs".as_ref()))
    {
        let text = std::fs::read_to_string(entry).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap();
        let names = variable
            .captures_iter(product)
            .map(|found| found[1].to_owned());
        undocumented.extend(names.filter(|name| !configuration.contains(name.as_str())));
    }
    assert!(undocumented.is_empty(), "{undocumented:?}");
}

#[test]
fn the_configuration_that_is_shown_loads() {
    let block = Regex::new(r"(?s)```toml\n(.*?)```").unwrap();
    for document in [
        "docs/configuration.md",
        "docs/access-tokens.md",
        "README.md",
    ] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for (number, found) in block.captures_iter(&unindented(&text)).enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let config = folder.path().join("attache.toml");
            std::fs::write(&config, &found[1]).unwrap();
            let options = Options {
                config: Some(config),
                ..Options::default()
            };
            let problems = Config::resolve(&options, &Environment::default())
                .err()
                .unwrap_or_default();
            // The example names files that this machine does not have.
            let wrong: Vec<_> = problems
                .iter()
                .filter(|problem| !problem.message.contains("cannot be read"))
                .collect();
            assert!(wrong.is_empty(), "{document}, block {number}: {wrong:?}");
        }
    }
}

/// Blocks inside lists are indented.
fn unindented(text: &str) -> String {
    text.lines()
        .map(str::trim_start)
        .collect::<Vec<_>>()
        .join("\n")
}
