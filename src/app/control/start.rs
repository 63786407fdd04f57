//! A gateway in the background: found, started when there is none, replaced when it is older than we are.
//!
//! Everything here blocks, on events: a lock, a line on a pipe, the end of a connection.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::thread;

use serde::{Deserialize, Serialize};

use super::locks::{ATTEMPTS, PAUSE, StartLock};
use super::reach::{ask, ask_following, reach};
use super::{
    Answer, Command, GatewayLock, Greeting, Hello, LockError, ReachError, Relation, Step, Version,
    Wanted,
};

/// A log that has grown past this many bytes makes room for a new one.
const LOG_LIMIT: u64 = 1 << 20;

/// The gateway of one data folder, as it is found or started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Where its control socket is.
    pub socket: PathBuf,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// The arguments with which it is started.
    pub arguments: Vec<String>,
    /// All the environment that it gets.
    pub environment: Vec<(String, String)>,
    /// Our version.
    pub version: Version,
    /// The services that a client selects; all when there are none.
    pub services: Vec<String>,
}

/// What a gateway in the background says on its stdout, in one line, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Started {
    /// It listens.
    Ready,
    /// It could not start.
    Failed(String),
}

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// One runs and cannot be used.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Somebody uses the store and does not answer.
    #[error(
        "another process holds the store in {} and does not answer on its control socket; end it and try again",
        .0.display()
    )]
    Held(PathBuf),
    /// The program could not be started.
    #[error("the gateway could not be started in the background: {0}")]
    Spawn(#[from] io::Error),
    /// It said why it could not start.
    #[error("{0}")]
    Failed(String),
    /// It ended without a word.
    #[error(
        "the gateway ended before it was ready; its log is {}",
        .0.display()
    )]
    Ended(PathBuf),
    /// It was ready and then could not be reached.
    #[error(
        "the gateway was started and is gone again; its log is {}",
        .0.display()
    )]
    Gone(PathBuf),
}

/// Who is to be the gateway.
#[derive(Debug)]
pub enum Turn {
    /// Whoever holds this.
    Ours(GatewayLock),
    /// Another process, which answers on the control socket.
    Theirs,
}

/// Waits until it is clear who is the gateway of `data_dir`: we, as soon as the one before has ended, or another process
/// that was started at the same time.
///
/// # Errors
/// [`StartFailure`] when the folder or the socket cannot be used, or stay as they are for half a minute.
pub fn wait_for_turn(data_dir: &Path, socket: &Path) -> Result<Turn, StartFailure> {
    let hello = Hello {
        attache: Version::of_this_program(),
        wants: Wanted::Mcp,
        services: Vec::new(),
    };
    for _ in 0..ATTEMPTS {
        if let Some(lock) = GatewayLock::try_take(data_dir)? {
            return Ok(Turn::Ours(lock));
        }
        if reach(socket, &hello)?.is_some() {
            return Ok(Turn::Theirs);
        }
        thread::sleep(PAUSE);
    }
    Err(StartFailure::Held(data_dir.to_owned()))
}

/// What listens on the socket.
enum Found {
    Usable(UnixStream, Greeting),
    Older,
    Nothing,
}

impl Launch {
    /// A connection to the running gateway on which MCP is spoken; one is started, or an older one replaced, when that
    /// must be. Of many who try at once, one starts it and all get it.
    ///
    /// # Errors
    /// [`StartFailure`].
    pub fn reach_or_start(&self) -> Result<(UnixStream, Greeting), StartFailure> {
        if let Found::Usable(stream, greeting) = self.find()? {
            return Ok((stream, greeting));
        }
        let _one_at_a_time = StartLock::take(&self.data_dir)?;
        match self.find()? {
            Found::Usable(stream, greeting) => return Ok((stream, greeting)),
            Found::Older => self.end_the_old_one()?,
            Found::Nothing => {}
        }
        let outcome = self.start();
        match self.find()? {
            Found::Usable(stream, greeting) => Ok((stream, greeting)),
            Found::Older | Found::Nothing => {
                outcome?;
                Err(StartFailure::Gone(self.log()))
            }
        }
    }

    /// Has the running gateway carry out `command`; none when none runs.
    ///
    /// # Errors
    /// [`ReachError`].
    pub fn ask(&self, command: &Command) -> Result<Option<Answer>, ReachError> {
        ask(&self.socket, command)
    }

    /// The same; `follow` hears how far the command is, where that is told.
    ///
    /// # Errors
    /// [`ReachError`].
    pub fn ask_following(
        &self,
        command: &Command,
        follow: &mut dyn FnMut(Step),
    ) -> Result<Option<Answer>, ReachError> {
        ask_following(&self.socket, command, follow)
    }

    fn hello(&self, wants: Wanted) -> Hello {
        Hello {
            attache: self.version,
            services: self.services.clone(),
            wants,
        }
    }

    fn find(&self) -> Result<Found, ReachError> {
        let Some((stream, greeting)) = reach(&self.socket, &self.hello(Wanted::Mcp))? else {
            return Ok(Found::Nothing);
        };
        Ok(match self.version.meets(greeting.attache) {
            Relation::Serves => Found::Usable(stream, greeting),
            Relation::GivesWay => Found::Older,
        })
    }

    /// Tells the older gateway to end, and waits until it has: then it closes the connection.
    fn end_the_old_one(&self) -> Result<(), StartFailure> {
        if let Some((mut stream, _)) = reach(&self.socket, &self.hello(Wanted::End))? {
            // An error is an end as well.
            let _ = stream.read_to_end(&mut Vec::new());
        }
        Ok(())
    }

    /// Starts the program and waits for its line.
    fn start(&self) -> Result<(), StartFailure> {
        let mut child = process::Command::new(this_program()?)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(self.open_log()?)
            .spawn()?;
        let output = child.stdout.take();
        // Takes note of its end, so that no dead process is left behind while we live.
        thread::spawn(move || child.wait());
        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut line)?;
        }
        match serde_json::from_str(&line) {
            Ok(Started::Ready) => Ok(()),
            Ok(Started::Failed(sentence)) => Err(StartFailure::Failed(sentence)),
            Err(_) => Err(StartFailure::Ended(self.log())),
        }
    }

    fn log(&self) -> PathBuf {
        self.data_dir.join("gateway.log")
    }

    fn open_log(&self) -> io::Result<File> {
        let log = self.log();
        if fs::metadata(&log).is_ok_and(|known| known.len() > LOG_LIMIT) {
            fs::rename(&log, self.data_dir.join("gateway.log.1"))?;
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600).open(log)
    }
}

/// Where this program is. After an update the path of the running one is marked as deleted; what is there now is newer,
/// and that is the one to start.
///
/// # Errors
/// When the system does not say.
pub fn this_program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let replaced = path
        .to_str()
        .and_then(|text| text.strip_suffix(" (deleted)"));
    Ok(replaced.map_or(path.clone(), |text| Path::new(text).to_owned()))
}
