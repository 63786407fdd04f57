//! `attache providers`: what each service offers, and how far it is proven.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::check::report;
use super::requests::requests;
use crate::catalogue::{self, Catalogue, FixtureCount, ServiceCount};

#[derive(Debug, Args)]
pub(super) struct ProvidersOptions {
    /// A folder with more provider files.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Count the contract fixtures in this folder as well.
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Print a page in Markdown.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Show what a login at this service, its renewal and its end would send, and send nothing.
    #[arg(long, value_name = "SERVICE", conflicts_with_all = ["fixtures", "markdown", "json"])]
    requests: Option<String>,
    /// The value of a variable of the service, for `--requests`.
    #[arg(long = "variable", value_name = "NAME=VALUE", requires = "requests", value_parser = variable)]
    variables: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Prints one line for each provider and product, and the sums.
pub(super) fn run(options: &ProvidersOptions) -> Result<(), Failure> {
    let catalogue =
        Catalogue::load(options.folder.as_deref()).map_err(|problems| report(&problems))?;
    if let Some(service) = &options.requests {
        let given = options.variables.iter().cloned().collect();
        print!("{}", requests(&catalogue, service, &given)?);
        return Ok(());
    }
    let fixtures = match &options.fixtures {
        Some(folder) => catalogue::read_fixtures(folder).map_err(|problems| report(&problems))?,
        None => Vec::new(),
    };
    let counts = catalogue::count_evidence(&catalogue, &fixtures);
    let table = Table {
        counts: &counts,
        with_fixtures: options.fixtures.is_some(),
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&counts)?);
    } else if options.markdown {
        print!("{}", table.page());
    } else {
        print!("{}", table.aligned());
    }
    Ok(())
}

struct Table<'c> {
    counts: &'c [ServiceCount],
    with_fixtures: bool,
}

impl Table<'_> {
    fn headings(&self) -> Vec<&'static str> {
        let mut headings = vec![
            "service",
            "connection",
            "tools",
            "read only",
            "login",
            "unconfirmed facts",
        ];
        if self.with_fixtures {
            headings.extend([
                "fixtures",
                "documented",
                "from facts",
                "constructed",
                "tools with a documented reply",
            ]);
            if self.counts.iter().any(|count| count.fixtures.unknown > 0) {
                headings.push("without a source");
            }
        }
        headings
    }

    fn row(&self, count: &ServiceCount) -> Vec<String> {
        let mut cells = vec![
            format!("{} (`{}`)", count.name, count.id),
            count
                .authorization
                .clone()
                .unwrap_or_else(|| "its own".to_owned()),
            count.tools.to_string(),
            count.read_only.to_string(),
            if count.live { "live" } else { "not yet" }.to_owned(),
            count.unconfirmed.to_string(),
        ];
        if self.with_fixtures {
            cells.extend(fixture_cells(&count.fixtures));
        }
        cells.truncate(self.headings().len());
        cells
    }

    fn sums(&self) -> Vec<String> {
        let sum = |of: fn(&ServiceCount) -> usize| self.counts.iter().map(of).sum::<usize>();
        let fixtures = FixtureCount {
            documented: sum(|count| count.fixtures.documented),
            facts: sum(|count| count.fixtures.facts),
            constructed: sum(|count| count.fixtures.constructed),
            unknown: sum(|count| count.fixtures.unknown),
            tools_documented: sum(|count| count.fixtures.tools_documented),
        };
        let mut cells = vec![
            format!("{} files", self.counts.len()),
            format!(
                "{} connections",
                sum(|count| usize::from(count.authorization.is_none()))
            ),
            sum(|count| count.tools).to_string(),
            sum(|count| count.read_only).to_string(),
            format!("{} live", sum(|count| usize::from(count.live))),
            sum(|count| count.unconfirmed).to_string(),
        ];
        if self.with_fixtures {
            cells.extend(fixture_cells(&fixtures));
        }
        cells.truncate(self.headings().len());
        cells
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let rows = self.counts.iter().map(|count| self.row(count));
        rows.chain([self.sums()]).collect()
    }

    /// For a terminal.
    fn aligned(&self) -> String {
        let headings = self.headings().into_iter().map(str::to_owned).collect();
        let rows: Vec<Vec<String>> = std::iter::once(headings).chain(self.rows()).collect();
        let columns = rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let mut text = String::new();
        for row in rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        }
        text
    }

    /// For `docs/providers.md`.
    fn page(&self) -> String {
        let mut text = String::from(PREFACE);
        let headings = self.headings();
        let _ = writeln!(text, "| {} |", headings.join(" | "));
        let rules = headings.iter().enumerate().map(|(column, _)| match column {
            0 | 1 | 4 => "---",
            _ => "---:",
        });
        let _ = writeln!(text, "|{}|", rules.collect::<Vec<_>>().join("|"));
        for row in self.rows() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }
}

fn fixture_cells(count: &FixtureCount) -> [String; 6] {
    let all = count.documented + count.facts + count.constructed + count.unknown;
    [
        all,
        count.documented,
        count.facts,
        count.constructed,
        count.tools_documented,
        count.unknown,
    ]
    .map(|number| number.to_string())
}

const PREFACE: &str = "\
# Services

What each provider file of this release offers, and how far it is proven. A product shares the connection of its provider.

* **login**: `live` once somebody has logged in and called a tool with this very file.
* **unconfirmed facts**: what a live login must still confirm; each is a sentence in the file.
* **fixtures**: what a tool sends and how it reads the reply, replayed by the tests. The reply is the provider's own example
  (documented, the only kind that is evidence), made from facts that were gathered, or constructed.

This page is printed by `attache providers --markdown --fixtures tests/fixtures/providers`; a test holds it fresh.

";
