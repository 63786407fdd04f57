//! The commands about the master key: how it stands, changing it; and what is said of a destroyed key.

use serde::{Deserialize, Serialize};

use super::{Answer, RefusalKind};
use crate::base::Timestamp;
use crate::gateway::Gateway;
use crate::store::{KeyStatus, PreviousKey, RotationEnd, RotationProgress, Shredded};

/// How the keys stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReport {
    /// What the master key is called: the same for the same key, and nothing can be learnt from it.
    pub key: String,
    /// The key of before: `not_named`, `needed` or `unneeded`.
    pub previous: String,
    /// Where a change of the master key stands.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rotation: Option<RotationLine>,
    /// The last change that was finished since the start.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<RotationEndLine>,
}

/// A change of the master key that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationLine {
    /// How many records are sealed under the new key.
    pub done: u64,
    /// How many there are.
    pub total: u64,
    /// The same as whole percent.
    pub percent: u64,
    /// Why it does not get on just now. It is tried again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_up: Option<String>,
}

/// A change of the master key that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationEndLine {
    /// How many records are sealed under the new key.
    pub records: u64,
    /// How many could not be opened before, and were left as they are.
    pub unreadable: u64,
    /// What the old key was called.
    pub old_key: String,
    /// Where the old key is kept; none when it came from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retired: Option<String>,
}

/// How the keys stand.
pub(super) fn status(gateway: &Gateway) -> Answer {
    Answer::Keys(report(gateway.key_status()))
}

/// Begins to change the master key. Whoever runs the gateway does the rest.
pub(super) async fn rotate(gateway: &Gateway) -> Answer {
    match gateway.begin_key_rotation().await {
        Ok(()) => status(gateway),
        Err(error) => Answer::refused(RefusalKind::Failed, error.to_string()),
    }
}

/// Changes the master key to the end, where no gateway runs that would.
pub async fn rotate_here(gateway: &Gateway) -> Answer {
    let begun = rotate(gateway).await;
    if matches!(begun, Answer::Refused(_)) && gateway.key_status().rotation.is_none() {
        return begun;
    }
    match gateway.finish_key_rotation().await {
        Ok(_) => status(gateway),
        Err(error) => Answer::refused(
            RefusalKind::Failed,
            format!("{error}; the next start of the gateway goes on with it"),
        ),
    }
}

fn report(status: KeyStatus) -> KeyReport {
    KeyReport {
        key: status.key,
        previous: match status.previous {
            PreviousKey::NotNamed => "not_named",
            PreviousKey::Needed => "needed",
            PreviousKey::Unneeded => "unneeded",
        }
        .to_owned(),
        rotation: status.rotation.map(progress),
        last: status.last.map(end),
    }
}

fn progress(progress: RotationProgress) -> RotationLine {
    let RotationProgress {
        done,
        total,
        held_up,
    } = progress;
    RotationLine {
        done,
        total,
        percent: (done * 100).checked_div(total).unwrap_or(0),
        held_up,
    }
}

fn end(end: RotationEnd) -> RotationEndLine {
    RotationEndLine {
        records: end.records,
        unreadable: end.unreadable,
        old_key: end.old_key,
        retired: end.retired.map(|path| path.display().to_string()),
    }
}

/// What of a person's data is still somewhere after their key was destroyed.
pub(super) fn shredding(key: &Shredded, at: Timestamp) -> Option<String> {
    let at = at.to_string();
    let day = at.split('T').next().unwrap_or(&at);
    let complete = format!(
        "This is complete once backups before {day} are gone or the master key is rotated."
    );
    Some(match key {
        Shredded::Nothing => return None,
        Shredded::Whole { key } => format!(
            "The data key {key} that sealed what was theirs is destroyed: no copy of it in this store opens any more. {complete}"
        ),
        Shredded::Rest { key, kept } => format!(
            "The data key {key} that sealed what was theirs is destroyed. {kept} sign-ins that are still being revoked are \
             sealed under a key of their own, which is destroyed with the last of them. {complete}"
        ),
        Shredded::Later => "The master key is being rotated just now: the data key that sealed what was theirs is destroyed \
                            by itself within minutes after that."
            .to_owned(),
    })
}
