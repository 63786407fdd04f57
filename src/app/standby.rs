//! A gateway whose store cannot be opened: it listens, says so on every way in, and goes on by itself.
//!
//! Owns which failures are waited out and which end the start, when the store is tried again, and what is answered over
//! HTTP, MCP and the control socket until then. Refuses to know what is wrong with the disk: that is the store's to say.
//!
//! A wrong key, a newer format or a store that another process holds end the start: waiting would not mend them, and
//! whoever starts Attache is there to read one line.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::catalogue_files::CatalogueFiles;
use super::control::{ControlSocket, StandingBy, WaitingForTheEnd};
use super::gateway::{App, StartError, authorities, links, open_store};
use super::listen;
use crate::base::{Clock, Random};
use crate::config::Config;
use crate::gateway::Links;
use crate::mcp::LONGEST_MESSAGE;
use crate::store::{Circumstances, OpenError, Store};
use crate::web;
use crate::web::pages::Outage;

/// How often it is looked whether anything has changed that may let the store open. A disk that gets room again tells
/// nobody.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The store is tried again after so many looks, whether anything has changed or not.
const TRY_ANYWAY_AFTER: u32 = 30;

/// JSON-RPC 2.0 leaves -32000 to -32099 to servers.
const UNAVAILABLE: i32 = -32000;

/// How a start ended.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one in a process, and it is taken apart at once"
)]
pub enum Start {
    /// The gateway runs.
    Open(App),
    /// It listens, and has no store yet.
    Standby(Standby),
}

impl Start {
    /// Starts a gateway as [`App::start`] does, or stands by when the store cannot be opened for a reason that may pass.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn begin(config: Config, clock: Clock, random: Random) -> Result<Self, StartError> {
        let (listener, address) = listen::bind(config.bind).await?;
        let links = links(&config, address)?;
        let error = match open_store(&config, &random).await {
            Ok(store) => {
                let app = App::start_with(store, listener, address, config, clock, random);
                return app.await.map(Self::Open);
            }
            Err(StartError::Store(error)) => error,
            Err(other) => return Err(other),
        };
        let Some(outage) = outage(&error) else {
            return Err(error.into());
        };
        // Whoever starts it learns of mistakes in provider files now, and not when the disk is well again.
        CatalogueFiles::of(&config).read()?;
        tracing::error!(%error, "the store cannot be opened: only pages that say so are served, and it is tried again");
        let standby = Standby {
            seen: Circumstances::of(&config.store),
            config,
            clock,
            random,
            authorities: authorities(&links, address),
            links,
            listener,
            address,
            outage: watch::Sender::new(outage),
            sentence: watch::Sender::new(error.to_string()),
            serving: CancellationToken::new(),
            asked_to_end: CancellationToken::new(),
            waiting: WaitingForTheEnd::default(),
            tasks: Vec::new(),
        };
        standby.serve().map(Self::Standby)
    }
}

/// What is told to people; none for what waiting does not mend.
fn outage(error: &OpenError) -> Option<Outage> {
    use std::io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    match error {
        OpenError::NoSpace { .. } => Some(Outage::NoSpace),
        OpenError::Damaged { .. } => Some(Outage::Damaged),
        OpenError::Folder { source, .. } => match source.kind() {
            // The folder is named wrongly, or belongs to somebody else.
            NotADirectory | PermissionDenied | ReadOnlyFilesystem => None,
            _ => Some(Outage::Disk),
        },
        OpenError::WrongKey { .. } | OpenError::NewerFormat { .. } | OpenError::InUse { .. } => {
            None
        }
    }
}

/// A gateway that waits for its store.
pub struct Standby {
    config: Config,
    clock: Clock,
    random: Random,
    links: Links,
    authorities: Vec<String>,
    listener: TcpListener,
    address: std::net::SocketAddr,
    outage: watch::Sender<Outage>,
    sentence: watch::Sender<String>,
    seen: Circumstances,
    serving: CancellationToken,
    asked_to_end: CancellationToken,
    waiting: WaitingForTheEnd,
    tasks: Vec<JoinHandle<()>>,
}

impl Standby {
    /// The gateway's own addresses.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// What is wrong and what to do, for whoever started it.
    #[must_use]
    pub fn problem(&self) -> String {
        self.sentence.borrow().clone()
    }

    /// Where its data is.
    #[must_use]
    pub fn data_dir(&self) -> &std::path::Path {
        &self.config.data_dir
    }

    fn serve(mut self) -> Result<Self, StartError> {
        let failed = |error| listen::ListenError::Refused(self.address, error);
        let listener = second(&mut self.listener).map_err(failed)?;
        let router = web::outage_router(
            self.links.clone(),
            self.authorities.clone(),
            self.outage.subscribe(),
        )
        .merge(mcp(self.authorities.clone(), self.outage.subscribe()));
        let serving = self.serving.clone();
        self.tasks
            .push(listen::serve(listener, router, Arc::default(), serving));
        Ok(self)
    }

    /// Listens on the control socket, and tells everyone there how it stands.
    ///
    /// # Errors
    /// [`StartError`] when the socket cannot be made.
    pub fn open_control(&mut self) -> Result<(), StartError> {
        let path = self.config.control_socket();
        let socket = ControlSocket::bind(path.map_err(StartError::ControlPath)?)?;
        let standing_by = StandingBy {
            problem: self.sentence.subscribe(),
            answer: Arc::new(|line, sentence| answer(line.as_bytes(), sentence)),
            stop: self.serving.clone(),
            asked_to_end: self.asked_to_end.clone(),
            waiting: self.waiting.clone(),
        };
        self.tasks.push(tokio::spawn(socket.stand_by(standing_by)));
        Ok(())
    }

    /// Waits until somebody on the control socket asks this gateway to end.
    pub fn asked_to_end(&self) -> impl Future<Output = ()> + use<> {
        self.asked_to_end.clone().cancelled_owned()
    }

    /// Waits until the store opens. Given up, nothing is lost: it can be waited for again.
    ///
    /// # Errors
    /// What waiting does not mend, such as a store in whose place another one was put.
    pub async fn store(&mut self) -> Result<Store, StartError> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut in_vain = 0;
        loop {
            looks.tick().await;
            in_vain += 1;
            let now = Circumstances::of(&self.config.store);
            if !now.are_better_than(&self.seen) && in_vain < TRY_ANYWAY_AFTER {
                continue;
            }
            in_vain = 0;
            match open_store(&self.config, &self.random).await {
                Ok(store) => return Ok(store),
                Err(StartError::Store(error)) => self.still(error)?,
                Err(other) => return Err(other),
            }
            // What was tried itself may have moved a file.
            self.seen = Circumstances::of(&self.config.store);
        }
    }

    fn still(&mut self, error: OpenError) -> Result<(), StartError> {
        let Some(outage) = outage(&error) else {
            return Err(error.into());
        };
        let sentence = error.to_string();
        if *self.sentence.borrow() != sentence {
            tracing::error!(%error, "the store still cannot be opened");
        }
        self.outage.send_replace(outage);
        self.sentence.send_replace(sentence);
        Ok(())
    }

    /// Goes on as a gateway on the same port, with the store that [`Standby::store`] has opened.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn go_on(self, store: Store) -> Result<App, StartError> {
        tracing::info!("the store could be opened: the gateway goes on");
        self.serving.cancel();
        let (listener, address) = (self.listener, self.address);
        for task in self.tasks {
            // Whoever was answered last has the answer by then.
            let _ = task.await;
        }
        App::start_with(
            store,
            listener,
            address,
            self.config,
            self.clock,
            self.random,
        )
        .await
    }

    /// Ends it. Whoever holds the lock of the data folder lets go of it before those who wait.
    pub async fn stop(self) -> WaitingForTheEnd {
        self.serving.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
        self.waiting
    }
}

/// The same port a second time: connections that nobody has accepted yet wait for whichever is left.
fn second(listener: &mut TcpListener) -> std::io::Result<TcpListener> {
    use std::os::fd::AsFd;
    let copy = listener.as_fd().try_clone_to_owned()?;
    TcpListener::from_std(std::net::TcpListener::from(copy))
}

#[derive(Clone)]
struct Mcp {
    authorities: Arc<[String]>,
    outage: watch::Receiver<Outage>,
}

/// Every way in for MCP over HTTP. Nobody can be recognised without a store, so nobody is asked who they are, and nobody
/// learns more than that it is out of order.
fn mcp(authorities: Vec<String>, outage: watch::Receiver<Outage>) -> Router {
    let state = Mcp {
        authorities: authorities.into(),
        outage,
    };
    Router::new()
        .route("/mcp", any(answer_http))
        .route("/mcp/{services}", any(answer_http))
        .route("/sse", any(answer_http))
        .route("/messages", any(answer_http))
        .with_state(state)
}

/// A request is answered under its own id with status 200: clients show the message of a JSON-RPC error, and of an HTTP
/// error often no more than its number.
async fn answer_http(State(mcp): State<Mcp>, request: Request) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|value| value.to_str().ok());
    let is_ours = |host: &str| {
        mcp.authorities
            .iter()
            .any(|own| own.eq_ignore_ascii_case(host))
    };
    if !host.is_some_and(is_ours) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    let outage = *mcp.outage.borrow();
    let sentence = format!("{} {}", outage.happened(), outage.remedy());
    let body: Body = request.into_body();
    let answered = match to_bytes(body, LONGEST_MESSAGE).await {
        Ok(bytes) => answer(&bytes, &sentence),
        Err(_) => None,
    };
    match answered {
        Some(error) => Json(error).into_response(),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            [(header::RETRY_AFTER, "5")],
            sentence,
        )
            .into_response(),
    }
}

/// The error that answers a message, if it is a request.
fn answer(message: &[u8], sentence: &str) -> Option<Value> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let id = message
        .get("id")
        .filter(|id| id.is_string() || id.is_number())?;
    message.get("method")?;
    let error = json!({ "code": UNAVAILABLE, "message": sentence });
    Some(json!({ "jsonrpc": "2.0", "id": id, "error": error }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_under_their_id_and_nothing_else_is() {
        let error = answer(
            br#"{"jsonrpc":"2.0","id":"a","method":"initialize"}"#,
            "full",
        );
        let error = error.unwrap();
        assert_eq!(
            (&error["id"], &error["error"]["message"]),
            (&"a".into(), &"full".into())
        );
        for silent in [
            &br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#[..],
            br#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            br#"{"jsonrpc":"2.0","id":{},"method":"x"}"#,
            b"",
            b"[1]",
        ] {
            assert_eq!(answer(silent, "full"), None);
        }
    }

    #[test]
    fn what_waiting_does_not_mend_ends_the_start() {
        let folder = || std::path::PathBuf::from("/data/store");
        let io = |code| OpenError::Folder {
            path: folder(),
            source: std::io::Error::from_raw_os_error(code),
        };
        assert_eq!(outage(&OpenError::WrongKey { folder: folder() }), None);
        assert_eq!(outage(&OpenError::InUse { folder: folder() }), None);
        let newer = OpenError::NewerFormat {
            folder: folder(),
            format: 9,
        };
        assert_eq!(outage(&newer), None);
        assert_eq!(outage(&io(13)), None, "EACCES");
        assert_eq!(outage(&io(5)), Some(Outage::Disk), "EIO");
        let full = OpenError::NoSpace { folder: folder() };
        assert_eq!(outage(&full), Some(Outage::NoSpace));
    }
}
