//! A provider that is turned against the machine of the gateway: whatever it says leads to loopback, private or link-local
//! addresses, and whatever it sends is too much. And listeners at those addresses, which nobody may ever reach.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, ToSocketAddrs};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use serde_json::json;
use tempfile::TempDir;
use url::Url;

use super::person::{Page, Person};
use super::program::{self, Program};

/// Listeners on this machine that must not be reached: on both loopback addresses, at one port.
pub(crate) struct Canaries {
    listeners: Vec<TcpListener>,
    pub(crate) port: u16,
}

impl Canaries {
    pub(crate) fn start() -> Self {
        loop {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = first.local_addr().expect("a bound socket").port();
            let second = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
                Ok(second) => Some(second),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => continue,
                Err(error) => {
                    println!("no canary on [::1]: {error}");
                    None
                }
            };
            let listeners: Vec<_> = std::iter::once(first).chain(second).collect();
            for listener in &listeners {
                listener.set_nonblocking(true).expect("a socket");
            }
            return Self { listeners, port };
        }
    }

    /// How many connections arrived since this was asked last. The system keeps them until they are taken.
    pub(crate) fn hits(&self) -> usize {
        let taken = |listener: &TcpListener| std::iter::from_fn(|| listener.accept().ok()).count();
        self.listeners.iter().map(taken).sum()
    }

    /// That each of them would notice.
    pub(crate) fn sing(&self) {
        for listener in &self.listeners {
            let address = listener.local_addr().expect("a bound socket");
            std::net::TcpStream::connect(address).expect("it listens");
        }
        assert_eq!(self.hits(), self.listeners.len());
    }
}

/// What stands where a host should.
pub(crate) fn hosts(port: u16) -> Vec<String> {
    let mut hosts: Vec<String> = [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::]",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "①②⑦.0.0.1",
        "%31%32%37.0.0.1",
        "localhost",
        "localhost.",
        "a.localhost",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[fe80::1]",
        "x@127.0.0.1",
        "x:y@127.0.0.1",
        "127.0.0.1#",
        "127.0.0.1?",
        "127.0.0.1/",
        "127.0.0.1\\",
    ]
    .map(str::to_owned)
    .into();
    hosts.push(format!("127.0.0.1:{port}/"));
    hosts.extend(name_for_loopback());
    hosts
}

/// A name that is not `localhost` and leads to this machine all the same; none where the system knows none.
pub(crate) fn name_for_loopback() -> Option<String> {
    let list = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let names = list.lines().filter(|line| !line.starts_with('#'));
    let mut names = names.flat_map(|line| line.split_whitespace().skip(1));
    let leads_here = |name: &&str| {
        let found = (*name, 0).to_socket_addrs();
        !name.contains("localhost")
            && found.is_ok_and(|mut all| all.any(|at| at.ip().is_loopback()))
    };
    names.find(leads_here).map(str::to_owned)
}

/// What the provider was asked, and what it says.
struct Told {
    hosts: Vec<String>,
    links: Vec<String>,
    asked: Mutex<Vec<String>>,
}

/// The provider.
pub(crate) struct Inward {
    told: Arc<Told>,
    pub(crate) port: u16,
    pub(crate) canaries: Canaries,
    pub(crate) folder: TempDir,
}

impl Inward {
    pub(crate) async fn start() -> Self {
        let canaries = Canaries::start();
        let hosts = hosts(canaries.port);
        let both = |host: &String| ["http", "https"].map(|scheme| format!("{scheme}://{host}"));
        let links = hosts.iter().flat_map(both);
        let links = links.map(|start| format!("{start}:{}/stolen?page=2", canaries.port));
        let told = Arc::new(Told {
            links: links.collect(),
            hosts,
            asked: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&told));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("providers")).expect("a folder");
        Self {
            told,
            port,
            canaries,
            folder,
        }
    }

    /// What stands where hosts should, in the order of the services that say it.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.told.hosts
    }

    /// The addresses that redirects and next pages lead to.
    pub(crate) fn links(&self) -> &[String] {
        &self.told.links
    }

    /// What it was asked, and forgets it.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self
            .told
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut asked)
    }

    /// A service of this provider, with further lines of its file: before its tables, below `[oauth]`, and its tools.
    pub(crate) fn has_service(&self, id: &str, file: &File) {
        let hosts: Vec<String> = file
            .hosts
            .iter()
            .map(|host| format!(", \"{host}\""))
            .collect();
        let text = FILE
            .replace("@top@", &file.top)
            .replace("@oauth@", &file.oauth)
            .replace("@tools@", &file.tools)
            .replace("@hosts@", &hosts.concat())
            .replace("@origin@", &format!("http://localhost:{}/@id@", self.port))
            .replace("@canary@", &self.canaries.port.to_string())
            .replace("@id@", id);
        let path = self.folder.path().join(format!("providers/{id}.toml"));
        std::fs::write(path, text).expect("a provider file");
    }

    /// The real program with all services set up, and with every variable that could name a proxy.
    pub(crate) fn command(&self, more: &str) -> Command {
        let folder = self.folder.path();
        // The release program is fast enough to meet the usual limit.
        let mut config = format!(
            "[limits]\ncalls_per_second = 0\n[egress]\ndangerously_allow_loopback = ['localhost:{}']\n",
            self.port
        );
        let files = std::fs::read_dir(folder.join("providers")).expect("a folder");
        for file in files {
            let path = file.expect("a file").path();
            let id = path.file_stem().expect("a name").to_string_lossy();
            let section = [
                "[services.",
                &id,
                "]\nclient_id = 'c'\nclient_secret = 'client-secret'\n",
            ];
            config += &section.concat();
        }
        config += more;
        let file = folder.join("attache.toml");
        std::fs::write(&file, config).expect("a configuration");
        let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
        let arguments = [
            "serve".to_owned(),
            "--json".to_owned(),
            "--bind=127.0.0.1:0".to_owned(),
            format!("--config={}", path(&file)),
            format!("--data-dir={}", path(&folder.join("data"))),
            format!("--providers={}", path(&folder.join("providers"))),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = program::command(&arguments);
        let proxy = format!("http://127.0.0.1:{}", self.canaries.port);
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            command.env(name, &proxy);
            command.env(name.to_uppercase(), &proxy);
        }
        command.env_remove("no_proxy").env_remove("NO_PROXY");
        command
    }
}

/// The person of a gateway that has just been started, signed in.
pub(crate) async fn owner(program: &Program) -> Person {
    let origin = program.text("/mcp_url").trim_end_matches("/mcp");
    let person = Person::new("owner", origin, program.text("/agent_token"));
    person.sign_in(program.text("/sign_in_url")).await;
    person
}

/// Follows a connect link as a browser whose provider agrees at once: the page at the end.
pub(crate) async fn log_in(person: &Person, link: &str) -> Page {
    let destination = person.leave_for_provider(link).await;
    let parameter = |wanted: &str| {
        let mut found = destination.query_pairs();
        let value = found.find(|(name, _)| name == wanted).expect(wanted).1;
        value.into_owned()
    };
    let mut callback = Url::parse(&parameter("redirect_uri")).expect("an address");
    let state = parameter("state");
    callback
        .query_pairs_mut()
        .extend_pairs([("code", "code-0123456789"), ("state", &state)]);
    person.open(callback.as_str()).await
}

/// What the file of a service has besides. `@id@`, `@origin@` and `@canary@` are filled in.
#[derive(Default)]
pub(crate) struct File {
    pub(crate) top: String,
    pub(crate) oauth: String,
    pub(crate) hosts: Vec<String>,
    pub(crate) tools: String,
}

/// A tool that only reads; `lines` say what it sends.
pub(crate) fn tool(name: &str, lines: &str) -> String {
    format!(
        "\n[[tool]]\nname = \"@id@_{name}\"\ntitle = \"Read\"\ndescription = \"Read something of the account.\"\n\
         read_only = true\ndestructive = false\nidempotent = true\nopen_world = false\nscopes = [\"read\"]\n{lines}\n"
    )
}

const FILE: &str = r#"
name = "@id@"
base_url = "@origin@"
@top@
host_allow = ["localhost"@hosts@]
error_text = ["message"]
confidence = "documentation"

[setup]
redirect_rules = "Any address."

[oauth]
pkce = "required"
client_auth = "post"
scopes = ["read"]
scope_words = { read = "Read everything" }
authorize = { url = "@origin@/authorize" }
token = { url = "@origin@/token" }
revoke = { unsupported = true }
@oauth@

[account]
get = "/me"
scopes = ["read"]
id = "id"
label = "id"

[[error]]
when = { status = 401 }
is = "token_invalid"
@tools@
"#;

async fn answer(State(told): State<Arc<Told>>, request: Request<Body>) -> Response<Body> {
    let target = request.uri().to_string();
    let asked = told.asked.lock();
    asked.unwrap_or_else(PoisonError::into_inner).push(target);
    let mut segments = request.uri().path().trim_start_matches('/').split('/');
    let (service, what) = (segments.next().unwrap_or_default(), segments.next());
    let parameter = |wanted: &str| {
        let query = request.uri().query().unwrap_or_default();
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs
            .find(|(name, _)| name == wanted)?
            .1
            .parse::<usize>()
            .ok()
    };
    let number = service.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let host = number.parse().ok().and_then(|at: usize| told.hosts.get(at));
    let link = parameter("n").and_then(|at| told.links.get(at));
    match what {
        // A token endpoint, and an account call, that send the caller on.
        Some("token") if service == "sent" => sent_on(307, &told.links[0]),
        Some("me") if service == "named" => sent_on(302, &told.links[0]),
        Some("token") => axum::Json(json!({
            "access_token": format!("at-{service}-0123456789"), "token_type": "bearer", "target": host,
        }))
        .into_response(),
        Some("me") => axum::Json(json!({ "id": service })).into_response(),
        Some("sites") => axum::Json(json!([{ "id": "s", "name": "S", "host": host }])).into_response(),
        Some("pages") => axum::Json(json!({ "items": [{ "id": 1 }], "next": link })).into_response(),
        Some("follow") => sent_on(302, link.map_or("", String::as_str)),
        _ => super::bombs::answer(what.unwrap_or_default()),
    }
}

fn sent_on(status: u16, location: &str) -> Response<Body> {
    let location = axum::http::HeaderValue::from_bytes(location.as_bytes()).expect("a header");
    let response = Response::builder()
        .status(status)
        .header("location", location);
    response.body(Body::empty()).expect("a reply")
}
