//! Where the master key comes from, and the one of before.

use std::path::{Path, PathBuf};

use super::file::File;
use super::resolve::Problems;
use super::source::Environment;
use crate::base::Secret;
use crate::store::{KeyCommand, KeySource, Settings};

/// What one of the two keys is called in the settings.
struct Names {
    value: &'static str,
    file: &'static str,
    command: &'static str,
}

const CURRENT: Names = Names {
    value: "ATTACHE_MASTER_KEY",
    file: "ATTACHE_MASTER_KEY_FILE",
    command: "key_command",
};
const PREVIOUS: Names = Names {
    value: "ATTACHE_PREVIOUS_MASTER_KEY",
    file: "ATTACHE_PREVIOUS_MASTER_KEY_FILE",
    command: "previous_key_command",
};

/// The sources of the master key and of the one before: environment, then file of settings, then our own key file.
pub(super) fn resolve(
    environment: &Environment,
    file: &File,
    store: &Settings,
    problems: &mut Problems,
) -> (KeySource, Option<KeySource>) {
    let mut source = |names, path: &Option<PathBuf>, command: &Option<Vec<String>>| {
        source(
            environment,
            problems,
            &names,
            path.as_deref(),
            command.as_deref(),
        )
    };
    let current = source(CURRENT, &file.master_key, &file.key_command);
    let previous = source(PREVIOUS, &file.previous_key, &file.previous_key_command);
    let current = current.unwrap_or_else(|| KeySource::beside(store));
    (current, previous)
}

fn source(
    environment: &Environment,
    problems: &mut Problems,
    names: &Names,
    path: Option<&Path>,
    command: Option<&[String]>,
) -> Option<KeySource> {
    let value = environment.find(names.value);
    let in_file = environment.find(names.file).map(PathBuf::from);
    if value.is_some() && in_file.is_some() {
        problems.add(
            names.value,
            format!("{} is set as well; keep one", names.file),
        );
    }
    if path.is_some() && command.is_some() {
        let message = "a file is named for the same key as well; keep one";
        problems.add(names.command, message.to_owned());
    }
    if let Some(value) = value {
        return Some(KeySource::Value(Secret::new(value)));
    }
    if let Some(path) = in_file.or_else(|| path.map(Path::to_owned)) {
        return Some(KeySource::NamedFile(path));
    }
    let Some((program, arguments)) = command?.split_first() else {
        let message = r#"names no program; write it like ["pass", "show", "attache"]"#;
        problems.add(names.command, message.to_owned());
        return None;
    };
    Some(KeySource::Command(KeyCommand {
        program: program.clone(),
        arguments: arguments.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved<const N: usize>(
        environment: [(&str, &str); N],
        text: &str,
    ) -> (KeySource, Option<KeySource>, Problems) {
        let environment = Environment::from(environment);
        let file: File = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        let store = Settings::new("/data".into());
        let (current, previous) = resolve(&environment, &file, &store, &mut problems);
        (current, previous, problems)
    }

    #[test]
    fn a_command_is_a_program_with_its_arguments() {
        let (current, previous, _) = resolved(
            [("ATTACHE_PREVIOUS_MASTER_KEY_FILE", "/old")],
            "key_command = ['pass', 'show', 'attache']",
        );
        let KeySource::Command(command) = current else {
            panic!("{current:?}");
        };
        assert_eq!(command.program, "pass");
        assert_eq!(command.arguments, ["show", "attache"]);
        assert!(matches!(previous, Some(KeySource::NamedFile(path)) if path == Path::new("/old")));
    }

    #[test]
    fn without_a_word_the_key_is_our_own_file_and_there_is_none_before() {
        let (current, previous, _) = resolved([], "");
        assert!(matches!(current, KeySource::File(_)), "{current:?}");
        assert!(previous.is_none());
    }
}
