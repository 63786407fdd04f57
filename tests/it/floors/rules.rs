//! The rules, applied to one file at a time.

use std::fmt;
use std::path::Path;

use regex::Regex;

use super::source::Source;
use super::{BANS, DRAWERS, EXCEPTIONS, EXPOSING, FLOORS, HOMES, MAY_NAME_THE_SANDBOX};

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Breach {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) rule: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "src/{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// The tables of `floors.rs`, made ready to search with.
pub(super) struct Rules {
    import: Regex,
    exposure: Regex,
    /// How a crate is named, how a module of that name is declared, the row.
    homes: Vec<(Regex, Regex, &'static str, &'static [&'static str])>,
    bans: Vec<(Regex, &'static [&'static str], &'static str)>,
    providers: Providers,
}

impl Rules {
    pub(super) fn new(providers: Providers) -> Self {
        let home = |&(name, homes): &(&'static str, &'static [&'static str])| {
            let used = pattern(&format!(r"(?m)(?:^|[^\w.:])(?:::)?{name}(?:::|;| as\b)"));
            (used, pattern(&format!(r"\bmod {name}\b")), name, homes)
        };
        Self {
            import: pattern(r"\b(crate|attache|super(?:::super)*)::(\w+|\{)"),
            exposure: pattern(r"\.expose\(\)|\bSecret::expose\b|\bfor_sealing\b"),
            homes: HOMES.iter().map(home).collect(),
            bans: BANS
                .iter()
                .map(|&(text, places, why)| (pattern(text), places, why))
                .collect(),
            providers,
        }
    }

    /// Every rule that the file breaks.
    pub(super) fn inspect(&self, source: &Source) -> Vec<Breach> {
        let found = [
            check_names(source),
            self.check_imports(source),
            self.check_crates(source),
            self.check_bans(source),
            self.check_secrets(source),
            self.check_literals(source),
        ];
        let breach = |(line, rule)| Breach {
            file: source.path.clone(),
            line,
            rule,
        };
        found.into_iter().flatten().map(breach).collect()
    }

    /// Rows of [`EXPOSING`] that nothing needs any longer.
    pub(super) fn stale_rows(&self, sources: &[Source]) -> Vec<Breach> {
        let exposes = |row: &str| {
            sources
                .iter()
                .any(|source| source.path == row && !self.exposures(source).is_empty())
        };
        let stale = EXPOSING.iter().filter(|row| !exposes(row));
        let breach = |row: &&str| Breach {
            file: (*row).to_owned(),
            line: 1,
            rule: "it exposes nothing: take it off EXPOSING".to_owned(),
        };
        stale.map(breach).collect()
    }

    fn check_imports(&self, source: &Source) -> Found {
        let module = source.module();
        let Some(own) = module.first() else {
            return Vec::new();
        };
        let check =
            |(line, imported): (usize, String)| Some((line, forbidden_import(own, &imported)?));
        self.imports(source).into_iter().filter_map(check).collect()
    }

    /// The top modules that a file names by `crate::…`, by enough `super::`, or by the name of the library.
    fn imports(&self, source: &Source) -> Found {
        let mut found = Vec::new();
        for path in self.import.captures_iter(&source.code) {
            let whole = path.get(0).expect("the whole match");
            let supers = path[1].matches("super").count();
            if supers != 0 && supers != source.module().len() {
                continue;
            }
            let line = source.line_at(whole.start());
            if &path[2] == "{" {
                let names = first_names(&source.code[whole.end()..]);
                found.extend(names.into_iter().map(|name| (line, name)));
            } else {
                found.push((line, path[2].to_owned()));
            }
        }
        found
    }

    fn check_crates(&self, source: &Source) -> Found {
        let mut found = Vec::new();
        for (used, declared, name, homes) in &self.homes {
            // A file that declares a module of that name means its own module.
            if is_in(&source.path, homes) || declared.is_match(&source.code) {
                continue;
            }
            let rule = format!("the crate `{name}` lives in {homes:?}");
            found.extend(lines(source, used).map(|line| (line, rule.clone())));
        }
        found
    }

    fn check_bans(&self, source: &Source) -> Found {
        if EXCEPTIONS.contains(&source.path.as_str()) {
            return Vec::new();
        }
        let here = self
            .bans
            .iter()
            .filter(|(_, places, _)| is_in(&source.path, places));
        here.flat_map(|(ban, _, why)| lines(source, ban).map(|line| (line, (*why).to_owned())))
            .collect()
    }

    fn check_secrets(&self, source: &Source) -> Found {
        if EXPOSING.contains(&source.path.as_str()) {
            return Vec::new();
        }
        let rule = "a secret is exposed: if that must be, list the file in EXPOSING";
        self.exposures(source)
            .into_iter()
            .map(|line| (line, rule.to_owned()))
            .collect()
    }

    fn exposures(&self, source: &Source) -> Vec<usize> {
        // `#[serde(with = "…::for_sealing")]` names it in a string.
        let named = source
            .literals
            .iter()
            .filter(|(_, text)| text.contains("for_sealing"));
        lines(source, &self.exposure)
            .chain(named.map(|(line, _)| *line))
            .collect()
    }

    fn check_literals(&self, source: &Source) -> Found {
        let check = |(line, literal): &(usize, String)| {
            let name = self.providers.named_in(literal, &source.path)?;
            let remedy = "a deviation is a field of the provider format or a named transform";
            Some((
                *line,
                format!("the code names the provider `{name}`: {remedy}"),
            ))
        };
        source.literals.iter().filter_map(check).collect()
    }
}

/// Lines and what is there.
type Found = Vec<(usize, String)>;

fn check_names(source: &Source) -> Found {
    let module = source.module();
    let homeless = module
        .first()
        .filter(|own| !FLOORS.iter().any(|(name, _)| name == *own));
    let homeless =
        homeless.map(|own| format!("the module `{own}` has no floor: give it a row in FLOORS"));
    let drawers = module.iter().filter(|name| DRAWERS.contains(name));
    let drawers =
        drawers.map(|name| format!("`{name}` says nothing: name the module after what it owns"));
    homeless
        .into_iter()
        .chain(drawers)
        .map(|rule| (1, rule))
        .collect()
}

fn forbidden_import(own: &str, imported: &str) -> Option<String> {
    let known = FLOORS.iter().any(|(name, _)| *name == imported);
    let (_, below) = FLOORS.iter().find(|(name, _)| *name == own)?;
    let allowed = below
        .iter()
        .any(|names| names.split(' ').any(|name| name == imported));
    let forbidden = known && imported != own && !allowed;
    forbidden.then(|| format!("`{own}` must not import `{imported}`, only {below:?}"))
}

/// The names that stand first in each branch of `{a::…, b::{…}, c}`, whose opening brace is already read.
fn first_names(group: &str) -> Vec<String> {
    let mut branches = vec![String::new()];
    let mut depth = 1;
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => branches.push(String::new()),
            _ if depth == 1 => branches.last_mut().expect("never empty").push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    let name = |branch: &String| {
        branch
            .trim()
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    branches.iter().map(name).collect()
}

fn lines<'a>(source: &'a Source, pattern: &'a Regex) -> impl Iterator<Item = usize> + 'a {
    pattern
        .find_iter(&source.code)
        .map(|found| source.line_at(found.end()))
}

fn is_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What the provider files name: no code may.
#[derive(Default)]
pub(super) struct Providers {
    ids: Vec<String>,
    hosts: Vec<String>,
}

impl Providers {
    pub(super) fn read(folder: &Path) -> Self {
        let mut providers = Self::default();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let id = path
                    .file_stem()
                    .expect("a file has a name")
                    .to_string_lossy();
                let text = std::fs::read_to_string(&path).expect("a provider file is UTF-8");
                providers.add(&id, &text);
            }
        }
        providers
    }

    pub(super) fn add(&mut self, id: &str, file: &str) {
        let host = pattern(r"https://(?:\{\w+\}\.)?([a-z0-9-]+(?:\.[a-z0-9-]+)+)");
        self.ids.push(id.to_owned());
        self.hosts
            .extend(host.captures_iter(file).map(|found| found[1].to_owned()));
    }

    /// Which provider a literal names. The Sandbox is a service of ours and may say what it likes.
    fn named_in(&self, literal: &str, path: &str) -> Option<&str> {
        let starts_it = literal == "sandbox" && is_in(path, MAY_NAME_THE_SANDBOX);
        if path.starts_with("sandbox/") || starts_it {
            return None;
        }
        let id = self.ids.iter().find(|id| *id == literal);
        let host = || self.hosts.iter().find(|host| literal.contains(*host));
        id.or_else(host).map(String::as_str)
    }
}
