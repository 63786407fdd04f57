//! The master key as a program prints it: a password manager, a keyring, a key service.
//!
//! Owns running the program, without a shell and for a limited time, and saying in a sentence what went wrong. Refuses to
//! know what the program is. What it prints on stdout is never shown.

use std::fmt;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{LONGEST_FILE, MasterKey, decode};

/// How long the program may take: somebody may have to touch a device.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// How much of what the program says on stderr is shown, in characters.
const SHOWN: usize = 300;

/// A program, and what it is started with. No shell reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCommand {
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl fmt::Display for KeyCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments may be secrets.
        formatter.write_str(&self.program)
    }
}

/// Why a program gave no key. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyCommandError {
    /// It cannot be started.
    #[error(
        "the key command `{command}` cannot be started ({source}): name a program that is there, as a list: program first, then each argument"
    )]
    NotStarted {
        /// The program.
        command: KeyCommand,
        /// What the operating system said.
        source: io::Error,
    },
    /// It ended with an error.
    #[error(
        "the key command `{command}` failed ({status}){}: run it in a terminal, as the user that Attache runs as, and see to that",
        said(stderr)
    )]
    Failed {
        /// The program.
        command: KeyCommand,
        /// How it ended.
        status: ExitStatus,
        /// What it said on stderr.
        stderr: String,
    },
    /// It did not end in time.
    #[error("the key command `{command}` has not ended within {} seconds, and was stopped: it may be waiting for somebody to answer; let it run without questions", limit.as_secs())]
    TimedOut {
        /// The program.
        command: KeyCommand,
        /// How long it was given.
        limit: Duration,
    },
    /// It printed nothing.
    #[error(
        "the key command `{command}` printed nothing{}: it must print the key, 32 bytes as base64, on stdout",
        said(stderr)
    )]
    Empty {
        /// The program.
        command: KeyCommand,
        /// What it said on stderr.
        stderr: String,
    },
    /// It printed more than one line.
    #[error(
        "the key command `{command}` printed more than one line: it must print the key alone; its output is not shown, since it may hold the key"
    )]
    SeveralLines {
        /// The program.
        command: KeyCommand,
    },
    /// It printed one line that is no key.
    #[error(
        "the key command `{command}` printed a line that is not 32 bytes written as base64: store a key that `head -c 32 /dev/urandom | base64` makes; the line is not shown"
    )]
    NoKey {
        /// The program.
        command: KeyCommand,
    },
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() {
        String::new()
    } else {
        format!(", saying: {stderr}")
    }
}

impl KeyCommand {
    /// Runs the program and reads the key that it prints.
    pub(super) fn run(&self, limit: Duration) -> Result<MasterKey, KeyCommandError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| KeyCommandError::NotStarted {
                command: self.clone(),
                source,
            })?;
        let (tell, told) = mpsc::channel();
        let readers = [
            read_to_end(child.stdout.take(), &tell),
            read_to_end(child.stderr.take(), &tell),
        ];
        drop(tell);
        // Both ends are closed once the program, and whatever it has started, is done.
        let in_time = readers.iter().try_for_each(|_| told.recv_timeout(limit));
        if in_time.is_err() {
            stop(&mut child);
            return Err(KeyCommandError::TimedOut {
                command: self.clone(),
                limit,
            });
        }
        let [printed, stderr] = readers.map(|reader| reader.join().unwrap_or_default());
        let stderr = one_line(&stderr);
        let status = child.wait().map_err(|source| KeyCommandError::NotStarted {
            command: self.clone(),
            source,
        })?;
        if !status.success() {
            return Err(KeyCommandError::Failed {
                command: self.clone(),
                status,
                stderr,
            });
        }
        self.parse(&printed, stderr)
    }

    fn parse(&self, printed: &[u8], stderr: String) -> Result<MasterKey, KeyCommandError> {
        let command = self.clone();
        let Ok(text) = std::str::from_utf8(printed) else {
            return Err(KeyCommandError::NoKey { command });
        };
        let text = text.trim();
        match text.lines().count() {
            0 => Err(KeyCommandError::Empty { command, stderr }),
            1 => decode(text).ok_or(KeyCommandError::NoKey { command }),
            _ => Err(KeyCommandError::SeveralLines { command }),
        }
    }
}

/// Nothing is left to be done when it cannot be: it is not ours any more.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

type Reader = thread::JoinHandle<Zeroizing<Vec<u8>>>;

fn read_to_end(pipe: Option<impl Read + Send + 'static>, tell: &mpsc::Sender<()>) -> Reader {
    let tell = tell.clone();
    thread::spawn(move || {
        let longest = usize::try_from(LONGEST_FILE).unwrap_or(0);
        let mut read = Zeroizing::new(Vec::with_capacity(longest));
        if let Some(mut pipe) = pipe {
            // What cannot be read was not printed.
            let _ = pipe.by_ref().take(LONGEST_FILE).read_to_end(&mut read);
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        let _ = tell.send(());
        read
    })
}

fn one_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let words: Vec<_> = text.split_whitespace().collect();
    let plain = words.join(" ");
    let shown = plain.chars().filter(|c| !c.is_control()).take(SHOWN);
    shown.collect()
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    fn run(script: &str, limit: Duration) -> Result<MasterKey, KeyCommandError> {
        let command = KeyCommand {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
        };
        command.run(limit)
    }

    #[test]
    fn what_is_printed_is_the_key() {
        let key = BASE64.encode(&[7; 32]);
        let found = run(&format!("echo noise >&2; echo ' {key} '"), PATIENCE).unwrap();
        assert_eq!(found.0, [7; 32]);
    }

    #[test]
    fn each_way_to_fail_is_a_sentence_of_its_own_that_never_shows_the_output() {
        let soon = Duration::from_millis(200);
        for (script, limit, wanted) in [
            ("true", PATIENCE, "printed nothing"),
            ("echo why >&2", PATIENCE, "printed nothing, saying: why"),
            ("echo hunter2; echo hunter2", PATIENCE, "more than one line"),
            ("echo hunter2", PATIENCE, "not 32 bytes"),
            (
                "echo hunter2; echo locked >&2; exit 1",
                PATIENCE,
                "saying: locked",
            ),
            ("exec sleep 600", soon, "has not ended within"),
        ] {
            let error = run(script, limit).unwrap_err().to_string();
            assert!(error.contains(wanted), "{script}: {error}");
            assert!(!error.contains("hunter2"), "{script}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        let command = KeyCommand {
            program: "/nowhere/at-all".to_owned(),
            arguments: Vec::new(),
        };
        let error = command.run(PATIENCE).unwrap_err();
        assert!(
            matches!(error, KeyCommandError::NotStarted { .. }),
            "{error}"
        );
    }
}
