//! The tutorial works: its files are written, its commands run, and they print what it says.

use std::fs;
use std::path::Path;

use crate::support::program::{command, end};

const PAGE: &str = include_str!("../../docs/adding-a-provider.md");

/// What one fenced block is for.
enum Block<'p> {
    /// A part of a file: the next one of the same name goes behind it.
    File { name: &'p str, text: &'p str },
    /// Commands after `$`, each with what it prints.
    Commands { succeed: bool, text: &'p str },
}

fn blocks() -> Vec<Block<'static>> {
    let fenced = PAGE.split("\n```").skip(1).step_by(2);
    let block = |block: &'static str| {
        let (heading, text) = block.split_once('\n').unwrap();
        match heading.split_once(' ').unwrap_or((heading, "")) {
            ("console", words) => Block::Commands {
                succeed: words.is_empty(),
                text,
            },
            ("toml" | "json", name) if !name.is_empty() => Block::File { name, text },
            _ => panic!("a block that no test runs: {heading}"),
        }
    };
    fenced.map(block).collect()
}

#[test]
fn the_tutorial_ends_green() {
    let folder = tempfile::tempdir().unwrap();
    let mut begun = Vec::new();
    let mut ran = 0;
    for block in blocks() {
        match block {
            Block::File { name, text } => {
                let file = folder.path().join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                // The first block of a file takes the place of what `new-provider` wrote.
                let before = if begun.contains(&name) {
                    fs::read_to_string(&file).unwrap()
                } else {
                    begun.push(name);
                    String::new()
                };
                fs::write(&file, format!("{before}{text}\n")).unwrap();
            }
            Block::Commands { succeed, text } => {
                for run in text.split("$ ").skip(1) {
                    let (line, printed) = run.split_once('\n').unwrap_or((run, ""));
                    assert_prints(folder.path(), line, succeed, printed.trim_end());
                    ran += 1;
                }
            }
        }
    }
    assert!(ran >= 6 && begun.len() == 9, "{ran} {begun:?}");
}

/// A command that succeeds prints exactly this on stdout; one that fails says each of the lines on stderr.
fn assert_prints(folder: &Path, line: &str, succeed: bool, printed: &str) {
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("attache"), "{line}");
    let arguments: Vec<&str> = words.collect();
    let ended = end(command(&arguments).current_dir(folder));
    assert_eq!(ended.status == Some(0), succeed, "{line}: {}", ended.stderr);
    if succeed {
        assert_eq!(ended.stdout.trim_end(), printed, "{line}: {}", ended.stderr);
    } else {
        for expected in printed.lines() {
            assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
        }
    }
}

#[test]
fn the_tutorial_is_short() {
    assert!(PAGE.lines().count() <= 260);
}
