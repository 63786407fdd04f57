//! A gateway of another version on the control socket: it greets, and does what it is told to do with MCP.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

/// What it does with requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers each with `{"from": "another version"}`.
    Answers,
    /// Closes the connection when one comes, and is gone.
    Dies,
}

/// A running one.
pub(crate) struct OtherVersion {
    thread: JoinHandle<Vec<String>>,
}

impl OtherVersion {
    pub(crate) fn listen(socket: &Path, version: &'static str, behaviour: Behaviour) -> Self {
        fs::create_dir_all(socket.parent().expect("a folder")).expect("a folder");
        let listener = UnixListener::bind(socket).expect("a socket");
        let socket = socket.to_owned();
        let thread = thread::spawn(move || serve(listener, socket, version, behaviour));
        Self { thread }
    }

    /// Waits until it has ended; returns what was wanted of it, in order.
    pub(crate) fn ended(self) -> Vec<String> {
        self.thread.join().expect("it ends well")
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the listener ends with the function"
)]
fn serve(
    listener: UnixListener,
    socket: PathBuf,
    version: &str,
    behaviour: Behaviour,
) -> Vec<String> {
    let mut wanted = Vec::new();
    loop {
        let (stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let hello = read(&mut reader).expect("a hello");
        wanted.push(hello["wants"].as_str().expect("a wish").to_owned());
        say(&stream, &json!({"attache": version, "pid": 1}));
        if hello["wants"] == "mcp" {
            let Some(request) = read(&mut reader) else {
                continue;
            };
            if behaviour == Behaviour::Answers {
                answer(&stream, &request);
                while let Some(request) = read(&mut reader) {
                    answer(&stream, &request);
                }
            }
        }
        fs::remove_file(&socket).expect("its socket");
        return wanted;
    }
}

fn answer(stream: &UnixStream, request: &Value) {
    say(
        stream,
        &json!({"jsonrpc": "2.0", "id": request["id"], "result": {"from": "another version"}}),
    );
}

fn read(reader: &mut BufReader<UnixStream>) -> Option<Value> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).unwrap_or_default();
    (read > 0).then(|| serde_json::from_str(&line).expect("JSON"))
}

fn say(mut stream: &UnixStream, message: &Value) {
    stream
        .write_all(format!("{message}\n").as_bytes())
        .expect("the other side reads");
}
