//! The gateway's side of the control socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::context_bill::context_bill;
use super::hello::LONGEST_LINE;
use super::{
    Answer, Command, Greeting, Hello, Refusal, RefusalKind, Step, Version, WaitingForTheEnd,
    Wanted, run, run_backup,
};
use crate::app::activity::Activity;
use crate::app::backup::Backups;
use crate::app::catalogue_files::CatalogueFiles;
use crate::app::drill::{DrillError, SandboxAtHand, drill};
use crate::app::listen::DRAIN;
use crate::gateway::{Drill, Gateway};
use crate::identity::Caller;
use crate::mcp;

/// How long whoever connects may take to say what they want.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How often whoever waits is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// The longest command, in bytes: arguments of a tool are part of it.
pub(super) const LONGEST_COMMAND: u64 = 16 << 20;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[error("the control socket {} cannot be made: {source}", path.display())]
pub struct ControlError {
    path: PathBuf,
    source: io::Error,
}

/// A socket on which the same user's other processes are heard.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// What is offered on the socket.
#[derive(Clone)]
pub(crate) struct Offered {
    pub(crate) gateway: Gateway,
    pub(crate) mcp: mcp::Surface,
    /// Where its catalogue comes from.
    pub(crate) files: Arc<CatalogueFiles>,
    /// The person of this machine, whom everyone who gets in acts for.
    pub(crate) owner: Caller,
    pub(crate) activity: Activity,
    /// Nothing new is begun once this is cancelled.
    pub(crate) stop: CancellationToken,
    /// Cancelled when somebody asks the gateway to end.
    pub(crate) asked_to_end: CancellationToken,
    /// The Sandbox, where fire drills are for real.
    pub(crate) sandbox: Option<SandboxAtHand>,
    /// The backups of its store.
    pub(crate) backups: Backups,
    /// Those who asked, and wait until it has.
    pub(crate) waiting: WaitingForTheEnd,
}

impl ControlSocket {
    /// Makes the socket. Whoever calls this holds the store: what is found at `path` was left behind by a process that
    /// is gone.
    pub(crate) fn bind(path: PathBuf) -> Result<Self, ControlError> {
        match bind(&path) {
            Ok(listener) => Ok(Self { listener, path }),
            Err(source) => Err(ControlError { path, source }),
        }
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    /// Takes the socket away, so that nobody new comes.
    pub(super) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "the control socket could not be removed");
        }
    }

    /// Serves until `stop`; then the socket goes at once, and those under way finish for a while.
    pub(crate) async fn serve(self, offered: Offered) {
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = offered.stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) if is_same_user(&stream) => {
                    tasks.spawn(serve_one(stream, offered.clone()));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the control socket accepts no connection");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        self.remove();
        tasks.close();
        if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
            tracing::warn!("some commands and clients did not finish in time and were cut off");
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The folder keeps others away; this does when the folder was opened to them.
pub(super) fn is_same_user(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own => true,
        Ok(peer) => {
            tracing::warn!(
                "refused a connection to the control socket by user {}: it is for user {own} alone. Take other users' \
                 rights off the data folder",
                peer.uid()
            );
            false
        }
        Err(error) => {
            tracing::warn!(%error, "refused a connection to the control socket: its user is not known");
            false
        }
    }
}

async fn serve_one(stream: UnixStream, offered: Offered) {
    let busy = offered.activity.begin();
    if let Err(error) = converse(stream, offered).await {
        tracing::debug!(%error, "a connection to the control socket broke off");
    }
    drop(busy);
}

async fn converse(stream: UnixStream, offered: Offered) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let line = tokio::time::timeout(PATIENCE, read_line(&mut reader, LONGEST_LINE)).await??;
    let hello = match serde_json::from_str::<Hello>(&line) {
        Ok(hello) => hello,
        Err(error) => {
            let refused = format!("the first line is not a hello: {error}");
            return greet(&mut writer, Some(refused)).await;
        }
    };
    let wanted = hello.services.iter().map(String::as_str);
    let selection = match mcp::Selection::of(wanted, &offered.gateway.services()) {
        Ok(selection) => selection,
        Err(unknown) => return greet(&mut writer, Some(unknown.to_string())).await,
    };
    greet(&mut writer, None).await?;
    match hello.wants {
        Wanted::Mcp => serve_mcp(reader, writer, offered, selection).await,
        Wanted::Command => serve_command(reader, writer, &offered).await,
        Wanted::End => end(reader, writer, &offered),
    }
}

async fn serve_mcp(
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    offered: Offered,
    selection: mcp::Selection,
) -> io::Result<()> {
    let server = mcp::Server::for_process(offered.mcp, offered.owner, selection);
    // Boxed: a served client's state is large, and most who connect want something else.
    Box::pin(mcp::serve_stream(server, reader, writer, offered.stop))
        .await
        .map_err(io::Error::other)
}

async fn serve_command(
    mut reader: BufReader<OwnedReadHalf>,
    mut writer: OwnedWriteHalf,
    offered: &Offered,
) -> io::Result<()> {
    let line = tokio::time::timeout(PATIENCE, read_line(&mut reader, LONGEST_COMMAND)).await??;
    let answer = match serde_json::from_str::<Command>(&line) {
        Ok(Command::Reload) => reload(offered),
        Ok(command @ (Command::Backup { .. } | Command::Backups)) => {
            backups(&mut writer, offered, &command).await?
        }
        Ok(Command::Context) => Answer::Context(context_bill(&offered.mcp.advertised())),
        Ok(command) => carry_out(offered, command).await,
        Err(_) => Answer::refused(
            RefusalKind::Failed,
            format!(
                "the running gateway is Attache {} and does not know this command; restart it with the version of the \
                 command",
                Version::of_this_program()
            ),
        ),
    };
    write_line(&mut writer, &serde_json::to_string(&answer)?).await
}

/// Whoever goes away meanwhile does not want the backup any more.
async fn backups(
    writer: &mut OwnedWriteHalf,
    offered: &Offered,
    command: &Command,
) -> io::Result<Answer> {
    let (steps, mut taken) = watch::channel(None);
    let progress = |stage, done, total| {
        steps.send_replace(Some(Step { stage, done, total }));
    };
    let mut work = pin!(run_backup(&offered.backups, command, &progress));
    let mut ticks = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            answer = &mut work => return Ok(answer),
            () = offered.stop.cancelled() => {
                let sentence = "the gateway is ending, so the backup was given up; nothing of it is left";
                return Ok(Answer::refused(RefusalKind::Failed, sentence));
            }
            _ = ticks.tick() => {
                let step = taken.has_changed().unwrap_or(false).then(|| *taken.borrow_and_update());
                if let Some(step) = step.flatten() {
                    write_line(writer, &serde_json::to_string(&Answer::Progress(step))?).await?;
                }
            }
        }
    }
}

async fn carry_out(offered: &Offered, command: Command) -> Answer {
    match (&command, &offered.sandbox) {
        (Command::Drill { service, drill }, Some(sandbox)) if *service == sandbox.service => {
            for_real(offered, sandbox, *drill).await
        }
        _ => run(&offered.gateway, &offered.owner, command).await,
    }
}

/// A fire drill on the Sandbox.
async fn for_real(offered: &Offered, sandbox: &SandboxAtHand, kind: Drill) -> Answer {
    let (sentence, kind, connect_url) =
        match drill(&offered.gateway, &offered.owner.in_person(), sandbox, kind).await {
            Ok(report) => return Answer::Drilled(report),
            Err(DrillError::ConnectFirst(link)) => (
                link.sentence,
                RefusalKind::ConnectionRequired,
                Some(link.url),
            ),
            Err(DrillError::Call(error)) => (error.sentence(), RefusalKind::Failed, None),
            Err(DrillError::Sandbox(error)) => (error.to_string(), RefusalKind::Failed, None),
        };
    Answer::Refused(Refusal {
        kind,
        sentence,
        connect_url,
        accounts: Vec::new(),
    })
}

fn reload(offered: &Offered) -> Answer {
    match offered.files.read_again(&offered.gateway) {
        Ok(services) => Answer::Reloaded {
            services: services.enabled().count(),
            tools: services.advertised().count(),
        },
        Err(problems) => Answer::refused(
            RefusalKind::Failed,
            format!("nothing was changed: {problems}"),
        ),
    }
}

fn end(
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    offered: &Offered,
) -> io::Result<()> {
    tracing::info!("another process asked this gateway to end");
    let stream = reader
        .into_inner()
        .reunite(writer)
        .map_err(io::Error::other)?;
    offered.waiting.join(stream)?;
    offered.asked_to_end.cancel();
    Ok(())
}

async fn greet(writer: &mut OwnedWriteHalf, refused: Option<String>) -> io::Result<()> {
    let greeting = Greeting {
        attache: Version::of_this_program(),
        pid: std::process::id(),
        refused,
        problem: None,
    };
    write_line(writer, &serde_json::to_string(&greeting)?).await
}

pub(super) async fn read_line(
    reader: &mut BufReader<OwnedReadHalf>,
    longest: u64,
) -> io::Result<String> {
    let mut line = String::new();
    reader.take(longest).read_line(&mut line).await?;
    Ok(line)
}

pub(super) async fn write_line(writer: &mut OwnedWriteHalf, line: &str) -> io::Result<()> {
    writer.write_all(format!("{line}\n").as_bytes()).await
}
