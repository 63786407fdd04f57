//! The power of a disk is cut while a process writes to it.
//!
//! The store is on an ext4 of its own, on an image behind a loop device. A cut is the file system's own shutdown without
//! a flush: from then on nothing more reaches the image, what was only in memory is gone, and the next mount plays the
//! journal back. Where no such mount can be made, the process is killed instead, which loses nothing that the kernel has.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::Loop;
use super::cases::{Chance, Outcome, run_all, tail};
use super::child::{self, Ended};
use super::ground::{Scratch, write_words};
use super::verdict::Verdict;

/// How many cuts one disk goes through before a new one is taken.
const CUTS_OF_A_DISK: usize = 10;

/// The size of a disk.
const DISK_BYTES: u64 = 192 << 20;

/// More writes than there is time for.
const WRITES: u64 = 1_000_000;

/// `EXT4_IOC_SHUTDOWN` without a flush of the journal (`linux/ext4.h`).
const SHUTDOWN: &str = "import fcntl, os, struct, sys\n\
    fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// Says that this process has mounts of its own.
const INSIDE: &str = "ATTACHE_STORE_FAULTS_MOUNTS";

pub(crate) fn run(orders: &Loop) -> ExitCode {
    if std::env::var_os(INSIDE).is_none()
        && let Some(code) = in_own_mounts()
    {
        return code;
    }
    let mut scratch = Scratch::new(orders.scratch.as_deref());
    let disks = match try_out(&scratch.path) {
        Ok(()) => true,
        Err(reason) => {
            println!("SKIPPED: no disk of one's own ({reason}); processes are killed instead");
            false
        }
    };
    let mut orders = orders.clone();
    // A disk goes through its cuts one after the other.
    let cases = orders.cases.div_ceil(CUTS_OF_A_DISK);
    let cuts = orders.cases;
    orders.cases = cases;
    let acknowledged = AtomicUsize::new(0);
    let ended = run_all(
        "store-power-cuts",
        &orders,
        &mut scratch,
        |number, folder| {
            let cuts = CUTS_OF_A_DISK.min(cuts - number * CUTS_OF_A_DISK);
            let disk = Disk::new(folder, disks, number);
            one_disk(&disk, orders.seed, number, cuts, &acknowledged)
        },
    );
    let acknowledged = acknowledged.into_inner();
    println!("store-power-cuts: {cuts} cuts of {cases} disks, {acknowledged} writes acknowledged");
    ended
}

/// Runs the same again with mounts of its own, which are gone with it; none where that is not allowed.
fn in_own_mounts() -> Option<ExitCode> {
    let mut words: Vec<OsString> = vec!["--mount".into(), "--propagation".into(), "private".into()];
    let allowed = Command::new("unshare").args(&words).arg("true").output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        return None;
    }
    words.push(child::program().into());
    words.extend(std::env::args_os().skip(1));
    let status = Command::new("unshare")
        .args(words)
        .env(INSIDE, "1")
        .status();
    let code = status.ok()?.code().unwrap_or(1);
    Some(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

fn must(program: &str, words: &[&OsStr]) -> Result<(), String> {
    let output = Command::new(program).args(words).output();
    match output {
        Err(error) => Err(format!("{program}: {error}")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// Whether disks can be made, mounted, cut off and mounted again, and what was not synced is gone then.
fn try_out(scratch: &Path) -> Result<(), String> {
    let disk = Disk::new(&scratch.join("trial"), true, 0);
    disk.make()?;
    disk.mount()?;
    let file = disk.mounted.join("unsynced");
    let begun = fs::write(&file, b"in memory only").map_err(|error| error.to_string());
    let cut = begun.and_then(|()| disk.cut());
    disk.unmount()?;
    cut?;
    disk.mount()?;
    let kept = fs::read(&file).is_ok_and(|bytes| !bytes.is_empty());
    disk.unmount()?;
    if kept {
        return Err("a cut loses nothing here".to_owned());
    }
    Ok(())
}

/// An image with a file system, or only a folder.
struct Disk {
    image: PathBuf,
    mounted: PathBuf,
    real: bool,
    options: &'static str,
    ledger: PathBuf,
}

impl Disk {
    fn new(folder: &Path, real: bool, number: usize) -> Self {
        let mounted = folder.join("mounted");
        fs::create_dir_all(&mounted).expect("a folder");
        Self {
            image: folder.join("image"),
            mounted,
            real,
            // Without order between data and journal, a file may have its length and not its bytes after a cut.
            options: ["loop,data=ordered", "loop,data=writeback"][number % 2],
            ledger: folder.join("ledger"),
        }
    }

    fn data(&self) -> PathBuf {
        self.mounted.join("data")
    }

    fn make(&self) -> Result<(), String> {
        if !self.real {
            return Ok(());
        }
        let file = fs::File::create(&self.image).and_then(|file| file.set_len(DISK_BYTES));
        file.map_err(|error| error.to_string())?;
        must("mkfs.ext4", &["-q".as_ref(), self.image.as_ref()])
    }

    fn mount(&self) -> Result<(), String> {
        if !self.real {
            return Ok(());
        }
        let words = [OsStr::new("-o"), self.options.as_ref()];
        let places = [self.image.as_os_str(), self.mounted.as_os_str()];
        must("mount", &[words, places].concat())
    }

    fn cut(&self) -> Result<(), String> {
        if !self.real {
            return Ok(());
        }
        let words = ["-c".as_ref(), SHUTDOWN.as_ref(), self.mounted.as_os_str()];
        must("python3", &words)
    }

    fn unmount(&self) -> Result<(), String> {
        if !self.real {
            return Ok(());
        }
        must("umount", &[self.mounted.as_os_str()])
    }
}

/// Writes, cuts and checks, again and again on one disk.
fn one_disk(
    disk: &Disk,
    seed: u64,
    number: usize,
    cuts: usize,
    acknowledged: &AtomicUsize,
) -> Outcome {
    disk.make().expect("a disk");
    let chance = Chance::of(seed, number);
    let mut worst = (Verdict::Right, String::new());
    for cut in 0..cuts {
        disk.mount().expect("a mount");
        let lines = write_until_cut(disk, seed, cut as u64, &chance);
        disk.unmount().expect("no more mount");
        acknowledged.fetch_add(lines.matches("\nack ").count(), Ordering::Relaxed);
        let before = fs::read_to_string(&disk.ledger).unwrap_or_default();
        fs::write(&disk.ledger, before + &lines).expect("a ledger");
        disk.mount().expect("a mount with its journal played back");
        let checked = child::check(&disk.data(), &disk.ledger);
        disk.unmount().expect("no more mount");
        let verdict = Verdict::of(&checked);
        if verdict != Verdict::Right {
            worst = (verdict, after(cut, &checked));
            break;
        }
    }
    let (verdict, detail) = worst;
    Outcome {
        row: disk.options.to_owned(),
        allowed: verdict == Verdict::Right,
        story: format!("{cuts} cuts: {verdict:?}{detail}"),
        verdict,
    }
}

fn after(cut: usize, checked: &Ended) -> String {
    format!(" after cut {cut}\n    {}", tail(checked))
}

/// Lets a process write, cuts the power at some moment, and answers with everything that it ever said.
fn write_until_cut(disk: &Disk, seed: u64, round: u64, chance: &Chance) -> String {
    let words = write_words(&disk.data(), seed, round, WRITES);
    let mut writing = Command::new(&words[0])
        .args(&words[1..])
        .args(["--at-once", "4", "--people", "12"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the writing process");
    let said = writing.stdout.take().expect("its output");
    let listening = thread::spawn(move || {
        let lines = BufReader::new(said).split(b'\n').map_while(Result::ok);
        lines.fold(String::new(), |all, line| {
            all + &String::from_utf8_lossy(&line) + "\n"
        })
    });
    let pause = match chance.below(5) {
        // While the store is being opened, or made.
        0 => 1 + chance.below(40),
        _ => 50 + chance.below(700),
    };
    thread::sleep(Duration::from_millis(pause as u64));
    disk.cut().expect("a cut");
    // Whatever it still says it may still mean: it was acknowledged.
    thread::sleep(Duration::from_millis(20));
    writing.kill().expect("the writing process ends");
    let _ = writing.wait();
    listening.join().expect("all that was said")
}
