//! An OpenID Connect issuer that a test can make misbehave.
//!
//! Owns a small HTTP server with the discovery document, the keys and the token endpoint; the test itself stands for the page on
//! which a person signs in. It checks by itself what a client must do: S256, a code once, the right secret and redirect URI.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attache::base::{Clock, Random, Secret};
use attache::config::Config;
use attache::gateway::SignInSettings;
use attache::identity::{GroupRules, Mode, SessionLimits};
use attache::oauth::IssuerSettings;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use hmac::{Hmac, KeyInit, Mac};
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKeyId, PrivateSigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use url::Url;

/// Our client there. The secret is a canary: it may never be seen anywhere else.
pub(crate) const CLIENT_ID: &str = "attache-at-the-issuer";
pub(crate) const CLIENT_SECRET: &str = "canary_issuer_client_secret_0123456789";

/// How an ID token is signed.
#[derive(Clone)]
pub(crate) enum Signature {
    /// With the issuer's key.
    Own,
    /// With a key that is nobody's.
    Strange,
    /// Not at all.
    None,
    /// With a shared secret (HS256).
    Shared(Vec<u8>),
}

/// An ID token before it is signed.
pub(crate) struct Token {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) signature: Signature,
}

type Misbehaviour = Box<dyn Fn(&mut Token) + Send>;

struct Grant {
    nonce: String,
    challenge: String,
    redirect_uri: String,
    claims: Value,
}

struct Inner {
    key: Key,
    strange: Key,
    grants: BTreeMap<String, Grant>,
    misbehaviour: Option<Misbehaviour>,
    is_down: bool,
    names_itself: bool,
    calls_itself: Option<String>,
    only_post: bool,
    requests: Vec<String>,
    secrets: Vec<String>,
    violations: Vec<String>,
}

struct Key {
    id: String,
    key: CoreEdDsaPrivateSigningKey,
}

impl Key {
    fn new(id: &str) -> Self {
        // RFC 8410 section 7: PKCS #8 of an Ed25519 key is this and its 32 bytes.
        let mut der = data_encoding::HEXLOWER
            .decode(b"302e020100300506032b657004220420")
            .expect("hexadecimal");
        der.extend(Random::System.bytes::<32>());
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64.encode(&der)
        );
        let kid = Some(JsonWebKeyId::new(id.to_owned()));
        let key = CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, kid).expect("a key");
        Self {
            id: id.to_owned(),
            key,
        }
    }

    fn public(&self) -> Value {
        serde_json::to_value(self.key.as_verification_key()).expect("a key is JSON")
    }
}

struct Shared {
    inner: Mutex<Inner>,
    clock: Clock,
    url: String,
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An issuer that runs as long as the test.
pub(crate) struct Issuer {
    shared: Arc<Shared>,
}

impl Issuer {
    pub(crate) async fn start(clock: &Clock) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let inner = Inner {
            key: Key::new("first"),
            strange: Key::new("first"),
            grants: BTreeMap::new(),
            misbehaviour: None,
            is_down: false,
            names_itself: true,
            calls_itself: None,
            only_post: false,
            requests: Vec::new(),
            secrets: Vec::new(),
            violations: Vec::new(),
        };
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
            clock: clock.clone(),
            url: format!("http://localhost:{port}"),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared }
    }

    /// What it calls itself.
    pub(crate) fn url(&self) -> &str {
        &self.shared.url
    }

    /// Makes people sign in here.
    pub(crate) fn set_up(&self, config: &mut Config) {
        let authority = self.url().trim_start_matches("http://").parse();
        let allowed = &mut config.egress.dangerously_allow_loopback;
        allowed.push(authority.expect("a loopback authority"));
        config.mode = Mode::Team;
        config.sign_in = Some(SignInSettings {
            issuer: IssuerSettings {
                issuer: self.url().to_owned(),
                client_id: CLIENT_ID.to_owned(),
                client_secret: Some(Secret::new(CLIENT_SECRET)),
                scopes: vec!["openid".to_owned(), "profile".to_owned()],
            },
            name: "Acme ID".to_owned(),
            groups: GroupRules {
                claim: "groups".to_owned(),
                ..GroupRules::default()
            },
            sessions: SessionLimits::OF_AN_ISSUER,
        });
    }

    /// From now on every ID token goes through `change` before it is signed.
    pub(crate) fn misbehaves(&self, change: impl Fn(&mut Token) + Send + 'static) {
        self.shared.inner().misbehaviour = Some(Box::new(change));
    }

    pub(crate) fn behaves(&self) {
        let mut inner = self.shared.inner();
        inner.misbehaviour = None;
        inner.is_down = false;
        inner.calls_itself = None;
    }

    /// Answers nothing but 503.
    pub(crate) fn is_down(&self) {
        self.shared.inner().is_down = true;
    }

    /// Its discovery document names somebody else.
    pub(crate) fn calls_itself(&self, name: &str) {
        self.shared.inner().calls_itself = Some(name.to_owned());
    }

    /// Neither announces nor sends `iss` (RFC 9207).
    pub(crate) fn does_not_name_itself(&self) {
        self.shared.inner().names_itself = false;
    }

    /// Takes the client secret in the body alone.
    pub(crate) fn takes_the_secret_in_the_body(&self) {
        self.shared.inner().only_post = true;
    }

    /// Signs with a new key from now on, and publishes that one alone.
    pub(crate) fn rotates_its_key(&self, id: &str) {
        self.shared.inner().key = Key::new(id);
    }

    /// The public key as it is published.
    pub(crate) fn public_key(&self) -> Value {
        self.shared.inner().key.public()
    }

    /// The paths that were asked for, in order; they are forgotten.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.inner().requests)
    }

    /// Codes and tokens that were ever handed out.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.shared.inner().secrets.clone()
    }

    /// A person signs in on the page that a browser was sent to: where it is sent back to.
    pub(crate) fn signs_in(&self, destination: &Url, subject: &str, more: Value) -> Url {
        let asked: BTreeMap<String, String> = destination.query_pairs().into_owned().collect();
        let of = |name: &str| asked.get(name).cloned().unwrap_or_default();
        let mut inner = self.shared.inner();
        for (name, expected) in [
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("code_challenge_method", "S256"),
        ] {
            if of(name) != expected {
                inner.violations.push(format!("{name} is {}", of(name)));
            }
        }
        if !of("scope").split(' ').any(|scope| scope == "openid") {
            inner.violations.push("openid is not asked for".to_owned());
        }
        let code = Random::System.token().expose().to_owned();
        let now = self.shared.clock.now().as_unix();
        let mut claims = json!({
            "iss": self.shared.url, "sub": subject, "aud": CLIENT_ID, "iat": now, "exp": now + 300,
            "nonce": of("nonce"), "name": subject,
        });
        let Value::Object(extra) = more else {
            panic!("{more} are no claims");
        };
        claims.as_object_mut().expect("claims").extend(extra);
        let grant = Grant {
            nonce: of("nonce"),
            challenge: of("code_challenge"),
            redirect_uri: of("redirect_uri"),
            claims,
        };
        let mut back = Url::parse(&grant.redirect_uri).expect("a redirect URI");
        inner.secrets.push(code.clone());
        inner.grants.insert(code.clone(), grant);
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &of("state"));
        if inner.names_itself {
            back.query_pairs_mut().append_pair("iss", &self.shared.url);
        }
        back
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let violations = std::mem::take(&mut self.shared.inner().violations);
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Response {
    let mut inner = shared.inner();
    inner.requests.push("discovery".to_owned());
    if inner.is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let url = &shared.url;
    let methods: &[&str] = if inner.only_post {
        &["client_secret_post"]
    } else {
        &["client_secret_basic", "client_secret_post"]
    };
    Json(json!({
        "issuer": inner.calls_itself.as_ref().unwrap_or(url),
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "EdDSA", "HS256", "none", "made-up"],
        "token_endpoint_auth_methods_supported": methods,
        "authorization_response_iss_parameter_supported": inner.names_itself,
    }))
    .into_response()
}

async fn keys(State(shared): State<Arc<Shared>>) -> Response {
    let mut inner = shared.inner();
    inner.requests.push("keys".to_owned());
    if inner.is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let made_up = json!({ "kty": "made-up", "kid": "other" });
    Json(json!({ "keys": [inner.key.public(), made_up] })).into_response()
}

async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let mut inner = shared.inner();
    inner.requests.push("token".to_owned());
    if inner.is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error })));
    if !is_authenticated(&headers, &form, inner.only_post) {
        inner.violations.push("a wrong client secret".to_owned());
        return refuse("invalid_client").into_response();
    }
    let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let Some(grant) = inner.grants.remove(of("code")) else {
        return refuse("invalid_grant").into_response();
    };
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(of("code_verifier")));
    if challenge != grant.challenge || of("redirect_uri") != grant.redirect_uri {
        return refuse("invalid_grant").into_response();
    }
    let mut token = Token {
        header: json!({ "alg": "EdDSA", "typ": "JWT", "kid": inner.key.id }),
        claims: grant.claims,
        signature: Signature::Own,
    };
    assert_eq!(token.claims["nonce"], json!(grant.nonce));
    if let Some(change) = &inner.misbehaviour {
        change(&mut token);
    }
    let id_token = sign(&inner, &token);
    let access_token = Random::System.token().expose().to_owned();
    inner
        .secrets
        .extend([id_token.clone(), access_token.clone()]);
    Json(json!({ "access_token": access_token, "token_type": "Bearer", "id_token": id_token }))
        .into_response()
}

fn is_authenticated(headers: &HeaderMap, form: &BTreeMap<String, String>, only_post: bool) -> bool {
    if only_post {
        return form.get("client_secret").map(String::as_str) == Some(CLIENT_SECRET);
    }
    let expected = BASE64.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes());
    let given = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    given == Some(&format!("Basic {expected}"))
}

fn sign(inner: &Inner, token: &Token) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&token.header), part(&token.claims));
    let with = |key: &Key| {
        let algorithm = CoreJwsSigningAlgorithm::EdDsa;
        key.key
            .sign(&algorithm, signed.as_bytes())
            .expect("a signature")
    };
    let signature = match &token.signature {
        Signature::Own => with(&inner.key),
        Signature::Strange => with(&inner.strange),
        Signature::None => Vec::new(),
        Signature::Shared(secret) => {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
            mac.update(signed.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
    };
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}
