//! All providers of this release on one port of this machine, each call answered as a contract fixture says.
//!
//! An address `https://api.example.com/v1` of a provider file becomes `http://localhost:PORT/https/api.example.com/v1`, so
//! that every request still says where it would have gone. Which fixture is played is told by the access token, and each
//! has one of its own: a request with another token, or with none, is answered by nobody and fails the test.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use attache::catalogue::{Contract, Played, Source};
use axum::body::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use regex::bytes::{self, Captures};
use serde_json::Value;
use tokio::net::TcpListener;
use toml::Table;

/// Stands in a fixture for what is unique to a call.
const UNIQUE: &str = "00000000-0000-4000-8000-000000000000";

/// A random UUID (RFC 9562 section 5.4).
static UUID: LazyLock<bytes::Regex> = LazyLock::new(|| {
    let pattern = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
    bytes::Regex::new(pattern).expect("a pattern")
});

/// What stands between the parts of a body, as its media type says it.
static BOUNDARY: LazyLock<regex::Regex> =
    LazyLock::new(|| regex::Regex::new("boundary=(attache[0-9a-f]{32})").expect("a pattern"));

/// A fixture of this release.
pub(crate) type Piece = Arc<Contract<'static>>;

/// One fixture that is being played.
struct Act {
    piece: Piece,
    played: Played,
}

#[derive(Default)]
struct Shared {
    /// By access token.
    acts: HashMap<String, Act>,
    /// Replies of token endpoints, by the code that they are for.
    tokens: HashMap<String, (String, Value)>,
    /// What no fixture of its own says, by method and address: a login asks more than one thing.
    asides: HashMap<(String, String), Piece>,
    /// What was wrong with requests.
    wrong: Vec<String>,
}

/// The server.
#[derive(Clone)]
pub(crate) struct Stage {
    shared: Arc<Mutex<Shared>>,
    port: u16,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let stage = Self {
            shared: Arc::default(),
            port,
        };
        tokio::spawn(stage.clone().serve(listener));
        stage
    }

    /// Where it is, as `host:port`.
    pub(crate) fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// `source` with every address on this stage. All else stays to the letter: the order of what is sent follows it.
    pub(crate) fn relocated(&self, source: Source) -> Source {
        let file: Table = source.text.parse().expect("a provider file is TOML");
        let mut text = source.text;
        for address in addresses(&file) {
            let moved = self.address(address);
            text = text.replace(&format!("{address:?}"), &format!("{moved:?}"));
        }
        let hosts = regex::Regex::new("(?m)^host_allow = .*$").expect("a regular expression");
        let text = hosts.replace(&text, "host_allow = [\"localhost\"]");
        Source {
            text: text.into_owned(),
            ..source
        }
    }

    /// An address on this stage.
    fn address(&self, real: &str) -> String {
        let (scheme, rest) = real.split_once("://").expect("an address");
        format!("http://{}/{scheme}/{rest}", self.authority())
    }

    /// The address that a request to this stage is meant for.
    fn meant(uri: &Uri) -> Option<Uri> {
        let whole = uri.path_and_query()?.as_str();
        let (scheme, rest) = whole.strip_prefix('/')?.split_once('/')?;
        format!("{scheme}://{rest}").parse().ok()
    }

    /// From here on, requests with `token` are answered as `piece` says.
    pub(crate) fn play(&self, token: &str, piece: &Piece) {
        let act = Act {
            piece: Arc::clone(piece),
            played: Played::default(),
        };
        let before = self.shared().acts.insert(token.to_owned(), act);
        assert!(before.is_none(), "each fixture has a token of its own");
    }

    /// What was wrong with the requests that came with `token`, and how many there were.
    pub(crate) fn seen(&self, token: &str) -> (usize, Vec<String>) {
        let shared = self.shared();
        let act = &shared.acts[token];
        let problems = act.piece.problems_of_requests(&act.played);
        let problems = problems.iter().map(ToString::to_string).collect();
        (act.played.requests(), problems)
    }

    /// What was wrong with requests of whoever.
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.shared().wrong.clone()
    }

    /// Has the token endpoint at `url`, an address on this stage, answer `code` with `reply`.
    pub(crate) fn grants(&self, url: &str, code: &str, reply: Value) {
        let granted = (url.to_owned(), reply);
        self.shared().tokens.insert(code.to_owned(), granted);
    }

    /// A request as the first of `piece` is answered like that when no fixture of its own says anything about it.
    pub(crate) fn knows(&self, piece: &Piece, method: &str, url: &str) {
        let request = (method.to_owned(), url.to_owned());
        self.shared().asides.insert(request, Arc::clone(piece));
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let stage = self.clone();
            let service = hyper::service::service_fn(move |request| stage.clone().take(request));
            // Without a `Date` of ours: when a provider says how long to wait, its own may count.
            let connection = hyper::server::conn::http1::Builder::new()
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    }

    async fn take(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes().to_vec());
        let request = Request::from_parts(parts, body.unwrap_or_default());
        let reply = self.reply(request).unwrap_or_else(|problem| {
            self.shared().wrong.push(problem);
            let refused = Response::builder().status(599);
            refused.body(Vec::new()).expect("a reply")
        });
        Ok(reply.map(|body| Full::new(Bytes::from(body))))
    }

    fn reply(&self, mut request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String> {
        let title = format!("{} {}", request.method(), request.uri());
        if request.headers().get(HOST) != HeaderValue::from_str(&self.authority()).ok().as_ref() {
            return Err(format!("{title}: the request is for another host"));
        }
        if let Some(reply) = self.token_reply(&request) {
            return Ok(reply);
        }
        let token = request.headers_mut().remove(AUTHORIZATION);
        let token = token.as_ref().and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        let meant = Self::meant(request.uri()).ok_or_else(|| format!("{title}: no address"))?;
        *request.uri_mut() = meant;
        let mut shared = self.shared();
        let (method, url) = (request.method().to_string(), request.uri().to_string());
        let aside = shared.asides.get(&(method, url.clone())).cloned();
        let act = token.and_then(|token| shared.acts.get_mut(token));
        let act = act.ok_or_else(|| format!("{title}: this is no person's token: {token:?}"))?;
        // A login may ask what the fixture of the account call does not speak of.
        let is_own =
            act.piece.tool().is_some() || act.piece.requests().any(|own| own["url"] == url);
        if let Some(aside) = aside.filter(|_| !is_own) {
            return aside.answer(&mut Played::default(), &request);
        }
        let request = with_known_unique(request, &act.piece);
        act.piece
            .answer(&mut act.played, &request)
            .map_err(|problem| format!("{title}: {problem}"))
    }

    /// The reply to a code that was granted, if the request brings one to the endpoint that grants it.
    fn token_reply(&self, request: &Request<Vec<u8>>) -> Option<Response<Vec<u8>>> {
        let body = String::from_utf8_lossy(request.body());
        let url = format!("http://{}{}", self.authority(), request.uri());
        let shared = self.shared();
        let mut granted = shared.tokens.iter();
        let (_, (_, reply)) =
            granted.find(|(code, (at, _))| *at == url && body.contains(code.as_str()))?;
        let response = Response::builder().header("content-type", "application/json");
        response.body(reply.to_string().into_bytes()).ok()
    }
}

/// Every address of a provider file that requests are sent to.
fn addresses(file: &Table) -> Vec<&str> {
    let oauth = |keys: &[&str]| {
        let mut found = file.get("oauth");
        for key in keys {
            found = found.and_then(|table| table.get(key));
        }
        found
    };
    let bases = file.get("bases").and_then(toml::Value::as_table);
    let bases = bases.into_iter().flat_map(Table::values);
    [
        file.get("base_url"),
        oauth(&["issuer"]),
        oauth(&["authorize", "url"]),
        oauth(&["token", "url"]),
        oauth(&["refresh", "url"]),
        oauth(&["revoke", "post"]),
        oauth(&["revoke", "delete"]),
        oauth(&["tenants", "get"]),
    ]
    .into_iter()
    .flatten()
    .chain(bases)
    .filter_map(toml::Value::as_str)
    .collect()
}

/// The request with what the gateway made up for this call as fixtures write it: a fresh UUID, and the boundary between
/// parts that is made of it.
fn with_known_unique(request: Request<Vec<u8>>, piece: &Piece) -> Request<Vec<u8>> {
    let expected: String = piece.requests().map(Value::to_string).collect();
    let (mut parts, body) = request.into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE).cloned();
    let sent = content_type.as_ref().and_then(|value| value.to_str().ok());
    let of = |text| Some(BOUNDARY.captures(text)?[1].to_owned());
    let boundary = sent.and_then(of).zip(of(&expected));
    let known = |bytes: &[u8]| -> Vec<u8> {
        let mut bytes = UUID.replace_all(bytes, |found: &Captures<'_>| {
            let text = String::from_utf8_lossy(&found[0]);
            assert_ne!(text, UNIQUE, "it is not unique to the call");
            let is_made_up = !expected.contains(&*text);
            if is_made_up {
                UNIQUE.into()
            } else {
                found[0].to_vec()
            }
        });
        if let Some((sent, expected)) = &boundary {
            assert_ne!(sent, expected, "it is not unique to the call");
            let sent = bytes::Regex::new(sent).expect("a plain text");
            bytes = sent
                .replace_all(&bytes, expected.as_bytes())
                .into_owned()
                .into();
        }
        bytes.into_owned()
    };
    let address = known(parts.uri.to_string().as_bytes());
    parts.uri = Uri::try_from(address).expect("an address");
    for value in parts.headers.values_mut() {
        *value = HeaderValue::from_bytes(&known(value.as_bytes())).expect("a header");
    }
    Request::from_parts(parts, known(&body))
}
