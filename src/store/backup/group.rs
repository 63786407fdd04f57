//! Records that belong together, as they stood at one moment.
//!
//! Owns which groups there are, and reading one while others write. Refuses to know what is in them.
//!
//! There is no snapshot of several records. A group is read, and read again: equal bytes both times mean that no record of
//! it was written in between, since no two writes ever give the same bytes, and that none came or went, since the manifest
//! would have been written. So all of them stood like that when the second reading began. A group that is written to the
//! whole time is read while no write begins, which holds all writers up for as long as the reading takes.

use std::collections::VecDeque;
use std::time::Duration;

use futures::future::try_join_all;

use crate::store::StoreError;
use crate::store::backend::{Backend, KeyRange, Order, Row};
use crate::store::manifest::{Group, MANIFESTS, OF_A_PERSON, SPREAD, group_of};

/// How often a group is read again before its writers are held up.
const TRIES: u32 = 8;
/// The first pause between two tries; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(1);
/// The table whose rows follow the group of their person.
const AFTER_PERSON: &str = "use";
/// How many keys of a table are looked at in one go.
const PAGE: usize = 64;

/// The names of all groups, each once, in order. A group that comes while they are read may be missing.
pub(super) struct Groups<'a> {
    backend: &'a Backend,
    tables: Vec<Cursor>,
    /// The one that was named last.
    last: Option<String>,
}

/// One table, from key to key.
struct Cursor {
    range: KeyRange,
    names: VecDeque<String>,
    ended: bool,
}

impl<'a> Groups<'a> {
    pub(super) fn of(backend: &'a Backend) -> Self {
        let spread = SPREAD.iter().map(|(table, _)| *table);
        let tables = OF_A_PERSON.into_iter().chain(spread).chain([MANIFESTS]);
        let cursor = |table: &str| Cursor {
            range: KeyRange::prefix(&format!("{table}/")),
            names: VecDeque::new(),
            ended: false,
        };
        Self {
            backend,
            tables: tables.map(cursor).collect(),
            last: None,
        }
    }

    /// The next group.
    pub(super) async fn next(&mut self) -> Result<Option<Group>, StoreError> {
        for cursor in &mut self.tables {
            cursor.fill(self.backend, self.last.as_deref()).await?;
        }
        let fronts = self.tables.iter().filter_map(|cursor| cursor.names.front());
        let Some(first) = fronts.min().cloned() else {
            return Ok(None);
        };
        self.last = Some(first.clone());
        Ok(Some(Group::named(&first)))
    }
}

impl Cursor {
    /// Sees to it that there is a name after `last`, if there is one in the table.
    async fn fill(&mut self, backend: &Backend, last: Option<&str>) -> Result<(), StoreError> {
        let is_done = |name: &str| last.is_some_and(|last| name <= last);
        while self.names.pop_front_if(|name| is_done(name)).is_some() {}
        while self.names.is_empty() && !self.ended {
            let rows = backend.scan(&self.range, Order::Ascending, PAGE).await?;
            self.ended = rows.len() < PAGE;
            for (key, _) in rows {
                self.range = self.range.clone().past(&key, Order::Ascending);
                let Some(name) = name(&String::from_utf8_lossy(&key)) else {
                    continue;
                };
                if !is_done(&name) && self.names.back() != Some(&name) {
                    self.names.push_back(name);
                }
            }
            self.names.make_contiguous().sort_unstable();
        }
        Ok(())
    }
}

/// The name of the group that a key belongs to, or is the manifest of.
fn name(key: &str) -> Option<String> {
    match key
        .strip_prefix(MANIFESTS)
        .and_then(|rest| rest.strip_prefix('/'))
    {
        Some(name) => Some(name.to_owned()),
        None => group_of(key).map(|group| group.name().to_owned()),
    }
}

/// The rows of `group`, its manifest first, as they stood at one moment; and then what travels with a person and is in no
/// manifest, as it is found, yet readable with the keys in the group.
pub(super) async fn read(backend: &Backend, group: &Group) -> Result<Vec<Row>, StoreError> {
    let after = KeyRange::prefix(&format!("{AFTER_PERSON}/{}/", group.name()));
    loop {
        let mut rows = read_listed(backend, group).await?;
        let more = backend.scan(&after, Order::Ascending, usize::MAX).await?;
        if more.is_empty() || data_key(&rows) == read_data_key(backend, group).await?.as_deref() {
            rows.extend(more);
            return Ok(rows);
        }
    }
}

fn data_key(rows: &[Row]) -> Option<&[u8]> {
    let found = rows.iter().find(|(key, _)| key.starts_with(b"key/"));
    found.map(|(_, value)| value.as_slice())
}

async fn read_data_key(backend: &Backend, group: &Group) -> Result<Option<Vec<u8>>, StoreError> {
    backend.get(&format!("key/{}", group.name())).await
}

async fn read_listed(backend: &Backend, group: &Group) -> Result<Vec<Row>, StoreError> {
    let ranges = ranges(group);
    if let Some(rows) = settled(backend, group, &ranges, TRIES).await? {
        return Ok(rows);
    }
    tracing::debug!(
        group = group.name(),
        "a group is written to the whole time: its writers wait"
    );
    let held = backend.hold_writes().await;
    // Only what was under way when the writers were held up can still change it.
    let rows = settled(backend, group, &ranges, u32::MAX).await?;
    drop(held);
    Ok(rows.unwrap_or_default())
}

/// The rows once two readings agree. None when `tries` did not.
async fn settled(
    backend: &Backend,
    group: &Group,
    ranges: &[KeyRange],
    tries: u32,
) -> Result<Option<Vec<Row>>, StoreError> {
    let mut before = once(backend, group, ranges).await?;
    let mut pause = PAUSE;
    for _ in 0..tries {
        let now = once(backend, group, ranges).await?;
        if now == before {
            return Ok(Some(now));
        }
        before = now;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE * 64);
    }
    Ok(None)
}

async fn once(
    backend: &Backend,
    group: &Group,
    ranges: &[KeyRange],
) -> Result<Vec<Row>, StoreError> {
    let scans = ranges
        .iter()
        .map(|range| backend.scan(range, Order::Ascending, usize::MAX));
    let mut rows = try_join_all(scans).await?.concat();
    // A range may hold what belongs to a neighbour whose name begins alike.
    rows.retain(|(key, _)| {
        let name = name(&String::from_utf8_lossy(key));
        name.as_deref() == Some(group.name())
    });
    Ok(rows)
}

/// Where the rows of a group can be, its manifest first.
fn ranges(group: &Group) -> Vec<KeyRange> {
    let manifest = KeyRange::prefix(group.manifest_key());
    let spread = SPREAD.iter().find_map(|(table, _)| {
        let part = group.name().strip_prefix(table)?.strip_prefix('-')?;
        Some((table, part))
    });
    let tables: Vec<String> = match spread {
        // Where every key begins alike, and odd ones that do not.
        Some((table, part)) => vec![format!("{table}/{table}_{part}"), format!("{table}/{part}")],
        None => OF_A_PERSON
            .iter()
            .map(|table| format!("{table}/{}", group.name()))
            .collect(),
    };
    let records = tables.iter().map(|prefix| KeyRange::prefix(prefix));
    std::iter::once(manifest).chain(records).collect()
}
