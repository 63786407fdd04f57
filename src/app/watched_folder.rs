//! Reads the operator's provider files again when their folder changes.
//!
//! Owns what counts as a change and when the files have come to rest. Refuses to know what is in them: that is
//! `catalogue_files.rs`, which keeps the old catalogue whenever the new files are wrong.
//!
//! Two places are watched: the folder, and the folder that it lies in, since a folder that is removed, renamed or a
//! symbolic link to another one takes its watch along. A file that is itself a link to a place elsewhere is followed when
//! the link changes, not when its target does; `attache reload` reads it then.

use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::catalogue_files::CatalogueFiles;
use crate::gateway::Gateway;

/// How long nothing may happen in the folder before it is read: an editor writes a file in several steps, and a copy of
/// many files is one change.
const AT_REST: Duration = Duration::from_millis(150);
/// A folder in which something happens all the time is read this often.
const AT_LATEST: Duration = Duration::from_secs(2);

/// Watches the folder of `files` until `stop`; without a folder there is nothing to watch. A machine that cannot watch
/// is said in the log, and `attache reload` does there what this does elsewhere.
pub(super) fn keep_reading(
    files: Arc<CatalogueFiles>,
    gateway: Gateway,
    stop: CancellationToken,
) -> Option<JoinHandle<()>> {
    let folder = files.folder()?.to_owned();
    let watch = match FolderWatch::on(&folder) {
        Ok(watch) => watch,
        Err(error) => {
            tracing::warn!(
                folder = %folder.display(), %error,
                "the folder with provider files cannot be watched: say `attache reload` after a change"
            );
            return None;
        }
    };
    let work = async move {
        let mut watch = watch;
        loop {
            watch.changed().await;
            watch.renew();
            let (files, gateway) = (Arc::clone(&files), gateway.clone());
            // What is wrong was said in the log; the next change is another chance.
            let read = spawn_blocking(move || files.read_again(&gateway).map(drop));
            if let Err(error) = read.await {
                tracing::error!(%error, "reading the provider files again ended badly");
            }
        }
    };
    Some(tokio::spawn(async move {
        stop.run_until_cancelled(work).await;
    }))
}

/// A folder that is watched, whatever becomes of it.
struct FolderWatch {
    folder: PathBuf,
    happened: Arc<Notify>,
    watcher: RecommendedWatcher,
}

impl FolderWatch {
    fn on(folder: &Path) -> Result<Self, notify::Error> {
        let folder = absolute(folder)?;
        let happened = Arc::new(Notify::new());
        let (heard, within) = (Arc::clone(&happened), folder.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| !matters(&event, &within)) {
                return;
            }
            heard.notify_one();
        })?;
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        if let Some(above) = folder.parent() {
            watcher.watch(above, RecursiveMode::NonRecursive)?;
        }
        Ok(Self {
            folder,
            happened,
            watcher,
        })
    }

    /// Waits for a change, and until the folder has come to rest.
    async fn changed(&self) {
        self.happened.notified().await;
        let rest = async {
            while tokio::time::timeout(AT_REST, self.happened.notified())
                .await
                .is_ok()
            {}
        };
        // Too much going on is no reason never to look.
        let _ = tokio::time::timeout(AT_LATEST, rest).await;
    }

    /// Watches what stands at the path now. A change before that is in what is read next.
    fn renew(&mut self) {
        // A folder that is gone has no watch any more, and one that is not back yet can have none.
        let _ = self.watcher.unwatch(&self.folder);
        if let Err(error) = self
            .watcher
            .watch(&self.folder, RecursiveMode::NonRecursive)
        {
            tracing::debug!(%error, "the folder with provider files is not there to be watched");
        }
    }
}

/// Whether something in the folder, or the folder itself, may be another than before. Reading is no change: our own
/// would never end.
fn matters(event: &Event, folder: &Path) -> bool {
    let written = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    let of_the_folder = event.paths.iter().any(|path| path.starts_with(folder));
    event.need_rescan() || (written && of_the_folder)
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, Flag};

    use super::*;

    #[test]
    fn reading_and_the_neighbours_are_no_change() {
        let folder = Path::new("/etc/attache/providers");
        let event = |kind: EventKind, path: &str| Event::new(kind).add_path(path.into());
        let create = EventKind::Create(CreateKind::File);
        let read = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let close = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert!(matters(
            &event(create, "/etc/attache/providers/a.toml"),
            folder
        ));
        assert!(matters(
            &event(close, "/etc/attache/providers/a.toml"),
            folder
        ));
        assert!(matters(&event(create, "/etc/attache/providers"), folder));
        assert!(!matters(
            &event(read, "/etc/attache/providers/a.toml"),
            folder
        ));
        assert!(!matters(
            &event(create, "/etc/attache/attache.toml"),
            folder
        ));
        assert!(matters(
            &Event::new(EventKind::Other).set_flag(Flag::Rescan),
            folder
        ));
    }
}
