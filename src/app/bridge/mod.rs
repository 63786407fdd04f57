//! The bridge: MCP between the client that started us on its stdin and stdout, and the one gateway of the data folder.
//!
//! Owns the relay and what happens when the gateway goes away: the next message starts it again. Refuses to know what
//! the messages mean, beyond what [`Session`] keeps of them. Nothing but JSON-RPC is ever written to the client.
//!
//! It runs on plain threads, one for each side that is read: a client waits for the first answer of a process that has
//! just been started.

mod http_form;
mod lines;
mod remote;
mod session;

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::control::{Launch, StartFailure};
use lines::{Line, Lines};
pub use remote::bridge_to;
use session::Session;

/// How long answers are still passed on once the client has said all it had to say.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Why the bridge ended badly.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// There was no gateway to begin with.
    #[error(transparent)]
    Start(#[from] StartFailure),
    /// The client's side of a stream broke.
    #[error("the MCP client can no longer be heard or spoken to: {0}")]
    Client(#[from] io::Error),
}

/// What the two sides do.
enum Event {
    Client(Line),
    ClientIsDone,
    ClientBroke(io::Error),
    /// From the gateway of this connection.
    Gateway(u64, String),
    GatewayIsGone(u64),
}

/// Relays until the client closes `input`.
///
/// # Errors
/// [`BridgeError`]: no gateway at the start, or a broken client. A gateway that goes away later is no error.
pub fn bridge(
    launch: &Launch,
    input: impl BufRead + Send + 'static,
    output: impl Write,
) -> Result<(), BridgeError> {
    let (events, inbox) = channel();
    let mut bridge = Bridge {
        launch,
        session: Session::default(),
        output,
        events: events.clone(),
        gateway: None,
        connections: 0,
    };
    bridge.connect()?;
    thread::spawn(move || listen_to_client(input, &events));
    bridge.relay(&inbox)
}

fn listen_to_client(input: impl BufRead, events: &Sender<Event>) {
    for line in Lines::new(input) {
        let event = match line {
            Ok(line) => Event::Client(line),
            Err(error) => Event::ClientBroke(error),
        };
        if events.send(event).is_err() {
            return;
        }
    }
    // Nobody listening any more is no error.
    let _ = events.send(Event::ClientIsDone);
}

fn listen_to_gateway(stream: UnixStream, connection: u64, events: &Sender<Event>) {
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        if events.send(Event::Gateway(connection, line)).is_err() {
            return;
        }
    }
    let _ = events.send(Event::GatewayIsGone(connection));
}

struct Bridge<'a, W> {
    launch: &'a Launch,
    session: Session,
    output: W,
    events: Sender<Event>,
    gateway: Option<UnixStream>,
    /// How many connections there have been: what an earlier one still says is not heard.
    connections: u64,
}

impl<W: Write> Bridge<'_, W> {
    fn relay(&mut self, inbox: &Receiver<Event>) -> Result<(), BridgeError> {
        loop {
            match inbox.recv() {
                Ok(Event::ClientIsDone) => return self.finish(inbox),
                Ok(event) => self.handle(event)?,
                Err(_) => return Ok(()),
            }
        }
    }

    /// The client has closed its side: answers to what it asked still reach it.
    fn finish(&mut self, inbox: &Receiver<Event>) -> Result<(), BridgeError> {
        while self.session.waits_for_answers() {
            match inbox.recv_timeout(LAST_ANSWERS) {
                Ok(event) => self.handle(event)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) -> Result<(), BridgeError> {
        match event {
            Event::Client(Line::Refused(answer)) => self.tell(&answer),
            Event::Client(Line::Whole(line)) => {
                let is_request = self.session.sent(&line);
                if self.write(&line) || !is_request {
                    return Ok(());
                }
                self.begin_anew_with(&line)
            }
            Event::Gateway(connection, line) if connection == self.connections => {
                if self.session.received(&line) {
                    self.tell(&line)?;
                }
                Ok(())
            }
            Event::GatewayIsGone(connection) if connection == self.connections => {
                self.gateway = None;
                self.recover()
            }
            Event::Gateway(..) | Event::GatewayIsGone(_) | Event::ClientIsDone => Ok(()),
            Event::ClientBroke(error) => Err(error.into()),
        }
    }

    /// Finds or starts a gateway for a request that nobody has taken yet, and that so has had no effect.
    fn begin_anew_with(&mut self, line: &str) -> Result<(), BridgeError> {
        if let Err(failure) = self.connect() {
            tracing::error!(%failure, "there is no gateway");
            let answers = self.session.nobody_there(&failure.to_string());
            return self.tell_all(&answers);
        }
        if !self.write(line) {
            self.gateway = None;
            let answers = self
                .session
                .nobody_there("the gateway went away as soon as it was started; see its log");
            return self.tell_all(&answers);
        }
        Ok(())
    }

    /// After the gateway went away: calls under way are answered, since nobody knows what became of them; all else that
    /// waits is asked again.
    fn recover(&mut self) -> Result<(), BridgeError> {
        let lost = self.session.interrupted();
        self.tell_all(&lost.answers)?;
        for line in lost.again {
            if !self.write(&line) {
                self.begin_anew_with(&line)?;
            }
        }
        Ok(())
    }

    /// Finds or starts the gateway and brings it to where the client believes it is.
    fn connect(&mut self) -> Result<(), StartFailure> {
        self.gateway = None;
        let (stream, greeting) = self.launch.reach_or_start()?;
        tracing::debug!(pid = greeting.pid, version = %greeting.attache, "connected to the gateway");
        self.connections += 1;
        let (connection, events, reader) =
            (self.connections, self.events.clone(), stream.try_clone()?);
        thread::spawn(move || listen_to_gateway(reader, connection, &events));
        self.gateway = Some(stream);
        for line in self.session.replay() {
            // A failure shows at the message that follows.
            self.write(&line);
        }
        Ok(())
    }

    fn write(&mut self, line: &str) -> bool {
        let Some(stream) = self.gateway.as_mut() else {
            return false;
        };
        stream.write_all(format!("{line}\n").as_bytes()).is_ok()
    }

    fn tell_all(&mut self, lines: &[String]) -> Result<(), BridgeError> {
        lines.iter().try_for_each(|line| self.tell(line))
    }

    /// One message to the client. A client that is gone has no use for it.
    fn tell(&mut self, line: &str) -> Result<(), BridgeError> {
        let told = self
            .output
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| self.output.flush());
        match told {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}
