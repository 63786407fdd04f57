//! Where provider files come from: the binary itself, and a directory of the operator.
//!
//! Architecture invariant: this is the only file of the floor that reads files.

use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::{FixtureFile, Problem, Source};

/// The provider files that every release carries.
static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/providers");

/// The provider files that every release carries, by name.
#[must_use]
pub fn embedded() -> Vec<Source> {
    let mut sources: Vec<Source> = EMBEDDED
        .files()
        .filter(|file| is_toml(file.path()))
        .map(|file| Source {
            file: format!("providers/{}", file.path().display()),
            text: String::from_utf8_lossy(file.contents()).into_owned(),
        })
        .collect();
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    sources
}

/// The `*.toml` files of a directory, by name; folders below it are not looked into.
///
/// # Errors
/// A problem per file that cannot be read, or one for the directory.
pub fn read_directory(directory: &Path) -> Result<Vec<Source>, Vec<Problem>> {
    let entries = fs::read_dir(directory).map_err(|error| vec![unreadable(directory, &error)])?;
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                problems.push(unreadable(directory, &error));
                continue;
            }
        };
        if !is_toml(&path) {
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(text) => sources.push(Source {
                file: path.display().to_string(),
                text,
            }),
            Err(error) => problems.push(unreadable(&path, &error)),
        }
    }
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    if problems.is_empty() {
        Ok(sources)
    } else {
        Err(problems)
    }
}

/// The contract fixtures in a directory: one folder for each provider or product, in the order of their names.
///
/// # Errors
/// Every file and folder that cannot be read.
pub fn read_fixtures(directory: &Path) -> Result<Vec<FixtureFile>, Vec<Problem>> {
    let mut fixtures = Vec::new();
    let mut problems = Vec::new();
    for folder in below(directory, &mut problems)
        .into_iter()
        .filter(|path| path.is_dir())
    {
        for path in below(&folder, &mut problems) {
            let is_json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            if !is_json {
                continue;
            }
            match fs::read_to_string(&path) {
                Ok(text) => fixtures.push(FixtureFile {
                    file: path.display().to_string(),
                    owner: name(folder.file_name()),
                    stem: name(path.file_stem()),
                    text,
                }),
                Err(error) => problems.push(unreadable(&path, &error)),
            }
        }
    }
    if problems.is_empty() {
        Ok(fixtures)
    } else {
        Err(problems)
    }
}

/// What stands in a directory, in the order of the names.
fn below(directory: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = entries.unwrap_or_else(|error| {
        problems.push(unreadable(directory, &error));
        Vec::new()
    });
    paths.sort();
    paths
}

fn name(part: Option<&std::ffi::OsStr>) -> String {
    part.unwrap_or_default().to_string_lossy().into_owned()
}

fn is_toml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "toml")
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem {
        file: path.display().to_string(),
        place: "the whole file".to_owned(),
        check: "file_is_readable",
        message: format!("it cannot be read: {error}"),
        remedy: "give a directory with provider files that this user may read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gives_its_provider_files_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "notes.md"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        let sources = read_directory(directory.path()).unwrap();
        let ids: Vec<&str> = sources.iter().map(Source::id).collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!(sources[0].text, "a.toml");
    }

    #[test]
    fn what_cannot_be_read_is_reported_by_name() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.toml"), [0xff]).unwrap();
        let problems = read_directory(directory.path()).unwrap_err();
        assert!(
            problems.len() == 1 && problems[0].file.ends_with("a.toml"),
            "{problems:?}"
        );
        assert_eq!(
            read_directory(&directory.path().join("none"))
                .unwrap_err()
                .len(),
            1
        );
    }
}
