//! The control socket of a gateway that waits for its store: everyone who comes is told why.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::hello::LONGEST_LINE;
use super::listen::{LONGEST_COMMAND, PATIENCE, is_same_user, read_line, write_line};
use super::{
    Answer, ControlSocket, Greeting, Hello, RefusalKind, Version, WaitingForTheEnd, Wanted,
};
use crate::mcp::LONGEST_MESSAGE;

/// What a message of MCP is answered with, given what is wrong.
pub(crate) type AnswerMcp = dyn Fn(&str, &str) -> Option<Value> + Send + Sync;

/// What is told on the socket.
#[derive(Clone)]
pub(crate) struct StandingBy {
    /// What is wrong and what to do.
    pub(crate) problem: watch::Receiver<String>,
    /// How a line of MCP is answered.
    pub(crate) answer: Arc<AnswerMcp>,
    /// Ends it, and closes every connection: whoever reconnects finds the gateway itself.
    pub(crate) stop: CancellationToken,
    /// Cancelled when somebody asks the gateway to end.
    pub(crate) asked_to_end: CancellationToken,
    /// Those who asked, and wait until it has.
    pub(crate) waiting: WaitingForTheEnd,
}

impl ControlSocket {
    /// Answers until `stop`; then the socket goes.
    pub(crate) async fn stand_by(self, standing_by: StandingBy) {
        let tasks = TaskTracker::new();
        let stop = standing_by.stop.clone();
        while let Some(accepted) = stop.run_until_cancelled(self.accept()).await {
            match accepted {
                Ok(stream) if is_same_user(&stream) => {
                    tasks.spawn(serve_one(stream, standing_by.clone()));
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
        tasks.wait().await;
    }
}

async fn serve_one(stream: UnixStream, standing_by: StandingBy) {
    let stop = standing_by.stop.clone();
    let conversed = stop
        .run_until_cancelled(converse(stream, standing_by))
        .await;
    if let Some(Err(error)) = conversed {
        tracing::debug!(%error, "a connection to the control socket broke off");
    }
}

async fn converse(stream: UnixStream, standing_by: StandingBy) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let line = tokio::time::timeout(PATIENCE, read_line(&mut reader, LONGEST_LINE)).await??;
    let hello: Hello = serde_json::from_str(&line)?;
    let problem = standing_by.problem.borrow().clone();
    let greeting = Greeting {
        attache: Version::of_this_program(),
        pid: std::process::id(),
        refused: None,
        problem: Some(problem.clone()),
    };
    write_line(&mut writer, &serde_json::to_string(&greeting)?).await?;
    match hello.wants {
        Wanted::Mcp => refuse_mcp(reader, writer, &standing_by).await,
        Wanted::Command => {
            // Closing with something unread would take the answer back.
            tokio::time::timeout(PATIENCE, read_line(&mut reader, LONGEST_COMMAND)).await??;
            let refused = Answer::refused(RefusalKind::Failed, problem);
            write_line(&mut writer, &serde_json::to_string(&refused)?).await
        }
        Wanted::End => {
            let stream = reader.into_inner().reunite(writer);
            let joined = standing_by.waiting.join(stream.map_err(io::Error::other)?);
            standing_by.asked_to_end.cancel();
            joined
        }
    }
}

async fn refuse_mcp(
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    standing_by: &StandingBy,
) -> io::Result<()> {
    let lines = || LinesCodec::new_with_max_length(LONGEST_MESSAGE);
    let mut reader = FramedRead::new(reader, lines());
    let mut writer = FramedWrite::new(writer, lines());
    while let Some(line) = reader.next().await {
        let problem = standing_by.problem.borrow().clone();
        let answer = line.map(|line| (standing_by.answer)(&line, &problem));
        if let Some(answer) = answer.map_err(io::Error::other)? {
            let sent = writer.send(answer.to_string()).await;
            sent.map_err(io::Error::other)?;
        }
    }
    Ok(())
}
