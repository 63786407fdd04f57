//! A relay before the gateway, for clients that cannot be told to send a token.
//!
//! Owns what such a client lacks: the `Authorization` header, and what the application around it would add to its
//! messages or do with the answers. Everything else passes as it is, both ways and as it comes. Refuses to know MCP.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use axum::{BoxError, Router};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Headers that are about one connection (RFC 9110 section 7.6.1): each side of the relay has its own.
const PER_CONNECTION: [HeaderName; 3] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
];

/// The application around a client.
pub(crate) trait Application: Send + Sync + 'static {
    /// What it sends in place of a message in JSON, whose headers it may change too; none when that passes as it is.
    fn amend(&self, headers: &mut HeaderMap, message: &Value) -> Option<Value>;

    /// What it does about an answer in JSON, before the client sees it.
    fn consider(&self, answer: &Value) -> impl Future<Output = ()> + Send;
}

/// An application that adds nothing and does nothing.
pub(crate) struct Bare;

impl Application for Bare {
    fn amend(&self, _headers: &mut HeaderMap, _message: &Value) -> Option<Value> {
        None
    }

    async fn consider(&self, _answer: &Value) {}
}

/// A running relay. It ends when this is dropped.
pub(crate) struct Relay {
    origin: String,
    _end: DropGuard,
}

impl Relay {
    /// A relay to the gateway at `target` (scheme, host and port) that acts with this token.
    pub(crate) async fn start(target: &str, token: &str, application: impl Application) -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .expect("a free port on the loopback interface");
        let address = listener.local_addr().expect("a bound socket");
        let origin = format!("http://{address}");
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let line = Line {
            here: origin.clone(),
            there: target.to_owned(),
            bearer: format!("Bearer {token}").parse().expect("a plain token"),
            http: Client::builder(TokioExecutor::new()).build(connector),
            application,
        };
        let app = Router::new().fallback(pass).with_state(Arc::new(line));
        let end = CancellationToken::new();
        let ended = end.clone().cancelled_owned();
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, app) => served.expect("the relay serves"),
                () = ended => {}
            }
        });
        Self {
            origin,
            _end: end.drop_guard(),
        }
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

/// From here to there.
struct Line<A> {
    here: String,
    there: String,
    bearer: HeaderValue,
    http: Client<HttpConnector, Full<Bytes>>,
    application: A,
}

async fn pass<A: Application>(State(line): State<Arc<Line<A>>>, request: Request) -> Response {
    match line.exchange(request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

impl<A: Application> Line<A> {
    async fn exchange(&self, request: Request) -> Result<Response, BoxError> {
        let request = self.forward(request).await?;
        let response = self.http.request(request).await?;
        self.back(response).await
    }

    /// The request as it goes on. It is read whole: requests are short.
    async fn forward(&self, request: Request) -> Result<Request<Full<Bytes>>, BoxError> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let message = parse(&parts.headers, &body);
        let amended =
            message.and_then(|message| self.application.amend(&mut parts.headers, &message));
        let body = amended.map_or(body, |message| Bytes::from(message.to_string()));
        forget_connection(&mut parts.headers);
        self.rename_to_there(&mut parts.headers);
        let bearer = self.bearer.clone();
        parts.headers.insert(header::AUTHORIZATION, bearer);
        let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
        parts.uri = format!("{}{path}", self.there).parse()?;
        Ok(Request::from_parts(parts, Full::new(body)))
    }

    /// The relay's own address, as the client had to write it, becomes the gateway's, as at every reverse proxy. Any
    /// other `Host` or `Origin` passes as it is: whether it is let in is for the gateway to say.
    fn rename_to_there(&self, headers: &mut HeaderMap) {
        let authority = |origin: &str| origin.trim_start_matches("http://").to_owned();
        let names = [
            (header::HOST, authority(&self.here), authority(&self.there)),
            (header::ORIGIN, self.here.clone(), self.there.clone()),
        ];
        for (name, here, there) in names {
            if headers.get(&name).is_some_and(|value| *value == *here) {
                headers.insert(name, there.parse().expect("a plain address"));
            }
        }
    }

    /// The response as it goes back: JSON once it is whole, a stream as it comes.
    async fn back<B>(&self, response: Response<B>) -> Result<Response, BoxError>
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (mut parts, body) = response.into_parts();
        forget_connection(&mut parts.headers);
        if !is_json(&parts.headers) {
            return Ok(Response::from_parts(parts, Body::new(body)));
        }
        let body = body.collect().await.map_err(Into::into)?.to_bytes();
        if let Some(answer) = parse(&parts.headers, &body) {
            self.application.consider(&answer).await;
        }
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}

fn forget_connection(headers: &mut HeaderMap) {
    for name in &PER_CONNECTION {
        headers.remove(name);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let is_json = is_json(headers);
    is_json.then(|| serde_json::from_slice(body).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use serde_json::json;

    use super::*;

    /// A server that says what it was sent, and streams events until it is told to stop.
    async fn echo() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let say = async |headers: HeaderMap, body: String| {
            let text = |name| {
                headers
                    .get(name)
                    .map(|it: &HeaderValue| it.to_str().unwrap())
            };
            axum::Json(json!({
                "host": text("host"), "origin": text("origin"), "bearer": text("authorization"),
                "length": text("content-length"), "body": body,
            }))
        };
        let stream = async || {
            let first = futures::stream::iter([Ok::<_, BoxError>("data: 1\n\n")]);
            let events = Body::from_stream(first.chain(futures::stream::pending()));
            ([(header::CONTENT_TYPE, "text/event-stream")], events)
        };
        let app = Router::new()
            .route("/echo", axum::routing::post(say))
            .route("/stream", axum::routing::get(stream));
        tokio::spawn(async { axum::serve(listener, app).await });
        origin
    }

    /// Adds a field to every message.
    struct Adds;

    impl Application for Adds {
        fn amend(&self, _headers: &mut HeaderMap, message: &Value) -> Option<Value> {
            let mut message = message.clone();
            message["added"] = json!("by the application");
            Some(message)
        }

        async fn consider(&self, answer: &Value) {
            assert!(answer.is_object());
        }
    }

    fn http() -> reqwest::Client {
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    async fn sent(relay: &Relay, headers: &[(&str, &str)]) -> Value {
        let mut request = http()
            .post(format!("{}/echo", relay.origin()))
            .header("content-type", "application/json")
            .body("{}");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    #[tokio::test]
    async fn the_token_is_added_and_the_relays_own_address_becomes_the_gateways() {
        let there = echo().await;
        let relay = Relay::start(&there, "secret", Bare).await;
        let own = sent(&relay, &[("origin", relay.origin())]).await;
        assert_eq!(own["bearer"], "Bearer secret");
        assert_eq!(own["origin"], there);
        assert_eq!(own["host"], there.trim_start_matches("http://"));
        assert_eq!(own["body"], "{}");
    }

    #[tokio::test]
    async fn a_foreign_host_and_origin_reach_the_gateway() {
        let relay = Relay::start(&echo().await, "secret", Bare).await;
        let headers = [("host", "evil.example"), ("origin", "http://evil.example")];
        let foreign = sent(&relay, &headers).await;
        assert_eq!(foreign["host"], "evil.example");
        assert_eq!(foreign["origin"], "http://evil.example");
    }

    #[tokio::test]
    async fn an_amended_message_has_its_own_length() {
        let relay = Relay::start(&echo().await, "secret", Adds).await;
        let amended = sent(&relay, &[]).await;
        let body = amended["body"].as_str().unwrap();
        assert_eq!(body, r#"{"added":"by the application"}"#);
        assert_eq!(amended["length"], body.len().to_string());
    }

    #[tokio::test]
    async fn a_stream_comes_through_before_it_ends() {
        let relay = Relay::start(&echo().await, "secret", Bare).await;
        let url = format!("{}/stream", relay.origin());
        let mut response = http().get(url).send().await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    }
}
