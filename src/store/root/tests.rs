//! What the root remembers, and what becomes of it when its file is torn or changed.

use std::fs;
use std::path::Path;

use super::super::manifest::group_of;
use super::*;
use crate::store::MasterKey;

fn seal() -> Seal {
    let key = MasterKey::generate(&Random::seeded(1));
    Seal::new(&key.store_key("root"), Random::System)
}

fn group(n: usize) -> Group {
    group_of(&format!("per/per_{n}")).unwrap()
}

const SETTLED: Head = Head {
    stage: Stage::Settled,
    made_anew: None,
};

fn make(path: &Path) -> Root {
    Root::make(
        path.to_owned(),
        SETTLED,
        HashMap::new(),
        seal(),
        &Random::System,
    )
    .unwrap()
}

fn reopen(path: &Path) -> Root {
    let loaded = load(path, &seal()).unwrap().unwrap();
    Root::resume(path.to_owned(), loaded, seal(), &Random::System).unwrap()
}

#[test]
fn floors_are_remembered_and_never_fall() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root");
    assert!(load(&path, &seal()).unwrap().is_none());
    let root = make(&path);
    root.raise(&group(1), 5);
    root.raise(&group(1), 4);
    assert!(root.flush());
    root.raise(&group(2), 1);
    root.stop();

    let root = reopen(&path);
    assert_eq!(root.floor(&group(1)), Some(5));
    assert_eq!(root.floor(&group(2)), Some(1));
    assert_eq!((root.floor(&group(3)), root.groups()), (None, 2));
    root.raise(&group(1), 9);
    let anew = Head {
        made_anew: Some(MadeAnew::Damaged),
        ..SETTLED
    };
    let only = HashMap::from([(digest(&group(3)), 7_u64.to_be_bytes())]);
    assert!(root.rewrite(anew, Some(only)));
    drop(root);
    let root = reopen(&path);
    assert_eq!((root.head(), root.floor(&group(3))), (anew, Some(7)));
    assert_eq!(root.floor(&group(2)), None);
}

#[test]
fn a_file_of_many_old_floors_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root");
    let root = make(&path);
    let rounds = 12_u64;
    for round in 1..=rounds {
        for n in 0..2_000 {
            root.raise(&group(n), round);
        }
        assert!(root.flush());
    }
    root.stop();
    let most = (SMALL + (OUTDATED + 1) * 2_000) * 21;
    assert!(usize::try_from(fs::metadata(&path).unwrap().len()).unwrap() < most);
    assert_eq!(reopen(&path).floor(&group(1_999)), Some(rounds));
}

/// Cut anywhere, the file is either as it was before the last writes, or said to be damaged; with any bit turned over, the
/// last write may be taken for torn, and nothing else passes.
#[test]
fn a_torn_end_is_cut_off_and_any_other_damage_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root");
    let root = make(&path);
    for n in 1..=3 {
        root.raise(&group(n), 1);
        assert!(root.flush());
    }
    root.stop();
    let whole = fs::read(&path).unwrap();
    let groups = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match load(&path, &seal()) {
            Ok(loaded) => Some(loaded.unwrap().floors.len()),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                None
            }
        }
    };
    let frame = 8 + 49 + 20;
    for cut in 0..whole.len() {
        let missing = (whole.len() - cut).div_ceil(frame);
        let expected = 3_usize.checked_sub(missing);
        assert_eq!(groups(&whole[..cut]), expected, "cut at {cut}");
        let unwritten = [&whole[..cut], &vec![0; whole.len() - cut]].concat();
        assert!(
            groups(&unwritten).is_none_or(|found| found < 3),
            "zeros from {cut}"
        );
    }
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        let found = groups(&flipped);
        let in_last_frame = at >= whole.len() - frame;
        assert!(
            found.is_none() || in_last_frame && found == Some(2),
            "bit at {at}: {found:?}"
        );
    }
    assert_eq!(groups(&whole), Some(3));
}

#[test]
fn frames_cannot_be_left_out_or_brought_over() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    for path in [&one, &other] {
        let root = make(path);
        for n in 1..=2 {
            root.raise(&group(n), 1);
            assert!(root.flush());
        }
    }
    let (mine, theirs) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
    let frame = 8 + 49 + 20;
    let head = mine.len() - 2 * frame;
    let without_first = [&mine[..head], &mine[head + frame..]].concat();
    let mixed = [&mine[..head], &theirs[head..]].concat();
    for bytes in [without_first, mixed] {
        fs::write(&one, bytes).unwrap();
        let seen = load(&one, &seal());
        assert!(seen.is_err() || seen.unwrap().unwrap().floors.is_empty());
    }
}
