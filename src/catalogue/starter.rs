//! The file that a new provider begins with: commented, and right from the first moment.

use super::Source;
use super::checks::id_complaint;
use super::load::embedded;

/// The text, with places for the name.
const TEMPLATE: &str = include_str!("starter.toml");

/// Why no file can begin under a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StarterError {
    /// It cannot be the id of a provider.
    #[error("`{id}` cannot be the id of a provider: {complaint}")]
    Name {
        /// What was given.
        id: String,
        /// What an id is.
        complaint: &'static str,
    },
    /// A file of this release has the id.
    #[error(
        "Attache comes with a provider file called `{0}`: choose another name, since no file takes the place of another"
    )]
    Taken(String),
}

/// A provider file to begin with. It passes every check, and each place in it that is an example says `CHANGE`.
///
/// # Errors
/// [`StarterError`] when `id` is no id, or one that is taken.
pub fn starter(id: &str) -> Result<Source, StarterError> {
    check_new_id(id)?;
    let text = TEMPLATE
        .replace("{{id}}", id)
        .replace("{{host}}", &host(id))
        .replace("{{name}}", &name(id));
    Ok(Source {
        file: format!("{id}.toml"),
        text,
    })
}

/// Whether a file can begin under the name `id`, whatever is to stand in it.
///
/// # Errors
/// [`StarterError`] when `id` is no id, or one that is taken.
pub fn check_new_id(id: &str) -> Result<(), StarterError> {
    if let Some(complaint) = id_complaint(id) {
        return Err(StarterError::Name {
            id: id.escape_default().to_string(),
            complaint,
        });
    }
    if embedded().iter().any(|source| source.id() == id) {
        return Err(StarterError::Taken(id.to_owned()));
    }
    Ok(())
}

/// A label of a host name: it has no `_` (RFC 1123 section 2.1), and does not end with a hyphen.
fn host(id: &str) -> String {
    id.trim_end_matches('_').replace('_', "-")
}

/// The words of the id, each with a capital.
fn name(id: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    let words: Vec<String> = id
        .split('_')
        .filter(|word| !word.is_empty())
        .map(capital)
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn it_passes_every_check_whatever_its_name() {
        for id in [
            "pets",
            "my_pets",
            "p",
            "pets_",
            "p__2",
            "petspetspetspetspets",
        ] {
            let source = starter(id).unwrap();
            assert_eq!(source.file, format!("{id}.toml"));
            let problems = Catalogue::from_sources(vec![source]).err();
            assert!(problems.is_none(), "{id}: {problems:#?}");
        }
        assert_eq!(name("my_pets"), "My Pets");
    }

    #[test]
    fn a_name_that_cannot_be_one_is_refused() {
        for bad in [
            "",
            "Pets",
            "1pets",
            "pets-2",
            "../pets",
            "petspetspetspetspetsp",
            "attache",
            "pets\n",
        ] {
            let refused = starter(bad).unwrap_err();
            assert!(
                matches!(refused, StarterError::Name { .. }),
                "{bad}: {refused}"
            );
        }
        let taken = embedded().first().unwrap().id().to_owned();
        assert_eq!(starter(&taken).unwrap_err(), StarterError::Taken(taken));
    }
}
