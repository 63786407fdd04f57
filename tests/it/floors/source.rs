//! Rust source as the floors see it: code and string literals by line, without comments and without tests.
//!
//! A scanner, not a parser. It relies on what rustfmt and the compiler guarantee already.

use std::collections::BTreeSet;
use std::path::Path;

/// One file below `src/`.
pub(super) struct Source {
    /// Relative to `src/`, with `/`.
    pub(super) path: String,
    /// The code; every string is empty, every comment and every test is gone, every line break stands.
    pub(super) code: String,
    /// The string literals and their lines.
    pub(super) literals: Vec<(usize, String)>,
    /// Modules that exist in tests alone: paths relative to `src/`, without `.rs`.
    test_modules: Vec<String>,
}

impl Source {
    pub(super) fn scan(path: &str, text: &str) -> Self {
        let (code, literals) = split(text);
        let (code, test_lines, test_modules) = without_tests(&code);
        let literals = literals
            .into_iter()
            .filter(|(line, _)| !test_lines.contains(line));
        let folder = module_path(path).join("/");
        Self {
            path: path.to_owned(),
            code,
            literals: literals.collect(),
            test_modules: test_modules
                .into_iter()
                .map(|name| {
                    format!("{folder}/{name}")
                        .trim_start_matches('/')
                        .to_owned()
                })
                .collect(),
        }
    }

    /// Every file below `root` that is part of the product.
    pub(super) fn tree(root: &Path) -> Vec<Self> {
        let mut files = Vec::new();
        collect(root, "", &mut files);
        let test_modules: BTreeSet<String> = files
            .iter()
            .flat_map(|file| file.test_modules.clone())
            .collect();
        let is_test = |file: &Self| {
            let module = file.path.trim_end_matches(".rs");
            test_modules.iter().any(|test| {
                module == test
                    || module
                        .strip_prefix(test.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))
            })
        };
        files.retain(|file| !is_test(file));
        files
    }

    /// The module that the file is: `["store", "sled"]` for `store/sled.rs`, nothing for `lib.rs`.
    pub(super) fn module(&self) -> Vec<&str> {
        module_path(&self.path)
    }

    /// The line, from 1, at a place in the code.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.code[..offset].matches('\n').count() + 1
    }
}

fn module_path(path: &str) -> Vec<&str> {
    let mut module: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    if matches!(module.last(), Some(&"mod" | &"lib" | &"main")) {
        module.pop();
    }
    module
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<Source>) {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files);
        } else if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            let text = std::fs::read_to_string(entry.path()).expect("source is UTF-8");
            files.push(Source::scan(&format!("{prefix}{name}"), &text));
        }
    }
}

/// Code with empty strings and without comments, and the strings with their lines.
fn split(text: &str) -> (String, Vec<(usize, String)>) {
    let mut code = String::new();
    let mut literals = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some((opening, closing)) = string_at(&code, rest) {
            let body = &rest[opening..];
            let end = end_of_string(body, &closing);
            literals.push((code.matches('\n').count() + 1, body[..end].to_owned()));
            code.push_str("\"\"");
            opening + end + closing.len()
        } else if let Some(length) = char_literal(rest) {
            length
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        let length = length.min(rest.len());
        code.extend(rest[..length].matches('\n'));
        rest = &rest[length..];
    }
    (code, literals)
}

/// How long the opening of a string is and what closes it, when `rest` starts with a string.
fn string_at(code: &str, rest: &str) -> Option<(usize, String)> {
    if rest.starts_with('"') {
        return Some((1, "\"".to_owned()));
    }
    let inside_name =
        code.ends_with(|c: char| c.is_alphanumeric() || c == '_') && !code.ends_with('b');
    let raw = rest.strip_prefix('r').filter(|_| !inside_name)?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    raw[hashes..]
        .starts_with('"')
        .then(|| (hashes + 2, format!("\"{}", "#".repeat(hashes))))
}

fn end_of_string(body: &str, closing: &str) -> usize {
    if closing.len() > 1 {
        return body.find(closing).unwrap_or(body.len());
    }
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    body.len()
}

/// The length of a character literal; a lifetime is none.
fn char_literal(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'')?;
    if body.starts_with('\\') {
        return body[2..].find('\'').map(|end| end + 4);
    }
    let c = body.chars().next()?;
    body[c.len_utf8()..]
        .starts_with('\'')
        .then(|| c.len_utf8() + 2)
}

/// Code without the items under `#[cfg(test)]`, the lines they stood on, and the modules they declare.
fn without_tests(code: &str) -> (String, BTreeSet<usize>, Vec<String>) {
    let mut kept = String::new();
    let mut lines = BTreeSet::new();
    let mut modules = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find("#[cfg(test)]") {
        let item = &rest[start..];
        let length = end_of_item(item);
        if let Some((_, name)) = item[..length].trim_end_matches(';').rsplit_once("mod ") {
            modules.push(name.to_owned());
        }
        kept.push_str(&rest[..start]);
        let first = kept.matches('\n').count() + 1;
        lines.extend(first..=first + item[..length].matches('\n').count());
        kept.extend(item[..length].matches('\n'));
        rest = &item[length..];
    }
    kept.push_str(rest);
    (kept, lines, modules)
}

/// Where an item ends: at its `;`, or at the brace that closes it.
fn end_of_item(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}
