//! Reaching the gateway that runs on a data folder.
//!
//! Everything here blocks: it is for commands, and for a bridge before it has anything else to do.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::hello::LONGEST_LINE;
use super::{Answer, Command, Greeting, Hello, Step, Wanted};

/// How long a gateway may take to answer a hello.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the running gateway could not be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The socket is there and may not be used.
    #[error(
        "the control socket {} cannot be used: {source}. It belongs to whoever runs the gateway; run this as that user",
        path.display()
    )]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It answered with something else than a greeting, or not in time.
    #[error(
        "what listens on {} does not answer as Attache does ({what}); end it, or remove the socket, and try again",
        path.display()
    )]
    Strange {
        /// The socket.
        path: PathBuf,
        /// What came instead.
        what: String,
    },
    /// It does not want to.
    #[error("the running gateway refused: {0}")]
    Refused(String),
    /// Another user made the socket: whatever listens there must not hear what we have to say.
    #[error(
        "the control socket {} belongs to another user of this machine; have it removed, or choose another data folder",
        .0.display()
    )]
    OfAnotherUser(PathBuf),
    /// It went away in the middle of a command.
    #[error(
        "the gateway went away before it had answered; it is not known whether the command took effect: look before you \
         run it again"
    )]
    WentAway,
}

/// Connects and exchanges the first lines. None when no gateway listens there, or one that is about to end.
pub(super) fn reach(
    path: &Path,
    hello: &Hello,
) -> Result<Option<(UnixStream, Greeting)>, ReachError> {
    let socket = |source| ReachError::Socket {
        path: path.to_owned(),
        source,
    };
    if is_of_another_user(path) {
        return Err(ReachError::OfAnotherUser(path.to_owned()));
    }
    let stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) if is_nobody(error.kind()) => return Ok(None),
        Err(error) => return Err(socket(error)),
    };
    stream.set_read_timeout(Some(PATIENCE)).map_err(socket)?;
    let line = match greet(&stream, hello) {
        Ok(line) if line.is_empty() => return Ok(None),
        Ok(line) => line,
        Err(error) if is_nobody(error.kind()) => return Ok(None),
        Err(error) => return Err(strange(path, error.to_string())),
    };
    stream.set_read_timeout(None).map_err(socket)?;
    let greeting: Greeting =
        serde_json::from_str(&line).map_err(|error| strange(path, error.to_string()))?;
    match greeting.refused {
        Some(sentence) => Err(ReachError::Refused(sentence)),
        None => Ok(Some((stream, greeting))),
    }
}

/// Has the running gateway carry out `command`. None when none runs.
pub(in crate::app) fn ask(path: &Path, command: &Command) -> Result<Option<Answer>, ReachError> {
    ask_following(path, command, &mut |_| {})
}

/// The same; `follow` hears how far the command is, where that is told.
pub(super) fn ask_following(
    path: &Path,
    command: &Command,
    follow: &mut dyn FnMut(Step),
) -> Result<Option<Answer>, ReachError> {
    let hello = Hello {
        attache: super::Version::of_this_program(),
        wants: Wanted::Command,
        services: Vec::new(),
    };
    let Some((stream, _)) = reach(path, &hello)? else {
        return Ok(None);
    };
    let request =
        serde_json::to_string(command).map_err(|error| strange(path, error.to_string()))?;
    let request = format!("{request}\n");
    let written = (&stream).write_all(request.as_bytes());
    written.map_err(|_| ReachError::WentAway)?;
    let mut reader = BufReader::new(&stream);
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return Err(ReachError::WentAway),
            Ok(_) => {}
        }
        let answer = serde_json::from_str(&line);
        match answer.map_err(|error| strange(path, error.to_string()))? {
            Answer::Progress(step) => follow(step),
            answer => return Ok(Some(answer)),
        }
    }
}

/// The gateway's line, without its end; empty when it closed instead. What follows the line belongs to somebody else.
fn greet(mut stream: &UnixStream, hello: &Hello) -> io::Result<String> {
    stream.write_all(format!("{}\n", serde_json::to_string(hello)?).as_bytes())?;
    // A buffer of one byte never holds what follows the line.
    let mut line = String::new();
    BufReader::with_capacity(1, stream.take(LONGEST_LINE)).read_line(&mut line)?;
    match line.strip_suffix('\n') {
        Some(whole) => Ok(whole.to_owned()),
        None if line.is_empty() => Ok(line),
        None => Err(io::Error::other("half a line")),
    }
}

fn is_of_another_user(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    path.symlink_metadata()
        .is_ok_and(|known| known.uid() != own)
}

fn is_nobody(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
    )
}

fn strange(path: &Path, what: String) -> ReachError {
    ReachError::Strange {
        path: path.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn hello() -> Hello {
        Hello {
            attache: "1.0.0".parse().unwrap(),
            wants: Wanted::Mcp,
            services: Vec::new(),
        }
    }

    /// Somebody who answers one hello with `line`.
    fn answering(path: &Path, line: &'static str) -> std::thread::JoinHandle<()> {
        let listener = UnixListener::bind(path).unwrap();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut said = String::new();
            BufReader::new(&stream).read_line(&mut said).unwrap();
            assert_eq!(said, "{\"attache\":\"1.0.0\",\"wants\":\"mcp\"}\n");
            (&stream).write_all(line.as_bytes()).unwrap();
        })
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        assert!(reach(&path, &hello()).unwrap().is_none());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists() && reach(&path, &hello()).unwrap().is_none());
    }

    #[test]
    fn a_socket_of_another_user_is_not_spoken_to() {
        const NOBODY: u32 = 65_534;
        if rustix::process::geteuid().as_raw() != 0 {
            eprintln!("SKIPPED: only root can make a socket of another user");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        std::os::unix::fs::chown(&path, Some(NOBODY), None).unwrap();
        let error = reach(&path, &hello()).unwrap_err().to_string();
        assert!(error.contains("belongs to another user"), "{error}");
        assert!(listener.accept().is_err(), "nobody connected");
    }

    #[test]
    fn what_follows_the_greeting_is_left_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let other = answering(&path, "{\"attache\":\"1.0.0\",\"pid\":7}\nnext");
        let (mut stream, greeting) = reach(&path, &hello()).unwrap().unwrap();
        assert_eq!(greeting.pid, 7);
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "next");
        other.join().unwrap();
    }

    #[test]
    fn strangers_and_refusals_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        for (at, line, expected) in [
            (0, "HTTP/1.1 400\n", "does not answer as Attache does"),
            (1, "half", "does not answer as Attache does"),
            (
                2,
                "{\"attache\":\"1.0.0\",\"pid\":7,\"refused\":\"no\"}\n",
                "refused: no",
            ),
        ] {
            let path = folder.path().join(at.to_string());
            let other = answering(&path, line);
            let error = reach(&path, &hello()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            other.join().unwrap();
        }
    }
}
