//! What is said about a store when the child that looks at it meets each end that it can meet.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::store::{MasterKey, Store, Table};

struct Place {
    folder: tempfile::TempDir,
    settings: Settings,
    key: MasterKey,
}

impl Place {
    /// A store with a record, closed in order.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            probe: Some(PathBuf::from("/nonexistent/program")),
            ..Settings::new(folder.path().join("data"))
        };
        let place = Self {
            folder,
            settings,
            key: MasterKey::generate(&Random::System),
        };
        let store = place.open().await.unwrap();
        let table: Table<u8> = store.table("con");
        table.create("1", &1).await.unwrap();
        store.close().await;
        place
    }

    async fn open(&self) -> Result<Store, OpenError> {
        Store::open(&self.settings, self.key.clone(), Random::System).await
    }

    /// As after a crash: nobody closed it.
    fn unmark(&self) {
        fs::remove_file(self.settings.data_dir.join(MARK)).unwrap();
    }

    /// A program that does this instead of looking. `$2` is the copy.
    fn program(&mut self, script: &str) {
        let path = self.folder.path().join("program");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        self.settings.probe = Some(path);
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        let files = sled_files(&self.settings.store_dir()).unwrap();
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    }

    fn scratch_is_gone(&self) -> bool {
        let entries = fs::read_dir(&self.settings.data_dir).unwrap();
        let mut names = entries.map(|entry| entry.unwrap().file_name());
        names.all(|name| !name.to_string_lossy().contains("probe"))
    }
}

const WHOLE: &str = r#"echo '{"whole":{"records":2,"founded":true}}'"#;

#[tokio::test]
async fn a_store_that_was_closed_in_order_needs_no_look_until_a_byte_of_it_changes() {
    let mut place = Place::new().await;
    place.program("touch \"$0.ran\"; exit 1");
    let ran = place.folder.path().join("program.ran");
    place.open().await.unwrap().close().await;
    assert!(!ran.exists(), "it looked needlessly");

    let log = place.settings.log_file();
    let mut bytes = fs::read(&log).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&log, bytes).unwrap();
    assert!(place.open().await.is_err());
    assert!(ran.exists(), "a changed byte went unnoticed");
}

#[tokio::test]
async fn a_store_that_nobody_closed_is_looked_at_and_opened() {
    let mut place = Place::new().await;
    place.program(&format!("test -s \"$2/db\" && {WHOLE}"));
    place.unmark();
    place.open().await.unwrap().close().await;
    assert!(place.scratch_is_gone());
}

#[tokio::test]
async fn every_end_of_the_child_is_damage_that_names_the_way_back_and_touches_nothing() {
    let mut place = Place::new().await;
    place.unmark();
    for (script, said) in [
        ("kill -ABRT $$", "signal 6"),
        ("kill -KILL $$", "signal 9"),
        (
            "echo 'memory allocation of 7 bytes failed' >&2; kill -ABRT $$",
            "memory allocation",
        ),
        ("exit 101", "status 101"),
        ("echo nonsense", "status 0"),
        (
            r#"echo '{"whole":{"records":0,"founded":false}}'"#,
            "index key is missing",
        ),
        (
            r#"echo '{"refused":{"reason":"page 7 is odd"}}'"#,
            "page 7 is odd",
        ),
        ("echo x > \"$2/db\"; exit 9", "status 9"),
    ] {
        place.program(script);
        let before = place.bytes();
        let error = place.open().await.expect_err(script);
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(said) && text.contains("attache restore"),
            "{text}"
        );
        assert!(
            place.bytes() == before && place.scratch_is_gone(),
            "{script}"
        );
    }
}

#[tokio::test]
async fn what_says_nothing_about_the_store_does_not_keep_it_shut() {
    let mut place = Place::new().await;
    for script in [
        "exit 2",
        r#"echo '{"refused":{"reason":"No space left on device"}}'"#,
    ] {
        place.program(script);
        place.unmark();
        place.open().await.unwrap().close().await;
    }
    place.settings.probe = Some(place.folder.path().join("nothing"));
    place.unmark();
    place.open().await.unwrap().close().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_does_not_end_is_ended() {
    let mut place = Place::new().await;
    place.program("exec sleep 1000");
    let copy = place.settings.store_dir();
    let seen = look(place.settings.probe.as_ref().unwrap(), &copy);
    let Seen::Damaged(detail) = seen.await else {
        panic!("it waited for its end");
    };
    assert!(detail.contains("did not end within"), "{detail}");
}

#[tokio::test]
async fn a_wrong_key_is_told_before_anybody_looks() {
    let mut place = Place::new().await;
    place.unmark();
    place.program("exit 1");
    let other = MasterKey::generate(&Random::System);
    let opened = Store::open(&place.settings, other, Random::System).await;
    assert!(matches!(opened, Err(OpenError::WrongKey { .. })));
}
