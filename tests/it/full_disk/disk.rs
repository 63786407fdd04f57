//! A small disk of its own: a tmpfs in a mount namespace that lives as long as this, in which programs are run, and whose
//! files are reached from outside.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::environment;
use crate::support::process::Process;

/// The disk. It is gone with this.
pub(super) struct SmallDisk {
    folder: TempDir,
    keeper: String,
    _process: Process,
}

impl SmallDisk {
    /// One of so many MiB; none where the kernel does not allow mounts of one's own.
    pub(super) async fn of(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("disk")).expect("our own folder");
        // Says who it is once the disk is there, and waits until nobody is at the other end.
        let script = format!(
            "mount -t tmpfs -o size={mebibytes}m,mode=700 tmpfs \"$1\" && echo $$ && read _"
        );
        let mut command = Command::new("unshare");
        command
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                &script,
                "sh",
            ])
            .arg(folder.path().join("disk"));
        let mut process = Process::start(command);
        let Some(keeper) = process.next_line().await else {
            environment::skipped(
                "this kernel allows no mounts of one's own (unshare --user --mount)",
            );
            return None;
        };
        Some(Self {
            folder,
            keeper,
            _process: process,
        })
    }

    /// A folder beside the disk, which never fills up.
    pub(super) fn beside(&self) -> &Path {
        self.folder.path()
    }

    /// The disk, as programs see it that are run on it.
    pub(super) fn inside(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// The same place, as it is reached from here.
    pub(super) fn reached(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper));
        let inside = self.inside();
        root.join(inside.strip_prefix("/").expect("an absolute path"))
            .join(name)
    }

    /// The program, run where the disk is mounted.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args([
                "--target",
                &self.keeper,
                "--user",
                "--mount",
                "--preserve-credentials",
            ])
            .arg(environment::binary())
            .args(arguments)
            .env("ATTACHE_LOG", "off");
        command
    }

    /// Takes everything that is left of it.
    pub(super) fn fill(&self) {
        let mut options = OpenOptions::new();
        let filler = options
            .create(true)
            .append(true)
            .open(self.reached("filler"));
        let mut filler = filler.expect("a file needs no room");
        for size in [64 << 10, 4096, 1] {
            let error = write_all(&mut filler, size).expect_err("it ends");
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
    }

    /// Frees what [`SmallDisk::fill`] has taken.
    pub(super) fn free(&self) {
        fs::remove_file(self.reached("filler")).expect("it was filled");
    }
}

/// Blocks of `size` until there is no room for one more.
fn write_all(file: &mut File, size: usize) -> std::io::Result<()> {
    let block = vec![0x5a; size];
    loop {
        file.write_all(&block)?;
    }
}
