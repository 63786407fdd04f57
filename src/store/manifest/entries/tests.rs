//! The judgement of every case, and bytes that come back.

use proptest::prelude::*;

use super::super::group::group_of;
use super::*;

const KEY: &str = "con/per_a/con_1";

fn entries(floor: u64, state: State) -> Entries {
    let mut entries = Entries::default();
    entries.put(KEY, Entry { floor, state });
    entries
}

const STATES: [State; 4] = [State::Coming, State::Present, State::Leaving, State::Gone];

#[test]
fn what_is_found_is_judged() {
    let none = Entries::default();
    assert_eq!(none.judge(KEY, None), Verdict::Nothing);
    assert_eq!(none.judge(KEY, Some(7)), Verdict::Unlisted);
    for state in STATES {
        let five = entries(5, state);
        assert_eq!(five.judge(KEY, Some(5)), Verdict::Here);
        assert_eq!(five.judge(KEY, Some(6)), Verdict::Here);
        let (absent, old) = match state {
            State::Present => (Verdict::Missing, Verdict::RolledBack),
            _ => (Verdict::Nothing, Verdict::Outlived),
        };
        assert_eq!(five.judge(KEY, None), absent, "{state:?}");
        assert_eq!(five.judge(KEY, Some(4)), old, "{state:?}");
    }
}

/// Whatever an absent record's entry says, a record that comes there is above all that were there, and stays acceptable
/// when the entry is settled while it is still on its way.
#[test]
fn what_comes_is_above_all_that_was() {
    for (state, floor) in [
        (State::Coming, 5),
        (State::Gone, 5),
        (State::Leaving, 6),
        (State::Present, 5 + LEAP),
    ] {
        let mut entries = entries(5, state);
        let seen = entries.get(KEY);
        let key = KEY.to_owned();
        let come = Change::Come { key, seen };
        assert_eq!(entries.apply(&come), Changed::Floor(floor), "{state:?}");
        entries.settle(KEY, None);
        assert_eq!(entries.judge(KEY, None), Verdict::Nothing);
        assert_eq!(entries.judge(KEY, Some(floor)), Verdict::Here);
        entries.settle(KEY, Some(floor));
        assert_eq!(entries.apply(&come), Changed::Moved);
    }
}

#[test]
fn what_leaves_is_outlived_and_so_is_all_before_it() {
    let mut entries = entries(3, State::Present);
    let (key, generation) = (KEY.to_owned(), 7);
    entries.apply(&Change::Leave { key, generation });
    assert_eq!(entries.judge(KEY, Some(7)), Verdict::Here);
    assert_eq!(entries.judge(KEY, None), Verdict::Nothing);
    entries.settle(KEY, None);
    for generation in 0..=7 {
        assert_eq!(entries.judge(KEY, Some(generation)), Verdict::Outlived);
    }
    let mut stayed = entries.clone();
    stayed.settle(KEY, Some(8));
    assert_eq!(stayed.judge(KEY, None), Verdict::Missing);
}

#[test]
fn what_looks_wrong_is_not_settled() {
    for generation in [None, Some(4)] {
        let mut present = entries(5, State::Present);
        present.settle(KEY, generation);
        assert_eq!(present, entries(5, State::Present));
    }
}

#[test]
fn a_key_of_one_use_leaves_nothing_behind() {
    let mut entries = Entries::default();
    let key = || "tom/per_a/con_1/x".to_owned();
    let come = Change::Come {
        key: key(),
        seen: None,
    };
    entries.apply(&come);
    entries.settle(&key(), Some(1));
    let leave = Change::Leave {
        key: key(),
        generation: 1,
    };
    entries.apply(&leave);
    entries.settle(&key(), None);
    assert_eq!(entries, Entries::default());
}

fn listed() -> impl Strategy<Value = Entries> {
    let entry = (0..HIGHEST, 0..4_u64).prop_map(|(floor, packed)| Entry {
        floor,
        state: state(packed),
    });
    prop::collection::btree_map("(con|cre|def)/per_[ab]/[a-c]{0,4}", entry, 0..30).prop_map(|map| {
        Entries(
            map.into_iter()
                .map(|(key, entry)| (key.into(), entry))
                .collect(),
        )
    })
}

proptest! {
    #[test]
    fn entries_come_back(entries in listed()) {
        let group = group_of("per/per_a").unwrap();
        let bytes = entries.encode(&group);
        prop_assert_eq!(Entries::decode(&bytes, &group), Ok(entries.clone()));
        for cut in 0..bytes.len() {
            prop_assert!(Entries::decode(&bytes[..cut], &group).is_err());
        }
    }

    #[test]
    fn no_bytes_are_too_odd(bytes: Vec<u8>) {
        let group = group_of("per/per_a").unwrap();
        let with_version = [&[VERSION], bytes.as_slice()].concat();
        let _ = Entries::decode(&with_version, &group);
    }

    #[test]
    fn a_settled_entry_is_one_that_settling_does_not_change(
        entries in listed(), generation in prop::option::of(0..HIGHEST),
    ) {
        for (key, entry) in entries.iter() {
            for generation in [generation, Some(entry.floor), None] {
                let mut after = entries.clone();
                after.settle(key, generation);
                prop_assert_eq!(entries.is_settled(key, generation), after == entries);
            }
        }
    }
}

#[test]
fn an_entry_takes_little() {
    let mut entries = Entries::default();
    let present = Entry {
        floor: 300,
        state: State::Present,
    };
    let person = "per_0123456789abcdefghjkmnpqrs";
    let group = group_of(&format!("per/{person}")).unwrap();
    for connection in 0..4 {
        for table in ["con", "cre"] {
            let key = format!("{table}/{person}/con_{connection}123456789abcdefghjkmnpqrs");
            entries.put(&key, present);
        }
    }
    let bytes = entries.encode(&group).len();
    assert!(bytes <= 8 * 40, "{bytes}");
}
