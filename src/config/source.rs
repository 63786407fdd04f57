//! The environment, read here and nowhere else.

use std::collections::BTreeMap;

/// Variables as they were when the program started.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The variables of this process. Those that are not Unicode are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let readable = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self {
            variables: readable.collect(),
        }
    }

    /// A variable, if it is set and not empty.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// What a gateway gets that is started in the background, where it outlives whoever happened to start it: where
    /// things are, how it is set up, and nothing that only concerns the one who starts it.
    #[must_use]
    pub fn for_background(&self) -> Vec<(String, String)> {
        const KEPT: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ"];
        const THE_BRIDGES: [&str; 2] = ["ATTACHE_URL", "ATTACHE_TOKEN"];
        let is_kept = |name: &str| {
            let ours = name.starts_with("ATTACHE_") && !THE_BRIDGES.contains(&name);
            ours || name.starts_with("XDG_") || KEPT.contains(&name)
        };
        let kept = self.variables.iter().filter(|(name, _)| is_kept(name));
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// All variables whose name starts with `prefix`, with the rest of their name.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.variables
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_in_the_background_gets_what_is_its_own() {
        let environment = Environment::from([
            ("HOME", "/home/ana"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("ATTACHE_BIND", "127.0.0.1:1"),
            ("ATTACHE_TOKEN", "att_x"),
            ("GITHUB_TOKEN", "ghp_x"),
            ("LD_PRELOAD", "x.so"),
        ]);
        let kept = environment.for_background();
        let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ATTACHE_BIND", "HOME", "XDG_RUNTIME_DIR"]);
    }
}
