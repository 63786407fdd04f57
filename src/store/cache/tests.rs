use super::*;

const KEY: &[u8] = b"con/per_1/con_1";

#[expect(
    clippy::option_option,
    reason = "nothing known, known to be absent, known"
)]
fn known(cache: &RecordCache, key: &[u8]) -> Option<Option<Vec<u8>>> {
    match cache.look(key) {
        Look::Known(found) => Some(found),
        Look::Missed(_) => None,
    }
}

/// What a reader does that found `bytes` in a backend that nobody writes to.
fn read(cache: &RecordCache, key: &[u8], bytes: Option<&[u8]>) {
    if let Look::Missed(glance) = cache.look(key) {
        cache.keep(glance, key, bytes);
    }
}

#[test]
fn what_was_read_is_known_until_it_is_written() {
    let cache = RecordCache::new(1 << 20);
    read(&cache, KEY, Some(b"old"));
    read(&cache, b"con/none", None);
    assert_eq!(known(&cache, KEY), Some(Some(b"old".to_vec())));
    assert_eq!(known(&cache, b"con/none"), Some(None));

    let turn = cache.begin(KEY);
    assert_eq!(known(&cache, KEY), None, "shown while it is written");
    turn.applied(Some(b"new"));
    assert_eq!(known(&cache, KEY), Some(Some(b"new".to_vec())));

    cache.begin(KEY).applied(None);
    assert_eq!(known(&cache, KEY), None);
    cache.begin(b"con/none").applied(Some(b"made"));
    assert_eq!(
        known(&cache, b"con/none"),
        None,
        "nobody had read a record there"
    );
}

#[test]
fn a_refused_swap_leaves_nothing_to_be_shown() {
    let cache = RecordCache::new(1 << 20);
    read(&cache, KEY, Some(b"old"));
    drop(cache.begin(KEY));
    assert_eq!(known(&cache, KEY), None);
}

/// Who takes the next step in a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Actor {
    Reader(usize),
    Writer,
    /// The one who opens the backend anew, with whatever is on the disk.
    Opener,
}

/// Every step takes locks from its beginning to its end, so that what threads can do is some order of steps. Every run
/// that is one order of these steps.
fn orders(left: &[(Actor, usize)], run: &mut Vec<Actor>, each: &mut impl FnMut(&[Actor])) {
    if left.iter().all(|(_, steps)| *steps == 0) {
        return each(run);
    }
    for which in 0..left.len() {
        let mut rest = left.to_vec();
        if rest[which].1 == 0 {
            continue;
        }
        rest[which].1 -= 1;
        run.push(left[which].0);
        orders(&rest, run, each);
        run.pop();
    }
}

/// One reader between its steps: a look, a read of the backend, an attempt to keep it.
#[expect(
    clippy::option_option,
    reason = "nothing known, known to be absent, known"
)]
#[derive(Default)]
struct Reading {
    glance: Option<Glance>,
    found: Option<Option<Vec<u8>>>,
}

/// A run of two readers, a writer that replaces and then removes, and one who puts an older state in the place of all.
/// Whenever the cache says that it knows, the backend holds just that.
fn never_older(run: &[Actor], at_first: Option<&[u8]>) {
    let cache = RecordCache::new(1 << 20);
    let mut backend = at_first.map(<[u8]>::to_vec);
    read(&cache, KEY, at_first);
    let mut readings = [Reading::default(), Reading::default()];
    let mut turn = None;
    let mut writes = [Some(b"new".as_slice()), None].into_iter();
    let mut next = None;
    for actor in run {
        match actor {
            Actor::Reader(which) => {
                let reading = &mut readings[*which];
                match (reading.glance, reading.found.take()) {
                    (None, _) => {
                        if let Look::Missed(glance) = cache.look(KEY) {
                            reading.glance = Some(glance);
                        }
                    }
                    (Some(_), None) => reading.found = Some(backend.clone()),
                    (Some(glance), Some(found)) => {
                        cache.keep(glance, KEY, found.as_deref());
                        reading.glance = None;
                    }
                }
            }
            Actor::Writer => match (turn.take(), next.take()) {
                (None, _) => turn = Some(cache.begin(KEY)),
                (Some(begun), None) => {
                    let new = writes.next().unwrap();
                    backend = new.map(<[u8]>::to_vec);
                    (turn, next) = (Some(begun), Some(new));
                }
                (Some(begun), Some(new)) => begun.applied(new),
            },
            // Nothing is shown between the two: whoever reopens keeps readers out meanwhile.
            Actor::Opener => {
                backend = Some(b"from the disk".to_vec());
                cache.clear();
            }
        }
        if let Some(shown) = known(&cache, KEY) {
            assert_eq!(shown, backend, "older than what was applied");
        }
    }
}

#[test]
fn no_order_of_steps_shows_what_a_swap_has_replaced() {
    let (mut runs, mut knew) = (0, 0);
    let actors = [
        (Actor::Reader(0), 3),
        (Actor::Reader(1), 3),
        (Actor::Writer, 6),
    ];
    for at_first in [None, Some(b"old".as_slice())] {
        orders(&actors, &mut Vec::new(), &mut |run| {
            runs += 1;
            never_older(run, at_first);
            knew += usize::from(run.len() == 12);
        });
    }
    assert_eq!((runs, knew), (2 * 18_480, 2 * 18_480));
}

#[test]
fn no_order_of_steps_shows_what_was_there_before_a_reopening() {
    let actors = [
        (Actor::Reader(0), 3),
        (Actor::Reader(1), 3),
        (Actor::Opener, 2),
    ];
    let mut runs = 0;
    orders(&actors, &mut Vec::new(), &mut |run| {
        runs += 1;
        never_older(run, Some(b"old"));
    });
    assert_eq!(runs, 560);
}

#[test]
fn guessed_keys_push_no_record_out() {
    let cache = RecordCache::new(1 << 20);
    let keys: Vec<_> = (0..800).map(|n| format!("con/per_{n}/con_{n}")).collect();
    for key in &keys {
        read(&cache, key.as_bytes(), Some(&[7; 600]));
    }
    let kept = |cache: &RecordCache| {
        let kept = |key: &&String| known(cache, key.as_bytes()).is_some();
        keys.iter().filter(kept).count()
    };
    assert_eq!(kept(&cache), keys.len(), "they do not fit");
    for guess in 0..20_000 {
        read(&cache, format!("tic/{guess:064}").as_bytes(), None);
    }
    assert_eq!(kept(&cache), keys.len());
    assert!(cache.weight() <= 1 << 20);
}

#[test]
fn a_look_through_many_records_leaves_those_that_are_in_use() {
    let cache = RecordCache::new(1 << 20);
    let in_use: Vec<_> = (0..400).map(|n| format!("con/per_{n}/con_{n}")).collect();
    for _ in 0..3 {
        for key in &in_use {
            read(&cache, key.as_bytes(), Some(&[7; 600]));
        }
    }
    for once in 0..20_000 {
        let key = format!("use/per_{once:08}");
        read(&cache, key.as_bytes(), Some(&[8; 600]));
    }
    let left = |key: &&String| known(&cache, key.as_bytes()).is_some();
    let left = in_use.iter().filter(left).count();
    assert!(left * 10 >= in_use.len() * 9, "{left} are left");
    assert!(cache.weight() <= 1 << 20, "{} bytes", cache.weight());
}

#[test]
fn without_room_nothing_is_kept_and_what_is_too_large_is_left_out() {
    let none = RecordCache::new(0);
    read(&none, KEY, Some(b"bytes"));
    read(&none, b"absent", None);
    assert_eq!((known(&none, KEY), known(&none, b"absent")), (None, None));

    let small = RecordCache::new(1 << 16);
    read(&small, KEY, Some(b"bytes"));
    read(&small, b"large", Some(vec![0; 1 << 20].as_slice()));
    assert_eq!(known(&small, b"large"), None);
    assert!(known(&small, KEY).is_some());
}
