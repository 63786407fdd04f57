//! A person with a browser and an agent.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::header::{COOKIE, HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::events::Events;
use super::provider::Provider;
use super::sandbox_visitor::SandboxVisitor;

/// A person: a browser with cookies and no JavaScript, and an agent with a token.
pub(crate) struct Person {
    pub(crate) name: String,
    origin: Url,
    token: String,
    cookies: Mutex<BTreeMap<String, String>>,
    http: reqwest::Client,
}

/// A page as the browser got it; redirects are not followed.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// What an agent got for a call, in the revision 2026-07-28.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) body: Value,
}

impl Person {
    pub(crate) fn new(name: &str, origin: &str, token: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("an HTTP client");
        let origin = Url::parse(origin).expect("an origin");
        Self {
            name: name.to_owned(),
            origin,
            token: token.to_owned(),
            cookies: Mutex::default(),
            http,
        }
    }

    /// The agent's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    // -- the browser -------------------------------------------------------------------------------------------------

    /// Opens a one-time sign-in link.
    pub(crate) async fn sign_in(&self, link: &str) -> Page {
        let page = self.open(link).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        page
    }

    /// Opens an address of the gateway: a whole URL or a path.
    pub(crate) async fn open(&self, address: &str) -> Page {
        self.browse(Method::GET, address, None).await
    }

    /// Presses the button of a form on `page` that posts to `path`, as a browser would.
    pub(crate) async fn press(&self, page: &Page, path: &str) -> Page {
        let field = page.form_token();
        self.browse(Method::POST, path, Some(format!("csrf={field}")))
            .await
    }

    /// Disconnects the first connection of the Connections page, as a browser would; the receipt.
    pub(crate) async fn disconnect(&self) -> Page {
        let path = self.open("/connections").await.disconnect_path();
        let question = self.open(&path).await;
        let receipt = self.press(&question, &path).await;
        assert!(receipt.status.is_success(), "{}", receipt.text);
        receipt
    }

    /// Opens a connect link, agrees on the gateway's page and at the provider, and comes back.
    pub(crate) async fn connect(&self, link: &str, provider: &Provider) -> Page {
        let destination = self.leave_for_provider(link).await;
        let callback = provider.has_account(&self.name).consent(&destination).await;
        self.open(callback.as_str()).await
    }

    /// Opens a connect link, agrees on the gateway's page and at the Sandbox, and comes back.
    pub(crate) async fn connect_at_the_sandbox(
        &self,
        link: &str,
        visitor: &SandboxVisitor,
    ) -> Page {
        let destination = self.leave_for_provider(link).await;
        let callback = visitor.agree(&destination).await;
        self.open(callback.as_str()).await
    }

    /// Opens a connect link and presses Continue: where the browser goes next.
    pub(crate) async fn leave_for_provider(&self, link: &str) -> Url {
        let page = self.open(link).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let path = Url::parse(link).expect("a link").path().to_owned();
        self.press(&page, &path).await.destination()
    }

    /// Presses Connect on the Connections page: where the browser goes next.
    pub(crate) async fn leave_from_connections(&self, service: &str) -> Url {
        let page = self.open("/connections").await;
        self.press(&page, &format!("/services/{service}/connect"))
            .await
            .destination()
    }

    /// Opens a link, agrees to what it asks for, and comes back; also one that asks again of somebody who is connected.
    pub(crate) async fn agree(&self, destination: &Url, provider: &Provider) -> Page {
        let callback = provider.has_account(&self.name).consent(destination).await;
        self.open(callback.as_str()).await
    }

    /// The page that leaves for the provider, with further headers on the request, as a hostile proxy might add.
    pub(crate) async fn leave_with_headers(&self, service: &str, headers: &[(&str, &str)]) -> Url {
        let page = self.open("/connections").await;
        let form = format!("csrf={}", page.form_token());
        let path = format!("/services/{service}/connect");
        let page = self
            .browse_with(Method::POST, &path, Some(form), headers)
            .await;
        page.destination()
    }

    /// Sends a form with just these headers beside the cookies: what a page of anybody's may do.
    pub(crate) async fn submit(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Page {
        let url = self.origin.join(path).expect("an address");
        let mut request = self
            .http
            .post(url)
            .header(COOKIE, self.cookie_line())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("the gateway answers");
        self.keep_cookies(response.headers());
        let (status, headers) = (response.status(), response.headers().clone());
        Page {
            status,
            headers,
            text: response.text().await.expect("a body"),
        }
    }

    /// Begins to sign in with the issuer: where the browser goes next.
    pub(crate) async fn leave_for_issuer(&self) -> Url {
        let page = self.submit("/sign-in", "", &[("sec-fetch-site", "same-origin")]);
        page.await.destination()
    }

    /// Puts a cookie into the browser, as somebody else on the way may.
    pub(crate) fn has_cookie(&self, name: &str, value: &str) {
        let mut cookies = self.cookies.lock().unwrap();
        cookies.insert(name.to_owned(), value.to_owned());
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    /// Every cookie that the browser holds, as it would send them.
    pub(crate) fn cookies(&self) -> String {
        self.cookie_line().to_str().expect("plain").to_owned()
    }

    /// Forgets a cookie whose name starts with `prefix`.
    pub(crate) fn loses_cookies(&self, prefix: &str) {
        self.cookies
            .lock()
            .unwrap()
            .retain(|name, _| !name.starts_with(prefix));
    }

    async fn browse(&self, method: Method, address: &str, form: Option<String>) -> Page {
        self.browse_with(method, address, form, &[]).await
    }

    async fn browse_with(
        &self,
        method: Method,
        address: &str,
        form: Option<String>,
        headers: &[(&str, &str)],
    ) -> Page {
        self.try_browse(method, address, form, headers)
            .await
            .expect("the gateway answers")
    }

    /// Opens an address of a gateway that may be gone before it has answered.
    pub(crate) async fn try_open(&self, address: &str) -> reqwest::Result<Page> {
        self.try_browse(Method::GET, address, None, &[]).await
    }

    /// Presses a button of a gateway that may be gone before it has answered.
    pub(crate) async fn try_press(&self, page: &Page, path: &str) -> reqwest::Result<Page> {
        let form = format!("csrf={}", page.form_token());
        self.try_browse(Method::POST, path, Some(form), &[]).await
    }

    async fn try_browse(
        &self,
        method: Method,
        address: &str,
        form: Option<String>,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Page> {
        let url = self.origin.join(address).expect("an address");
        assert_eq!(
            url.origin(),
            self.origin.origin(),
            "the browser of a test stays at the gateway"
        );
        let mut request = self
            .http
            .request(method, url)
            .header(COOKIE, self.cookie_line());
        if let Some(form) = form {
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .body(form);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        self.keep_cookies(response.headers());
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Page {
            status,
            headers,
            text: response.text().await?,
        })
    }

    fn cookie_line(&self) -> HeaderValue {
        let cookies = self.cookies.lock().unwrap();
        let pairs: Vec<_> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        HeaderValue::from_str(&pairs.join("; ")).expect("cookies are plain")
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock().unwrap();
        for line in headers.get_all(SET_COOKIE) {
            let cookie =
                cookie::Cookie::parse(line.to_str().expect("plain").to_owned()).expect("a cookie");
            let gone = cookie
                .max_age()
                .is_some_and(cookie::time::Duration::is_zero);
            if gone {
                cookies.remove(cookie.name());
            } else {
                cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }

    // -- the agent ---------------------------------------------------------------------------------------------------

    /// Calls a tool as a client of revision 2026-07-28 that cannot open links.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.call_with(tool, arguments, json!({}), json!({})).await
    }

    /// Calls a tool with these client capabilities, and with `more` beside name and arguments.
    pub(crate) async fn call_with(
        &self,
        tool: &str,
        arguments: Value,
        capabilities: Value,
        more: Value,
    ) -> Answer {
        let mut parameters = json!({ "name": tool, "arguments": arguments });
        let extra = more.as_object().expect("an object").clone();
        parameters.as_object_mut().expect("an object").extend(extra);
        self.request("tools/call", Some(tool), parameters, capabilities)
            .await
    }

    /// The tools that are advertised.
    pub(crate) async fn tools(&self) -> Vec<Value> {
        let answer = self.request("tools/list", None, json!({}), json!({})).await;
        answer.body["result"]["tools"]
            .as_array()
            .expect("a list of tools")
            .clone()
    }

    /// Whether the gateway knows the agent's token.
    pub(crate) async fn is_known(&self) -> bool {
        let answer = self.request("tools/list", None, json!({}), json!({})).await;
        let refusal = answer.body.as_str().unwrap_or_default();
        !refusal.contains("not known here")
    }

    /// What the gateway says of itself to a client of revision 2026-07-28.
    pub(crate) async fn discover(&self) -> Value {
        let answer = self
            .request("server/discover", None, json!({}), json!({}))
            .await;
        answer.body["result"].clone()
    }

    async fn request(
        &self,
        method: &str,
        name: Option<&str>,
        parameters: Value,
        capabilities: Value,
    ) -> Answer {
        let response = self
            .send("/mcp", method, name, parameters, capabilities)
            .await;
        Answer::of(response).await
    }

    /// Calls a tool and hears what comes before the answer too.
    pub(crate) async fn listen_to_call(
        &self,
        tool: &str,
        capabilities: Value,
        more: Value,
    ) -> Events {
        let mut parameters = json!({ "name": tool, "arguments": {} });
        let extra = more.as_object().expect("an object").clone();
        parameters.as_object_mut().expect("an object").extend(extra);
        let call = self.send("/mcp", "tools/call", Some(tool), parameters, capabilities);
        Events::of(call.await)
    }

    /// Subscribes to changes of the tool list.
    pub(crate) async fn listen_to_changes(&self) -> Events {
        let parameters = json!({ "notifications": { "toolsListChanged": true } });
        let listen = self.send("/mcp", "subscriptions/listen", None, parameters, json!({}));
        Events::of(listen.await)
    }

    /// One request of revision 2026-07-28 to an endpoint of the gateway.
    pub(crate) async fn send(
        &self,
        endpoint: &str,
        method: &str,
        name: Option<&str>,
        parameters: Value,
        capabilities: Value,
    ) -> reqwest::Response {
        self.try_send(endpoint, method, name, parameters, capabilities)
            .await
            .expect("the gateway answers")
    }

    /// Calls a tool of a gateway that may be gone before it has answered.
    pub(crate) async fn try_call(&self, tool: &str) -> reqwest::Result<Answer> {
        let parameters = json!({ "name": tool, "arguments": {} });
        let response = self
            .try_send("/mcp", "tools/call", Some(tool), parameters, json!({}))
            .await?;
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { body })
    }

    async fn try_send(
        &self,
        endpoint: &str,
        method: &str,
        name: Option<&str>,
        mut parameters: Value,
        capabilities: Value,
    ) -> reqwest::Result<reqwest::Response> {
        let token = parameters["_meta"]["progressToken"].take();
        parameters["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": capabilities,
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        });
        if !token.is_null() {
            parameters["_meta"]["progressToken"] = token;
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let url = self.origin.join(endpoint).expect("an address");
        let mut request = self
            .http
            .post(url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        request.body(body.to_string()).send().await
    }
}

impl Page {
    /// Where a redirect leads.
    pub(crate) fn location(&self) -> &str {
        self.headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .expect("a redirect")
    }

    /// The way to disconnect the first connection of the Connections page.
    pub(crate) fn disconnect_path(&self) -> String {
        let mut parts = self.text.split('"');
        let is_way =
            |part: &&str| part.starts_with("/connections/con_") && part.ends_with("/disconnect");
        parts.find(is_way).expect("a way to disconnect").to_owned()
    }

    /// Asserts that this is the page of a completed connection.
    pub(crate) fn assert_connected(&self) -> &Self {
        assert!(
            self.status == StatusCode::OK && self.text.contains("id=\"connected\""),
            "{self:#?}"
        );
        self
    }

    /// Asserts that this is an error page with this status and sentence.
    pub(crate) fn assert_error(&self, status: u16, sentence: &str) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert!(
            self.text.contains("id=\"error\"") && self.text.contains(sentence),
            "{}",
            self.text
        );
        self
    }

    /// The status of a service's card on the Connections page.
    pub(crate) fn card(&self, service: &str) -> String {
        let pattern = format!("data-service=\"{service}\"");
        let tags = self
            .text
            .split('<')
            .find(|tag| tag.contains(&pattern) && tag.contains("data-status="));
        let tag = tags.unwrap_or_else(|| panic!("no card for {service} in {}", self.text));
        between(tag, "data-status=\"", "\"").to_owned()
    }

    pub(crate) fn form_token(&self) -> &str {
        between(&self.text, "name=\"csrf\" value=\"", "\"")
    }

    /// Where the page that leaves for the provider leads.
    pub(crate) fn destination(&self) -> Url {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        let address = between(&self.text, "0; url=", "\"");
        let address = address.replace("&#38;", "&").replace("&amp;", "&");
        Url::parse(&address).expect("an authorization URL")
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let start = text
        .find(before)
        .unwrap_or_else(|| panic!("no {before} in {text}"))
        + before.len();
    let length = text[start..].find(after).expect("an end");
    &text[start..start + length]
}

impl Answer {
    /// The answer in a reply, which is JSON or not.
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { body }
    }

    /// The result of the call.
    pub(crate) fn result(&self) -> &Value {
        assert!(self.body.get("error").is_none(), "{:#}", self.body);
        &self.body["result"]
    }

    /// The text that the model reads.
    pub(crate) fn text(&self) -> &str {
        self.result()["content"][0]["text"]
            .as_str()
            .expect("a text")
    }

    /// The tool's output, which is JSON; fails when the call failed.
    pub(crate) fn json(&self) -> Value {
        assert_ne!(self.result()["isError"], json!(true), "{:#}", self.body);
        serde_json::from_str(self.text()).expect("JSON")
    }

    /// The link to connect, from the text that the model reads.
    pub(crate) fn link(&self) -> String {
        assert_eq!(self.result()["isError"], json!(true), "{:#}", self.body);
        let text = self.text();
        let start = text
            .find("http")
            .unwrap_or_else(|| panic!("no link in {text}"));
        text[start..]
            .split_whitespace()
            .next()
            .expect("a link")
            .to_owned()
    }

    /// Asserts that the call failed with this in its text.
    pub(crate) fn assert_failed(&self, sentence: &str) -> &Self {
        assert!(
            self.result()["isError"] == json!(true) && self.text().contains(sentence),
            "{:#}",
            self.body
        );
        self
    }
}
