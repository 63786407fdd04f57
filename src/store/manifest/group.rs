//! Which manifest lists a record.

use super::MANIFESTS;

/// The records that one manifest lists: those of one person, or a small part of those that are found before it is known
/// whose they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::store) struct Group(String);

impl Group {
    /// The full key of the group's manifest.
    pub(in crate::store) fn manifest_key(&self) -> &str {
        &self.0
    }

    /// What the manifest's key ends with: the person, or the part of a table.
    pub(in crate::store) fn name(&self) -> &str {
        &self.0[MANIFESTS.len() + 1..]
    }

    /// The group whose manifest is at `manifest_key`.
    pub(in crate::store) fn of_manifest(manifest_key: &str) -> Option<Self> {
        let name = manifest_key.strip_prefix(MANIFESTS)?.strip_prefix('/')?;
        Some(Self::named(name))
    }

    /// The group of this name.
    pub(in crate::store) fn named(name: &str) -> Self {
        Self(format!("{MANIFESTS}/{name}"))
    }
}

/// Tables whose keys begin with a person.
pub(in crate::store) const OF_A_PERSON: [&str; 8] =
    ["per", "key", "con", "cre", "tom", "def", "sta", "stp"];

/// Tables whose keys are evenly spread, and how many characters of a key are the same all over the table.
pub(in crate::store) const SPREAD: [(&str, usize); 2] = [("idp", 0), ("agt", "agt_".len())];

/// How many characters of a spread key name its part of the table: with three hexadecimal digits 4,096 parts, so that a
/// million people make parts of some 250 records.
const PART: usize = 3;

/// The group of the record at `full_key`; none for records that nobody misses: hints, notes, and what is gone within
/// minutes or days of its own accord.
pub(in crate::store) fn group_of(full_key: &str) -> Option<Group> {
    let (table, key) = full_key.split_once('/')?;
    if OF_A_PERSON.contains(&table) {
        let person = key.split('/').next()?;
        return Some(Group::named(person));
    }
    let (_, same) = SPREAD.iter().find(|(name, _)| *name == table)?;
    let part = key.get(*same..same + PART).unwrap_or(key);
    Some(Group::named(&format!("{table}-{part}")))
}

/// The tables whose records are listed.
pub(in crate::store) fn tables() -> impl Iterator<Item = &'static str> {
    let spread = SPREAD.iter().map(|(table, _)| *table);
    OF_A_PERSON.into_iter().chain(spread)
}

impl Group {
    /// What the full keys of its records begin with, some of others among them.
    pub(in crate::store) fn prefixes(&self) -> Vec<String> {
        let name = self.name();
        let part = SPREAD.iter().find_map(|(table, same)| {
            let part = name.strip_prefix(table)?.strip_prefix('-')?;
            // A short or odd key is a part by itself, as it is.
            let front = if *same > 0 && part.len() == PART {
                "agt_"
            } else {
                ""
            };
            Some(format!("{table}/{front}{part}"))
        });
        part.map_or_else(
            || OF_A_PERSON.map(|table| format!("{table}/{name}")).into(),
            |part| vec![part],
        )
    }
}

/// The group that alone lists the keys beginning with `prefix`: for what lies within one person.
pub(in crate::store) fn group_of_all(prefix: &str) -> Option<Group> {
    let (table, rest) = prefix.split_once('/')?;
    let (person, _) = rest.split_once('/')?;
    OF_A_PERSON.contains(&table).then(|| Group::named(person))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_listed_with_its_person_or_with_its_neighbours() {
        let group = |key: &str| group_of(key).map(|group| group.manifest_key().to_owned());
        for key in [
            "per/per_a",
            "con/per_a/con_1",
            "cre/per_a/con_1",
            "tom/per_a/con_1/x",
        ] {
            assert_eq!(group(key).as_deref(), Some("man/per_a"), "{key}");
        }
        assert_eq!(group("idp/0123456789").as_deref(), Some("man/idp-012"));
        assert_eq!(group("agt/agt_abcdef").as_deref(), Some("man/agt-abc"));
        assert_eq!(group("agt/odd").as_deref(), Some("man/agt-odd"));
        for key in [
            "ses/1",
            "use/per_a/con_1",
            "due/000000000001/x",
            "store/index-key",
            "man/per_a",
            "",
        ] {
            assert_eq!(group(key), None, "{key}");
        }
    }
}
