//! A provider for tests: a real HTTP server that answers what it is told to and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, Method};
use url::form_urlencoded;

use crate::base::Secret;
use crate::catalogue::{
    ClientAuth, LifetimeSource, OAuthProfile, Pkce, RefreshEndpoint, RefreshRules, ReplyFormat,
    Revocation, ScopeSet, ScopeSource, TokenEncoding, TokenEndpoint, TokenReplyRules,
};
use crate::connection::ClientRegistration;
use crate::egress::{Egress, Settings};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The form fields of the body; none may stand twice.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        let pairs: Vec<_> = form_urlencoded::parse(self.body.as_bytes())
            .into_owned()
            .collect();
        let form: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(pairs.len(), form.len(), "{}", self.body);
        form
    }
}

struct Answer {
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// The provider.
pub(crate) struct FakeProvider {
    address: SocketAddr,
    script: Script,
    egress: Egress,
}

impl FakeProvider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Script::default();
        let app = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let egress = Egress::new(Settings {
            dangerously_allow_loopback: vec![address.to_string().parse().unwrap()],
            ..Settings::default()
        })
        .unwrap();
        Self {
            address,
            script,
            egress,
        }
    }

    /// Queues an answer: status, content type (none when empty) and body.
    pub(crate) fn answers(
        &self,
        status: u16,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> &Self {
        lock(&self.script.answers).push_back(Answer {
            status,
            content_type: content_type.to_owned(),
            body: body.into(),
        });
        self
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        lock(&self.script.seen).clone()
    }

    /// A way out that reaches this provider.
    pub(crate) fn egress(&self) -> Egress {
        self.egress.clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn profile(&self) -> OAuthProfile {
        profile_at(&self.url(""))
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    lock(&script.seen).push(Seen {
        method: parts.method,
        target: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let answer = lock(&script.answers)
        .pop_front()
        .expect("the test queued an answer");
    let mut response = Response::builder().status(answer.status);
    if !answer.content_type.is_empty() {
        response = response.header("content-type", answer.content_type);
    }
    response.body(Body::from(answer.body)).unwrap()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A provider that keeps to the RFCs.
pub(crate) fn profile_at(base: &str) -> OAuthProfile {
    let token = TokenEndpoint {
        url: format!("{base}/token").parse().unwrap(),
        encoding: TokenEncoding::Form,
        headers: Vec::new(),
        params: Vec::new(),
    };
    OAuthProfile {
        issuer: None,
        iss_required: false,
        authorization_endpoint: format!("{base}/authorize").parse().unwrap(),
        authorization_params: Vec::new(),
        scope_param: "scope".to_owned(),
        optional_scopes: None,
        scope_separator: " ".to_owned(),
        scopes: ScopeSet::parse("read write", ""),
        pkce: Pkce::Optional,
        callback_verification: None,
        token: token.clone(),
        client_auth: ClientAuth::Post,
        token_reply: standard_rules(),
        introspection: None,
        refresh: RefreshRules::default(),
        refresh_endpoint: RefreshEndpoint {
            endpoint: token,
            sends_scope: false,
            sends_redirect_uri: false,
        },
        revocation: Revocation::Unsupported { manual_url: None },
    }
}

/// RFC 6749 sections 5.1 and 5.2.
pub(crate) fn standard_rules() -> TokenReplyRules {
    TokenReplyRules {
        captures: Vec::new(),
        format: ReplyFormat::Auto,
        access_token: "access_token".to_owned(),
        refresh_token: "refresh_token".to_owned(),
        lifetime_from: LifetimeSource::Reply,
        expires_in: "expires_in".to_owned(),
        refresh_expires_in: None,
        lifetime: None,
        scope_from: ScopeSource::Body,
        scope: "scope".to_owned(),
        scope_separators: ",".to_owned(),
        ok: None,
        error: "error".to_owned(),
        dead_grant: Vec::new(),
    }
}

/// Our registration, with characters that every encoding has to treat.
pub(crate) fn registration() -> ClientRegistration {
    ClientRegistration {
        client_id: "client id".to_owned(),
        client_secret: Some(Secret::new("client:secret%")),
    }
}
