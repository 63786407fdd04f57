//! A running Sandbox with one client, and a person's browser that walks through its pages.

use std::path::PathBuf;

use data_encoding::BASE64URL_NOPAD;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, StatusCode, redirect};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::super::{RegisteredClient, Sandbox, Settings, start};
use crate::base::{Clock, Random, Timestamp};

/// Where the client wants its answers; nobody listens there.
pub(super) const REDIRECT: &str = "http://127.0.0.1:9/callback?from=sandbox";

/// A code verifier (RFC 7636 section 4.1).
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Everything that can be asked for.
pub(super) const ALL: &str = "profile notes:read notes:write";

/// The present of these tests.
pub(super) const TODAY: Timestamp = Timestamp::from_unix(1_795_000_000);

/// A Sandbox and its client.
pub(super) struct World {
    pub(super) sandbox: Sandbox,
    pub(super) client: RegisteredClient,
    pub(super) clock: Clock,
    pub(super) http: Client,
}

/// What the token endpoint gave.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) scope: String,
}

impl Tokens {
    pub(super) fn of(body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().expect(name).to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
            scope: text("scope"),
        }
    }
}

pub(super) fn http() -> Client {
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(None).await
    }

    pub(super) async fn with(state_file: Option<PathBuf>) -> Self {
        let clock = Clock::manual(TODAY);
        let settings = Settings {
            state_file,
            ..Settings::default()
        };
        let sandbox = start(settings, clock.clone(), Random::System)
            .await
            .unwrap();
        let client = sandbox
            .register_client("Reader & <Writer>", REDIRECT)
            .await
            .unwrap();
        Self {
            sandbox,
            client,
            clock,
            http: http(),
        }
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.url())
    }

    /// The address that the client sends people to, with `changes` to the usual parameters (an empty value removes).
    pub(super) fn authorize_url(&self, changes: &[(&str, &str)]) -> String {
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(VERIFIER.as_bytes()));
        let usual = [
            ("response_type", "code"),
            ("client_id", &self.client.client_id),
            ("redirect_uri", REDIRECT),
            ("scope", ALL),
            ("state", "st&te="),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut url = Url::parse(&self.at("/authorize")).unwrap();
        for (name, value) in usual {
            let instead = changes.iter().find(|(other, _)| *other == name);
            let value = instead.map_or(value, |(_, value)| value);
            if !value.is_empty() {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url.into()
    }

    /// Posts a form as the client, with HTTP Basic.
    pub(super) async fn post(&self, path: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let secret = Some(self.client.client_secret.expose());
        let request = self.http.post(self.at(path));
        let request = request.basic_auth(&self.client.client_id, secret);
        answer(with_form(request, form).send().await.unwrap()).await
    }

    pub(super) async fn redeem(&self, code: &str, verifier: &str) -> (StatusCode, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
        ];
        self.post("/token", &form).await
    }

    pub(super) async fn refresh(&self, token: &str) -> (StatusCode, Value) {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.post("/token", &form).await
    }

    /// The whole flow: `account` allows everything.
    pub(super) async fn connect(&self, account: &str) -> Tokens {
        let code = Person::new(self).allow(account, ALL).await;
        let (status, body) = self.redeem(&code, VERIFIER).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        Tokens::of(&body)
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        let request = self.http.get(self.at(path)).bearer_auth(token);
        answer(request.send().await.unwrap()).await
    }

    /// Writes a note and gives its id.
    pub(super) async fn write(&self, token: &str, text: &str) -> String {
        let request = self.http.post(self.at("/api/notes")).bearer_auth(token);
        let body = serde_json::json!({ "text": text }).to_string();
        let (status, note) = answer(request.body(body).send().await.unwrap()).await;
        assert_eq!(status, StatusCode::CREATED, "{note}");
        note["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn works(&self, access: &str) -> bool {
        self.get("/api/me", access).await.0 == StatusCode::OK
    }
}

pub(super) fn with_form(
    request: reqwest::RequestBuilder,
    form: &[(&str, &str)],
) -> reqwest::RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

/// The status, and the body as JSON (null when there is none).
pub(super) async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let text = response.text().await.unwrap();
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    (status, body)
}

/// A person with a browser that keeps its cookie and follows redirects within the Sandbox only.
pub(super) struct Person<'a> {
    world: &'a World,
    cookie: Option<String>,
}

/// What the browser shows at the end.
pub(super) enum Seen {
    /// A page of the Sandbox.
    Page(StatusCode, String),
    /// The client's redirect URI, with the answer.
    Away(Url),
}

impl Seen {
    pub(super) fn page(self) -> (StatusCode, String) {
        match self {
            Self::Page(status, html) => (status, html),
            Self::Away(url) => panic!("sent away to {url}"),
        }
    }

    pub(super) fn away(self) -> Url {
        match self {
            Self::Page(status, html) => panic!("shown {status}: {html}"),
            Self::Away(url) => url,
        }
    }
}

impl<'a> Person<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        Self {
            world,
            cookie: None,
        }
    }

    pub(super) fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    pub(super) async fn open(&mut self, url: &str) -> Seen {
        let request = self.world.http.get(url);
        self.follow(request).await
    }

    pub(super) async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Seen {
        let request = self.world.http.post(self.world.at(path));
        self.follow(with_form(request, form)).await
    }

    /// Submits the form of `page` that goes to `path`, with its hidden fields and `more`.
    pub(super) async fn press(&mut self, page: &str, path: &str, more: &[(&str, &str)]) -> Seen {
        let (csrf, request) = (hidden(page, "csrf"), hidden(page, "request"));
        let mut form = vec![("csrf", csrf.as_str()), ("request", request.as_str())];
        form.extend_from_slice(more);
        self.submit(path, &form).await
    }

    async fn follow(&mut self, mut request: reqwest::RequestBuilder) -> Seen {
        loop {
            if let Some(cookie) = &self.cookie {
                request = request.header(COOKIE, cookie);
            }
            let response = request.send().await.unwrap();
            if let Some(cookie) = response.headers().get(SET_COOKIE) {
                let cookie = cookie.to_str().unwrap();
                assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"));
                self.cookie = cookie.split(';').next().map(str::to_owned);
            }
            let Some(location) = response.headers().get(LOCATION) else {
                return Seen::Page(response.status(), response.text().await.unwrap());
            };
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            let next = response.url().join(location.to_str().unwrap()).unwrap();
            if next.origin() != response.url().origin() {
                return Seen::Away(next);
            }
            request = self.world.http.get(next);
        }
    }

    /// Goes to the consent page as `account`.
    pub(super) async fn consent_page(&mut self, account: &str, url: &str) -> String {
        let (status, sign_in) = self.open(url).await.page();
        assert_eq!(status, StatusCode::OK, "{sign_in}");
        assert!(sign_in.contains(&format!("id=\"account-{account}\"")));
        let more = [("account", account)];
        let (status, consent) = self.press(&sign_in, "/sign-in", &more).await.page();
        assert_eq!(status, StatusCode::OK, "{consent}");
        consent
    }

    /// Allows `scopes`, and gives the code that the client gets.
    pub(super) async fn allow(&mut self, account: &str, scopes: &str) -> String {
        let url = self.world.authorize_url(&[]);
        let page = self.consent_page(account, &url).await;
        let mut more = vec![("decision", "allow")];
        more.extend(scopes.split(' ').map(|scope| ("scope", scope)));
        let answer = self.press(&page, "/consent", &more).await.away();
        assert!(answer.as_str().starts_with(REDIRECT));
        assert_eq!(parameter(&answer, "state").as_deref(), Some("st&te="));
        let issuer = self.world.sandbox.url();
        assert_eq!(parameter(&answer, "iss").as_deref(), Some(issuer));
        parameter(&answer, "code").unwrap()
    }
}

/// The value of a parameter of `url` that is there once.
pub(super) fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut values = url.query_pairs().filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value.into_owned());
    assert!(values.next().is_none(), "{name} is there twice in {url}");
    value
}

/// The value of a hidden field, or nothing.
pub(super) fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let value = page.split_once(&field).map(|(_, rest)| rest);
    let value = value.and_then(|rest| rest.split('"').next());
    value.unwrap_or_default().to_owned()
}
