//! Which tables go into a backup.
//!
//! Owns that decision, one row with its reason for each table. A table that is not listed is kept, so that one that is
//! forgotten here costs bytes and never data.

use crate::store::manifest::group_of;

/// What becomes of the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// Copied before everything else: without them nothing opens.
    First,
    /// Copied with the records that they belong to, as all of them stood at one moment.
    Grouped,
    /// Copied right after the group of the person that the key begins with.
    AfterPerson,
    /// Notes and hints: copied before the records for what may come due meanwhile, and after them in full.
    Note,
    /// Copied as they are found.
    Plain,
    /// Left out.
    Left,
}

/// The decisions that are not to copy rows as they are found.
const TABLES: [(&str, Keeping); 20] = [
    // The index key, the data keys of the house.
    ("store", Keeping::First),
    // Manifests, and all that is in one.
    ("man", Keeping::Grouped),
    ("per", Keeping::Grouped),
    ("key", Keeping::Grouped),
    ("idp", Keeping::Grouped),
    ("agt", Keeping::Grouped),
    ("con", Keeping::Grouped),
    ("cre", Keeping::Grouped),
    ("tom", Keeping::Grouped),
    ("def", Keeping::Grouped),
    ("sta", Keeping::Grouped),
    ("stp", Keeping::Grouped),
    // Written every few seconds and missed by nobody, so it must not make its group look restless; sealed with the key
    // of its person, so it travels with that.
    ("use", Keeping::AfterPerson),
    // Without its note a revocation that is under way never ends, and a token is not renewed ahead of time.
    ("due", Keeping::Note),
    ("out", Keeping::Note),
    // Browser sessions: one that was ended since must not come back, and signing in again is one click.
    ("ses", Keeping::Left),
    // One-time links, sign-ins under way, connect tickets and authorization requests: minutes of life, and a second life would make them
    // work twice.
    ("sig", Keeping::Left),
    ("sia", Keeping::Left),
    ("tic", Keeping::Left),
    ("aut", Keeping::Left),
];

/// Hints that a record expires, under `exp/{minute}/{full key}`.
const HINTS: &str = "exp";

/// What the key begins with, up to the first `/`.
pub(super) fn table_of(full_key: &str) -> &str {
    full_key.split('/').next().unwrap_or(full_key)
}

impl Keeping {
    /// What becomes of the row at `full_key`.
    pub(super) fn of(full_key: &str) -> Self {
        let table = table_of(full_key);
        if table == HINTS {
            // A hint goes where its record goes: alone it is swept as stale.
            let record = full_key.splitn(3, '/').nth(2).unwrap_or_default();
            return match Self::of_table(table_of(record)) {
                Self::Left => Self::Left,
                _ => Self::Note,
            };
        }
        // Whatever a manifest lists must not be separated from it, be it known here or not.
        if group_of(full_key).is_some() {
            return Self::Grouped;
        }
        Self::of_table(table)
    }

    /// What becomes of all rows of a table, where that does not depend on the row. None: look at each.
    pub(super) fn of_whole_table(table: &str) -> Option<Self> {
        (table != HINTS).then(|| Self::of_table(table))
    }

    fn of_table(table: &str) -> Self {
        let found = TABLES.iter().find(|(name, _)| *name == table);
        found.map_or(Self::Plain, |(_, keeping)| *keeping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_table_is_grouped_and_no_other() {
        for (table, keeping) in TABLES {
            let is_listed = table == "man" || group_of(&format!("{table}/per_a/1")).is_some();
            assert_eq!(is_listed, keeping == Keeping::Grouped, "{table}");
        }
    }

    #[test]
    fn hints_go_where_their_records_go_and_strangers_are_kept() {
        for (key, keeping) in [
            ("exp/000029923560/ses/abc", Keeping::Left),
            ("exp/000029923560/evt/abc", Keeping::Note),
            ("due/000029923560/renew/per_a/con_1", Keeping::Note),
            ("exp/odd", Keeping::Note),
            ("evt/1", Keeping::Plain),
            ("hok/1", Keeping::Plain),
            ("new/1", Keeping::Plain),
            ("", Keeping::Plain),
            ("aut/1", Keeping::Left),
            ("cre/per_a/con_1", Keeping::Grouped),
        ] {
            assert_eq!(Keeping::of(key), keeping, "{key}");
        }
    }
}
