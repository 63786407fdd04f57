//! A disk that is full when the program starts: a sentence, and nothing lost.

use std::process::{Command, Output};

use crate::support::environment;

/// Fills a small disk of its own after a first run, tries to start, frees it and starts again. `$1` is the program, `$2`
/// an empty folder.
const SCRIPT: &str = r#"
set -eu
mount -t tmpfs -o size=2m tmpfs "$2"
start() { timeout 20 "$1" serve --json --bind 127.0.0.1:0 --data-dir "$2/data"; }
run_once() {
    mkfifo "$2/said"
    "$1" serve --json --bind 127.0.0.1:0 --data-dir "$2/data" > "$2/said" &
    read -r ready < "$2/said"
    kill $!
    wait $! || true
    rm "$2/said"
    printf '%s\n' "$ready" | sed 's/.*"agent_token":"\([^"]*\)".*/\1/'
}
before=$(run_once "$1" "$2")
cat /dev/zero > "$2/filler" 2>/dev/null || true
if start "$1" "$2"; then echo "it started on a full disk"; exit 3; fi
rm "$2/filler"
after=$(run_once "$1" "$2")
[ "$before" = "$after" ] || { echo "the token changed: the store was lost"; exit 4; }
echo "same after"
"#;

/// Runs the script with mounts of its own; none where the kernel does not allow that.
fn in_own_mounts(folder: &std::path::Path) -> Option<Output> {
    let isolated = |rest: &[&std::ffi::OsStr]| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount"])
            .args(rest);
        command.output()
    };
    let allowed = isolated(&["true".as_ref()]).is_ok_and(|output| output.status.success());
    if !allowed {
        eprintln!("SKIPPED: this kernel allows no mounts of one's own (unshare --user --mount)");
        return None;
    }
    let binary = environment::binary();
    let words = [
        "sh".as_ref(),
        "-c".as_ref(),
        SCRIPT.as_ref(),
        "sh".as_ref(),
        binary.as_os_str(),
        folder.as_os_str(),
    ];
    Some(isolated(&words).expect("unshare runs"))
}

#[test]
fn a_full_disk_at_start_is_a_sentence_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(output) = in_own_mounts(folder.path()) else {
        return;
    };
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{errors}");
    assert_eq!(said.trim(), "same after");
    assert!(
        errors.contains("no space left") && errors.contains("free some"),
        "{errors}"
    );
    assert!(!errors.contains("panicked"), "{errors}");
}
