//! Does the machine know what time it is?

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::Gravity;
use crate::base::{Clock, Timestamp};
use crate::store;

/// Before 2026-11-01T00:00:00Z there was no Attache.
const EARLIEST: Timestamp = Timestamp::from_unix(1_793_491_200);

/// How far the clock may be behind the files of the store. Clocks are set back by seconds all the time.
const TOLERANCE: Duration = Duration::from_mins(5);

/// How the clock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockFinding {
    /// Nothing speaks against what it says.
    Plausible(Timestamp),
    /// It says a time before this program was written.
    TooEarly(Timestamp),
    /// It says a time before the store was last written.
    BehindStore {
        /// What it says.
        now: Timestamp,
        /// When the store was last written, it said.
        written: Timestamp,
    },
}

impl ClockFinding {
    pub(super) fn gravity(self) -> Gravity {
        match self {
            Self::Plausible(_) => Gravity::Ok,
            Self::BehindStore { .. } => Gravity::Warning,
            Self::TooEarly(_) => Gravity::Problem,
        }
    }
}

/// Compares the clock with what is certain.
pub(super) fn examine(clock: &Clock, store: Option<&store::Settings>) -> ClockFinding {
    let now = clock.now();
    if now < EARLIEST {
        return ClockFinding::TooEarly(now);
    }
    match store.and_then(|store| last_written(&store.store_dir())) {
        Some(written) if written.since(now) > TOLERANCE => {
            ClockFinding::BehindStore { now, written }
        }
        _ => ClockFinding::Plausible(now),
    }
}

/// When the youngest file in `folder` was written.
fn last_written(folder: &Path) -> Option<Timestamp> {
    let modified = |entry: fs::DirEntry| entry.metadata().ok()?.modified().ok();
    let entries = fs::read_dir(folder).ok()?.flatten();
    let youngest = entries.filter_map(modified).max()?;
    let seconds = youngest.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Timestamp::from_unix(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_a_problem() {
        let unset = Timestamp::from_unix(0);
        let found = examine(&Clock::manual(unset), None);
        assert_eq!(
            (found, found.gravity()),
            (ClockFinding::TooEarly(unset), Gravity::Problem)
        );
    }

    #[test]
    fn a_clock_behind_the_store_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let settings = store::Settings::new(folder.path().to_owned());
        fs::create_dir(settings.store_dir()).unwrap();
        let file = fs::File::create(settings.store_dir().join("db")).unwrap();
        let now = EARLIEST + Duration::from_hours(1);
        let examine = |ahead: Duration| {
            let seconds = u64::try_from((now + ahead).as_unix()).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds))
                .unwrap();
            super::examine(&Clock::manual(now), Some(&settings))
        };
        assert_eq!(examine(TOLERANCE), ClockFinding::Plausible(now));
        let behind = examine(Duration::from_mins(6));
        let written = now + Duration::from_mins(6);
        assert_eq!(behind, ClockFinding::BehindStore { now, written });
        assert_eq!(behind.gravity(), Gravity::Warning);
    }
}
