//! What a trace of system calls says about acknowledgements: none may follow a sync of the log that failed, until the
//! log has been opened anew. The kernel keeps what it could not write in memory and calls it clean, so looking at the
//! file afterwards would not show it.

use std::collections::HashMap;

/// What a trace shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// A fault was injected into a call on a file of the store, or the process was killed at a call.
    pub(crate) injected: bool,
    /// A write was acknowledged after a failed sync.
    pub(crate) falsely_acknowledged: bool,
    /// How many times each call was made by the thread that made most of them.
    pub(crate) most: HashMap<String, usize>,
}

/// What the paths of the store's files have in them.
const STORE: &str = "/data/";

/// Reads what `strace -f -y` wrote.
pub(crate) fn read(trace: &str) -> Shown {
    let mut shown = Shown::default();
    let mut unfinished: HashMap<&str, &str> = HashMap::new();
    let mut calls: HashMap<(&str, &str), usize> = HashMap::new();
    let mut failed_sync = false;
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        shown.injected |= rest.starts_with("+++ killed by SIGKILL");
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread, begun);
            count(&mut calls, thread, begun);
            if is_acknowledgement(begun) {
                shown.falsely_acknowledged |= failed_sync;
            }
            continue;
        }
        let resumed = rest.starts_with("<... ");
        let begun = if resumed {
            unfinished.remove(thread).unwrap_or_default()
        } else {
            count(&mut calls, thread, rest);
            rest
        };
        let failed = rest.contains(" = -1 ");
        shown.injected |= rest.contains("(INJECTED)") && begun.contains(STORE);
        if is_sync_of_log(begun) && failed {
            failed_sync = true;
        } else if is_opening_of_log(begun) && !failed {
            failed_sync = false;
        } else if is_acknowledgement(begun) && !resumed {
            shown.falsely_acknowledged |= failed_sync;
        }
    }
    for ((_, call), times) in calls {
        let most = shown.most.entry(call.to_owned()).or_default();
        *most = (*most).max(times);
    }
    shown
}

fn count<'a>(calls: &mut HashMap<(&'a str, &'a str), usize>, thread: &'a str, line: &'a str) {
    if let Some((call, _)) = line.split_once('(') {
        *calls.entry((thread, call)).or_default() += 1;
    }
}

fn is_sync_of_log(call: &str) -> bool {
    call.starts_with("fdatasync(") && call.contains("/store/db>")
}

fn is_opening_of_log(call: &str) -> bool {
    call.starts_with("openat(") && call.contains("/store/db\", O_RDWR")
}

fn is_acknowledgement(call: &str) -> bool {
    call.starts_with("write(1<") && call.contains("\"ack ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &str =
        "7 fdatasync(9</data/store/db>) = -1 EIO (Input/output error) (INJECTED)\n";

    #[test]
    fn an_acknowledgement_after_a_failed_sync_is_false() {
        let ack = "8 write(1<pipe:[5]>, \"ack con/x 7\\n\", 12) = 12\n";
        assert!(!read(ack).falsely_acknowledged);
        let shown = read(&format!("{FAILED}{ack}"));
        assert!(shown.falsely_acknowledged && shown.injected);
        let reopened = "7 openat(AT_FDCWD</x>, \"/data/store/db\", O_RDWR|O_CREAT, 0666) = 9</x>\n";
        assert!(!read(&format!("{FAILED}{reopened}{ack}")).falsely_acknowledged);
    }

    #[test]
    fn a_sync_that_another_thread_interrupts_is_seen() {
        let trace = "7 fdatasync(9</data/store/db> <unfinished ...>\n\
                     8 write(1<pipe:[5]>, \"try con/x 7\\n\", 12) = 12\n\
                     7 <... fdatasync resumed>) = -1 EIO (Input/output error) (INJECTED)\n\
                     8 write(1<pipe:[5]>, \"ack con/x 7\\n\", 12) = 12\n";
        let shown = read(trace);
        assert!(shown.falsely_acknowledged);
        assert_eq!(shown.most["write"], 2);
    }
}
