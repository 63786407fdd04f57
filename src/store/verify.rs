//! Looking at everything, and putting right what can be.
//!
//! Owns the report on a whole store and what repair makes of it: no record is believed again that was found wanting, and
//! none that is whole is touched. Refuses to know what the records mean: whose connection it was is told by their key.
//!
//! Both go page by page and may run while the gateway does.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::backend::{KeyRange, Order};
use super::manifest::{Group, MANIFESTS, group_of};
use super::root::{Head, MadeAnew, Root};
use super::{Inner, Store, StoreError, due, sweep};

/// How many rows are held at once.
const PAGE: usize = 256;

/// How many findings are told; more are counted.
const MOST: usize = 1_000;

/// What a look at the whole store found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many records could be read, and are as they should be.
    pub records: usize,
    /// How many manifests could be.
    pub manifests: usize,
    /// What is wrong, at most a thousand.
    pub findings: Vec<Finding>,
    /// How many more findings there are.
    pub left_out: usize,
    /// How it stands with the root; none for a store that has none.
    pub root: Option<RootState>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The full key of the record, or of the manifest.
    pub key: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a record or a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// It cannot be opened.
    Damaged,
    /// It should be there.
    Missing,
    /// An older copy stands in its place.
    RolledBack,
    /// It stands in no manifest.
    Unlisted,
    /// A later version wrote it.
    Newer,
}

/// How it stands with the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootState {
    /// How many manifests it knows of.
    pub groups: usize,
    /// How many of them are gone together with every record that they listed. Which they were cannot be told.
    pub lost: usize,
    /// It was itself lost once, and made anew from what was there, since when nothing was repaired: `missing` or
    /// `damaged`.
    pub made_anew: Option<String>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let root = self.root.as_ref();
        self.findings.is_empty()
            && self.left_out == 0
            && root.is_none_or(|root| root.lost == 0 && root.made_anew.is_none())
    }

    fn add(&mut self, error: &StoreError) {
        let Some((key, problem)) = Problem::of(error) else {
            return;
        };
        let key = key.to_owned();
        let finding = Finding { key, problem };
        if self.findings.contains(&finding) {
            return;
        }
        if self.findings.len() < MOST {
            self.findings.push(finding);
        } else {
            self.left_out += 1;
        }
    }
}

impl Finding {
    /// What is wrong and what to do about it, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { key, problem } = self;
        let is_manifest = Group::of_manifest(key).is_some();
        let what = if is_manifest { "manifest" } else { "record" };
        let wrong = match problem {
            Problem::Damaged => "cannot be opened",
            Problem::Missing => "is missing",
            Problem::RolledBack => "is older than one that was written later",
            Problem::Unlisted => "is in no manifest",
            Problem::Newer => "was written by a later version",
        };
        let remedy = match (problem, is_manifest) {
            (Problem::Newer, _) => "use the version that wrote it",
            (_, true) => {
                "restore a backup, or have it made anew from its records: `attache store repair --yes`"
            }
            (Problem::Missing, _) => {
                "restore a backup, or have it forgotten: `attache store repair --yes`"
            }
            _ => "restore a backup, or have it removed: `attache store repair --yes`",
        };
        format!("the {what} `{key}` {wrong}: {remedy}")
    }
}

impl Problem {
    fn of(error: &StoreError) -> Option<(&str, Self)> {
        let problem = match error {
            StoreError::Missing { .. } => Self::Missing,
            StoreError::RolledBack { .. } => Self::RolledBack,
            StoreError::Unlisted { .. } => Self::Unlisted,
            StoreError::NewerFormat { .. } => Self::Newer,
            _ => Self::Damaged,
        };
        Some((error.record()?, problem))
    }
}

impl Store {
    /// Looks at every record and every manifest, and changes nothing.
    ///
    /// # Errors
    /// Those of the store as a whole; what is wrong with single records is in the report.
    pub async fn verify(&self) -> Result<Report, StoreError> {
        let mut report = Report::default();
        let listed = self.0.verify_manifests(&mut report).await?;
        let orphaned = self.0.verify_rows(&mut report).await?;
        report.root = self.0.root.get().map(|root| {
            let groups = root.groups();
            RootState {
                groups,
                lost: groups.saturating_sub(listed + orphaned),
                made_anew: root.head().made_anew.map(|why| match why {
                    MadeAnew::Missing => "missing".to_owned(),
                    MadeAnew::Damaged => "damaged".to_owned(),
                }),
            }
        });
        Ok(report)
    }

    /// Has everything forgotten, removed or made anew that `report` found and that is still wrong. Answers with a line for
    /// each thing done. Records that a later version wrote are left alone.
    ///
    /// # Errors
    /// Those of the store; what was done before stays done.
    pub async fn repair(&self, report: &Report) -> Result<Vec<String>, StoreError> {
        let mut lines = Vec::new();
        // Manifests first: they decide about their records.
        let (manifests, records): (Vec<_>, Vec<_>) = report
            .findings
            .iter()
            .partition(|finding| Group::of_manifest(&finding.key).is_some());
        for finding in manifests.into_iter().chain(records) {
            if let Some(line) = self.repair_one(&finding.key).await? {
                lines.push(line);
            }
        }
        let root = report.root.as_ref();
        if let Some(own) = self.0.root.get()
            && root.is_some_and(|root| root.lost > 0 || root.made_anew.is_some())
        {
            lines.extend(self.0.repair_root(own).await?);
        }
        self.settle().await?;
        Ok(lines)
    }

    async fn repair_one(&self, key: &str) -> Result<Option<String>, StoreError> {
        let inner = &self.0;
        if let Some(group) = Group::of_manifest(key) {
            return match inner.roll(&group).await {
                Ok(_) | Err(StoreError::NewerFormat { .. }) => Ok(None),
                Err(error) if error.record().is_some() => {
                    let rows = inner.rows_of(&group).await?;
                    inner.rebuild_roll(&group, &rows).await?;
                    let count = rows.len();
                    Ok(Some(format!("`{key}` was made anew from {count} records")))
                }
                Err(error) => Err(error),
            };
        }
        let found = match group_of(key) {
            Some(group) => inner.find(&group, key).await,
            None => inner.find_unlisted(key).await,
        };
        match found {
            Err(StoreError::NewerFormat { .. }) | Ok(_) => Ok(None),
            Err(error) if error.record() == Some(key) => {
                self.discard(key).await?;
                let done = match error {
                    StoreError::Missing { .. } => "is forgotten",
                    _ => "was removed",
                };
                Ok(Some(format!("`{key}` {done}")))
            }
            // Its manifest could not be made anew.
            Err(error) if error.record().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    /// Looks at each manifest and what it lists. Answers how many of them the root knows.
    async fn verify_manifests(&self, report: &mut Report) -> Result<usize, StoreError> {
        let mut known = 0;
        let mut range = KeyRange::prefix(&format!("{MANIFESTS}/"));
        loop {
            let rows = self.backend.scan(&range, Order::Ascending, PAGE).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(known);
            };
            range = range.past(last, Order::Ascending);
            for (key, _) in rows {
                let Some(group) = Group::of_manifest(&String::from_utf8_lossy(&key)) else {
                    continue;
                };
                let root = self.root.get();
                known += usize::from(root.is_some_and(|root| root.floor(&group).is_some()));
                match self.roll(&group).await {
                    Ok(roll) => {
                        report.manifests += 1;
                        for (key, _) in roll.entries.iter() {
                            match self.find(&group, key).await {
                                Ok(found) => report.records += usize::from(found.is_some()),
                                Err(error) if error.record().is_some() => report.add(&error),
                                Err(error) => return Err(error),
                            }
                        }
                    }
                    Err(error) if error.record().is_some() => report.add(&error),
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Looks at each row that no manifest speaks for. Answers how many groups have rows and a place in the root, and no
    /// manifest.
    async fn verify_rows(&self, report: &mut Report) -> Result<usize, StoreError> {
        let own = ["store", MANIFESTS, sweep::HINTS, due::NOTES, due::LANES];
        let mut orphaned = BTreeSet::new();
        let mut range = KeyRange::prefix("");
        loop {
            let rows = self.backend.scan(&range, Order::Ascending, PAGE).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(orphaned.len());
            };
            range = range.past(last, Order::Ascending);
            for (key, sealed) in rows {
                let key = String::from_utf8_lossy(&key);
                if key
                    .split_once('/')
                    .is_some_and(|(table, _)| own.contains(&table))
                {
                    continue;
                }
                let seen = match group_of(&key) {
                    None => {
                        let opened = self.open_record(&key, &sealed).await;
                        report.records += usize::from(opened.is_ok());
                        opened.map(drop)
                    }
                    Some(group) => match self.roll(&group).await {
                        // Looked at with its manifest.
                        Ok(roll) if roll.entries.get(&key).is_some() => Ok(()),
                        Ok(_) => self.find(&group, &key).await.map(drop),
                        Err(error) => {
                            if matches!(error, StoreError::Missing { .. }) {
                                orphaned.insert(group);
                            }
                            Err(error)
                        }
                    },
                };
                match seen {
                    Err(error) if error.record().is_some() => report.add(&error),
                    seen => seen?,
                }
            }
        }
    }

    /// The records of `group` that can be opened, with their generations.
    async fn rows_of(&self, group: &Group) -> Result<Vec<(String, u64)>, StoreError> {
        let mut found = Vec::new();
        for prefix in group.prefixes() {
            let mut range = KeyRange::prefix(&prefix);
            loop {
                let rows = self.backend.scan(&range, Order::Ascending, PAGE).await?;
                let Some((last, _)) = rows.last() else {
                    break;
                };
                range = range.past(last, Order::Ascending);
                for (key, sealed) in rows {
                    let key = String::from_utf8_lossy(&key).into_owned();
                    if group_of(&key).as_ref() != Some(group) {
                        continue;
                    }
                    match self.open_record(&key, &sealed).await {
                        Ok(envelope) => found.push((key, envelope.generation)),
                        // Listed all the same: it is damaged, not added.
                        Err(error) if error.record().is_some() => found.push((key, 0)),
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(found)
    }

    /// What could not be written is tried again by the root itself, which says so.
    async fn repair_root(&self, root: &Root) -> Result<Option<String>, StoreError> {
        let floors = self.floors().await?;
        let known = floors.len();
        let head = Head {
            made_anew: None,
            ..root.head()
        };
        let written = root.rewrite(head, Some(floors));
        Ok(written.then(|| format!("the root was made anew from {known} manifests")))
    }
}
