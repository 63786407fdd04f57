//! A person's browser at the Sandbox: cookies, forms, no JavaScript.

use std::sync::Mutex;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, StatusCode};
use url::Url;

/// The browser of one person, who has one account at the Sandbox.
pub(crate) struct SandboxVisitor {
    account: String,
    cookie: Mutex<Option<String>>,
    http: Client,
}

impl SandboxVisitor {
    /// A browser in which `account` will sign in.
    pub(crate) fn new(account: &str) -> Self {
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self {
            account: account.to_owned(),
            cookie: Mutex::default(),
            http,
        }
    }

    /// Signs in if need be, and agrees to everything that is asked for: where the browser is sent back to.
    pub(crate) async fn agree(&self, destination: &Url) -> Url {
        let mut page = self.follow(self.http.get(destination.clone())).await;
        for _ in 0..3 {
            let html = match page {
                Seen::Away(url) => return url,
                Seen::Page(html) => html,
            };
            let (path, more) = if html.contains("action=\"/consent\"") {
                ("/consent", consent(&html))
            } else {
                (
                    "/sign-in",
                    vec![("account".to_owned(), self.account.clone())],
                )
            };
            let address = destination.join(path).expect("an address");
            let form = self
                .http
                .post(address)
                .body(form(&html, &more))
                .header("content-type", "application/x-www-form-urlencoded");
            page = self.follow(form).await;
        }
        panic!("the Sandbox does not let the browser go")
    }

    async fn follow(&self, mut request: RequestBuilder) -> Seen {
        loop {
            let cookie = self.cookie.lock().expect("no panic before").clone();
            if let Some(cookie) = cookie {
                request = request.header(COOKIE, cookie);
            }
            let response = request.send().await.expect("the Sandbox answers");
            if let Some(cookie) = response.headers().get(SET_COOKIE) {
                let line = cookie.to_str().expect("plain").split(';').next();
                *self.cookie.lock().expect("no panic before") = line.map(str::to_owned);
            }
            let Some(location) = response.headers().get(LOCATION) else {
                let status = response.status();
                let html = response.text().await.expect("a page");
                assert_eq!(status, StatusCode::OK, "{html}");
                return Seen::Page(html);
            };
            let location = location.to_str().expect("plain");
            let next = response.url().join(location).expect("an address");
            if next.origin() != response.url().origin() {
                return Seen::Away(next);
            }
            request = self.http.get(next);
        }
    }
}

enum Seen {
    Page(String),
    Away(Url),
}

/// What the consent form sends when every box is ticked.
fn consent(html: &str) -> Vec<(String, String)> {
    let scopes = ["profile", "notes:read", "notes:write"];
    let offered = scopes
        .into_iter()
        .filter(|scope| html.contains(&format!("value=\"{scope}\"")));
    let mut fields = vec![("decision".to_owned(), "allow".to_owned())];
    fields.extend(offered.map(|scope| ("scope".to_owned(), scope.to_owned())));
    fields
}

fn form(html: &str, more: &[(String, String)]) -> String {
    let hidden = ["csrf", "request"].map(|name| (name, hidden(html, name)));
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(hidden)
        .extend_pairs(more)
        .finish()
}

fn hidden<'a>(html: &'a str, name: &str) -> &'a str {
    let field = format!("name=\"{name}\" value=\"");
    let rest = html.split_once(&field).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
}
