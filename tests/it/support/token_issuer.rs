//! An issuer of access tokens: an authorization server of which only the metadata and the keys are looked at.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A running issuer. It ends with the test.
#[derive(Clone)]
pub(crate) struct TokenIssuer {
    shared: Arc<Shared>,
}

struct Shared {
    origin: String,
    keys: Mutex<Vec<(String, EncodingKey)>>,
    /// How often the keys were fetched.
    fetched: AtomicUsize,
    is_down: AtomicBool,
    says_another_name: AtomicBool,
}

impl TokenIssuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let issuer = Self {
            shared: Arc::new(Shared {
                origin: format!("http://localhost:{port}"),
                keys: Mutex::default(),
                fetched: AtomicUsize::new(0),
                is_down: AtomicBool::new(false),
                says_another_name: AtomicBool::new(false),
            }),
        };
        issuer.rotates_its_key();
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    /// What it calls itself.
    pub(crate) fn name(&self) -> String {
        self.shared.origin.clone()
    }

    /// Where it lives, for the setting that lets the gateway reach it.
    pub(crate) fn authority(&self) -> String {
        self.shared.origin.replace("http://", "")
    }

    /// Signs with a new key from now on, under a new name; the keys of before are not published any more.
    pub(crate) fn rotates_its_key(&self) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let key = EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("its form").as_ref());
        let mut keys = self.keys();
        let id = format!("key-{}", keys.len());
        keys.push((id, key));
    }

    pub(crate) fn is_down(&self, down: bool) {
        self.shared.is_down.store(down, Ordering::SeqCst);
    }

    /// Its metadata are somebody else's.
    pub(crate) fn says_another_name(&self) {
        self.shared.says_another_name.store(true, Ordering::SeqCst);
    }

    /// How often its keys were fetched.
    pub(crate) fn fetches(&self) -> usize {
        self.shared.fetched.load(Ordering::SeqCst)
    }

    /// A token with these claims, signed with its key of now.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let keys = self.keys();
        let (id, key) = keys.last().expect("a key");
        let header = Header {
            kid: Some(id.clone()),
            typ: Some("at+jwt".to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        encode(&header, claims, key).expect("a token")
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, Vec<(String, EncodingKey)>> {
        self.shared
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn metadata(State(issuer): State<TokenIssuer>) -> Response {
    if issuer.shared.is_down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let another = issuer.shared.says_another_name.load(Ordering::SeqCst);
    let name = if another {
        "https://another.example".to_owned()
    } else {
        issuer.name()
    };
    let jwks_uri = format!("{}/keys", issuer.shared.origin);
    Json(json!({ "issuer": name, "jwks_uri": jwks_uri })).into_response()
}

async fn keys(State(issuer): State<TokenIssuer>) -> Response {
    if issuer.shared.is_down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    issuer.shared.fetched.fetch_add(1, Ordering::SeqCst);
    let keys = issuer.keys();
    let (id, key) = keys.last().expect("a key");
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::ES256).expect("a public key");
    jwk.common.key_id = Some(id.clone());
    Json(json!({ "keys": [jwk] })).into_response()
}
