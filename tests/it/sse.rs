//! The HTTP+SSE transport of 2024-11-05: whose a session is, what ends it, and what is told to whoever may not.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::person::Person;

/// A session, spoken by hand: its stream, and where to post.
pub(crate) struct Stream {
    origin: String,
    token: String,
    endpoint: String,
    response: Response,
    read: String,
}

impl Stream {
    /// Opens one, and negotiates nothing yet.
    async fn open(gateway: &TestGateway, person: &Person) -> Self {
        let response = ask(gateway, person).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut stream = Self {
            origin: gateway.origin(),
            token: person.token().to_owned(),
            endpoint: String::new(),
            response,
            read: String::new(),
        };
        let (event, data) = stream.event().await.unwrap();
        assert_eq!(event, "endpoint");
        stream.endpoint = data;
        stream
    }

    /// Opens one and shakes hands.
    pub(crate) async fn begin(gateway: &TestGateway, person: &Person) -> Self {
        let mut stream = Self::open(gateway, person).await;
        let parameters = json!({
            "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = stream.request(0, "initialize", parameters).await;
        assert_eq!(
            answer["result"]["protocolVersion"], "2024-11-05",
            "{answer:#}"
        );
        let begun = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(stream.post(&begun).await.status(), StatusCode::ACCEPTED);
        stream
    }

    /// The next event and its data; `None` once the stream has ended. Comments that keep it alive are skipped.
    pub(crate) async fn event(&mut self) -> Option<(String, String)> {
        loop {
            while let Some(end) = self.read.find("\n\n") {
                let block: String = self.read.drain(..end + 2).collect();
                let field = |name: &str| {
                    let lines = block.lines().filter_map(|line| line.strip_prefix(name));
                    lines.map(str::trim_start).collect::<String>()
                };
                if !field("event:").is_empty() {
                    return Some((field("event:"), field("data:")));
                }
            }
            let bytes = self.response.chunk().await.ok().flatten()?;
            self.read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next message that is an answer.
    async fn answer(&mut self) -> Value {
        loop {
            let (event, data) = self.event().await.expect("the stream is open");
            assert_eq!(event, "message");
            let message: Value = serde_json::from_str(&data).unwrap();
            if !message["id"].is_null() {
                return message;
            }
        }
    }

    pub(crate) async fn request(&mut self, id: u32, method: &str, parameters: Value) -> Value {
        let response = self.post(&request(id, method, parameters)).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let answer = self.answer().await;
        assert_eq!(answer["id"], id, "{answer:#}");
        answer
    }

    async fn call(&mut self, id: u32, tool: &str) -> Value {
        let parameters = json!({ "name": tool, "arguments": {} });
        self.request(id, "tools/call", parameters).await
    }

    async fn post(&self, message: &Value) -> Response {
        post(&self.url(), &self.token, message)
            .send()
            .await
            .unwrap()
    }

    fn url(&self) -> String {
        format!("{}{}", self.origin, self.endpoint)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made where it is given")]
fn request(id: u32, method: &str, parameters: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters })
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn ask(gateway: &TestGateway, person: &Person) -> RequestBuilder {
    http()
        .get(format!("{}/sse", gateway.origin()))
        .header(AUTHORIZATION, format!("Bearer {}", person.token()))
}

fn post(url: &str, token: &str, message: &Value) -> RequestBuilder {
    http()
        .post(url)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
        .body(message.to_string())
}

#[tokio::test]
async fn a_missing_connection_is_a_link_in_words_and_then_the_call_runs() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let mut stream = Stream::begin(&gateway, &ana).await;
    let listed = stream.request(1, "tools/list", json!({})).await;
    assert!(
        listed["result"]["tools"]
            .to_string()
            .contains("acme_whoami")
    );

    let answer = stream.call(2, "acme_whoami").await;
    let result = &answer["result"];
    assert_eq!(result["isError"], true, "{answer:#}");
    let link = result["structuredContent"]["connect_url"].as_str().unwrap();
    assert!(
        result["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains(link)
    );

    ana.connect(link, &acme).await.assert_connected();
    let answer = stream.call(3, "acme_whoami").await;
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("ana"), "{answer:#}");
}

#[tokio::test]
async fn a_session_belongs_to_the_agent_that_began_it() {
    let (_acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    let mut stream = Stream::begin(&gateway, &ana).await;
    let listing = request(1, "tools/list", json!({}));
    let response = post(&stream.url(), ben.token(), &listing)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let response = post(&stream.url(), "att_nobody", &listing)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    // Nothing of theirs was taken: the identifier is still free.
    stream.request(1, "tools/list", json!({})).await;
}

#[tokio::test]
async fn foreign_names_are_refused() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let stream = Stream::begin(&gateway, &ana).await;
    let listing = request(1, "tools/list", json!({}));
    for (header, value) in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let asked = ask(&gateway, &ana)
            .header(header, value)
            .send()
            .await
            .unwrap();
        assert_eq!(asked.status(), StatusCode::FORBIDDEN, "{header}");
        let posted = post(&stream.url(), ana.token(), &listing).header(header, value);
        let posted = posted.send().await.unwrap();
        assert_eq!(posted.status(), StatusCode::FORBIDDEN, "{header}");
    }
}

#[tokio::test]
async fn where_it_is_switched_off_a_sentence_says_where_to_go() {
    let gateway =
        TestGateway::start_configured(&clock(), &[], |config| config.mcp.legacy_sse = false).await;
    let ana = gateway.person("ana").await;
    let response = ask(&gateway, &ana).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let sentence = response.text().await.unwrap();
    assert!(
        sentence.contains("legacy_sse") && sentence.contains("/mcp"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_session_ends_with_its_stream() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let Stream {
        origin,
        endpoint,
        response,
        ..
    } = Stream::begin(&gateway, &ana).await;
    drop(response);
    let url = format!("{origin}{endpoint}");
    // The gateway learns that the stream is closed from the connection: until then it may still take messages.
    for id in 1.. {
        let listing = request(id, "tools/list", json!({}));
        let answer = post(&url, ana.token(), &listing).send().await.unwrap();
        if answer.status() == StatusCode::NOT_FOUND {
            let sentence = answer.text().await.unwrap();
            assert!(sentence.contains("open /sse again"), "{sentence}");
            return;
        }
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        assert!(id < 64, "the session never ends");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn two_sessions_side_by_side_never_mix_answers() {
    let (acme, gateway) = gateway_with_acme().await;
    let mut streams = Vec::new();
    for name in ["ana", "ben"] {
        let person = gateway.person(name).await;
        let mut stream = Stream::begin(&gateway, &person).await;
        let answer = stream.call(1, "acme_whoami").await;
        let link = answer["result"]["structuredContent"]["connect_url"].as_str();
        person
            .connect(link.unwrap(), &acme)
            .await
            .assert_connected();
        streams.push((name, stream));
    }
    // The same identifiers in both, all under way at once.
    let call = |id| {
        request(
            id,
            "tools/call",
            json!({ "name": "acme_whoami", "arguments": {} }),
        )
    };
    for id in 2..12 {
        for (_, stream) in &streams {
            assert_eq!(stream.post(&call(id)).await.status(), StatusCode::ACCEPTED);
        }
    }
    for (name, stream) in &mut streams {
        let other = if *name == "ana" { "ben" } else { "ana" };
        let mut seen = Vec::new();
        for _ in 2..12 {
            let answer = stream.answer().await;
            let text = answer["result"]["content"][0]["text"].as_str().unwrap();
            assert!(text.contains(*name) && !text.contains(other), "{answer:#}");
            seen.push(answer["id"].as_u64().unwrap());
        }
        seen.sort_unstable();
        assert_eq!(seen, (2..12).collect::<Vec<_>>());
    }
}

/// While the provider does not answer, the first request is under way.
#[tokio::test]
async fn an_identifier_in_use_is_refused() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let mut stream = Stream::begin(&gateway, &ana).await;
    let answer = stream.call(1, "acme_whoami").await;
    let link = answer["result"]["structuredContent"]["connect_url"].as_str();
    ana.connect(link.unwrap(), &acme).await.assert_connected();

    let hold = acme.is_slow_to_answer("/api/me");
    let call = request(
        7,
        "tools/call",
        json!({ "name": "acme_whoami", "arguments": {} }),
    );
    assert_eq!(stream.post(&call).await.status(), StatusCode::ACCEPTED);
    hold.reached_by(1).await;
    let again = stream.post(&call).await;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    let sentence = again.text().await.unwrap();
    assert!(sentence.contains("an id of its own"), "{sentence}");
    hold.release();
    assert_eq!(stream.answer().await["id"], 7);
    // Answered and taken, it is free again.
    stream.call(7, "acme_whoami").await;
}

/// What the official SDKs fall back from: any error but "no revision in common".
#[tokio::test]
async fn a_client_of_2026_is_told_to_shake_hands() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let mut stream = Stream::open(&gateway, &ana).await;
    let meta = json!({ "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    }});
    let answer = stream.request(1, "server/discover", meta).await;
    assert_eq!(answer["error"]["code"], -32022, "{answer:#}");
    let supported = answer["error"]["data"]["supported"].to_string();
    assert!(
        supported.contains("2025-11-25") && !supported.contains("2026"),
        "{supported}"
    );
    // And it can, in the same session.
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    });
    let answer = stream.request(2, "initialize", hello).await;
    assert_eq!(
        answer["result"]["protocolVersion"], "2025-11-25",
        "{answer:#}"
    );
}

#[tokio::test]
async fn a_gateway_that_stops_ends_open_streams() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let mut stream = Stream::begin(&gateway, &ana).await;
    let restarted = gateway.restart(&[&acme]).await;
    assert_eq!(stream.event().await, None, "the stream has ended");
    drop(restarted);
}
