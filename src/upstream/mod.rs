//! Floor 3: sending one rendered tool request to its service, with the credential of the person.
//!
//! Owns the place where the outbound credential enters a request, where a request is sent on to without it, and what may
//! never come back with the reply: that same credential. Refuses to know who asked, what the tool means, and what the
//! reply says.

mod credential;
mod redirect;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Response};
use thiserror::Error;

use crate::base::Secret;
use crate::catalogue::{Inject, RedirectRule};
use crate::egress::{Egress, EgressError};

pub use redirect::RedirectRefusal;

/// Headers that a rendered request must not bring: ours to fill in, or of the connection and not of the request
/// (RFC 9110 section 7.6.1).
const RESERVED: [HeaderName; 12] = [
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    COOKIE,
    HOST,
    CONTENT_LENGTH,
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Why a tool request brought no reply.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UpstreamError {
    /// The request brings a header that is not its own to set. Nothing was sent; the provider file has to change.
    #[error(
        "the tool sets the header {name}, which is filled in by the gateway: remove it from the provider file"
    )]
    ReservedHeader {
        /// The header.
        name: HeaderName,
    },
    /// The request brings a parameter that is not its own to set. Nothing was sent; the provider file has to change.
    #[error(
        "the tool sets the parameter {name}, which is filled in by the gateway: remove it from the provider file"
    )]
    ReservedParameter {
        /// The parameter.
        name: String,
    },
    /// The access token has characters that no header may have. Nothing was sent; connect again.
    #[error("the stored access token cannot be sent in a header: connect again")]
    UnsendableToken,
    /// The service sends the request on to where it must not go. It was answered, and nothing was sent there.
    #[error("the service sends the request on to {to}: {refusal}")]
    RedirectRefused {
        /// Scheme, host and port of where it would have gone.
        to: String,
        /// What is wrong with it.
        refusal: RedirectRefusal,
    },
    /// No reply came.
    #[error(transparent)]
    Egress(#[from] EgressError),
}

impl UpstreamError {
    /// Whether the service may have seen the request, and acted on it. When in doubt: yes. A tool that is not idempotent
    /// may be repeated only when this is false.
    #[must_use]
    pub fn request_was_sent(&self) -> bool {
        match self {
            Self::ReservedHeader { .. }
            | Self::ReservedParameter { .. }
            | Self::UnsendableToken => false,
            Self::RedirectRefused { .. } => true,
            Self::Egress(error) => error.request_was_sent(),
        }
    }
}

/// How a request is sent, besides what it says itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner<'a> {
    /// Where the access token goes; without it, into `Authorization: Bearer`.
    pub inject: Option<&'a Inject>,
    /// Where the request may be sent on to; without it, nowhere.
    pub redirect: Option<&'a RedirectRule>,
}

/// Sends `request`, as it was rendered, with `access_token`, and reads the whole reply within the limits of `egress`. Every
/// status is a reply. Only a GET is sent on, without the token, and only to where `manner` allows: the token reaches the
/// origin of the rendered URL and no other.
///
/// A service that echoes its request does not get the token past here: it is replaced in the headers and the body of
/// the reply.
///
/// # Errors
/// Those of [`UpstreamError`].
pub async fn send(
    egress: &Egress,
    mut request: Request<Vec<u8>>,
    access_token: &Secret,
    manner: Manner<'_>,
) -> Result<Response<Vec<u8>>, UpstreamError> {
    if let Some(name) = RESERVED
        .into_iter()
        .find(|name| request.headers().contains_key(name))
    {
        return Err(UpstreamError::ReservedHeader { name });
    }
    let inject = manner.inject.unwrap_or(&Inject::Bearer);
    credential::put(&mut request, access_token, inject)?;
    let from = (request.method().clone(), request.uri().clone());
    let mut reply = egress.send(request, egress.limits()).await?;
    if let Some(rule) = manner.redirect {
        reply = redirect::follow(egress, from, reply, rule, access_token).await?;
    }
    credential::withhold(&mut reply, access_token);
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::egress::canned_server::{Answer, CannedServer};
    use crate::egress::{Settings, TimeoutStage};

    const TOKEN: &str = "at-0123456789";

    async fn send(
        egress: &Egress,
        request: Request<Vec<u8>>,
        token: &Secret,
    ) -> Result<Response<Vec<u8>>, UpstreamError> {
        super::send(egress, request, token, Manner::default()).await
    }

    fn ok(headers: &str, body: &str) -> Answer {
        let length = body.len();
        Answer::Bytes(
            format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n{body}")
                .into_bytes(),
        )
    }

    fn request(server: &CannedServer) -> http::request::Builder {
        Request::post(format!("http://{}/v1/notes?draft=1", server.address))
            .header("content-type", "application/json")
    }

    #[tokio::test]
    async fn the_request_goes_out_as_rendered_with_the_token() {
        let server = CannedServer::start(ok("", "done")).await;
        let request = request(&server).body(b"{}".to_vec()).unwrap();
        let reply = send(&server.egress(), request, &Secret::new(TOKEN))
            .await
            .unwrap();
        assert_eq!(reply.body(), b"done");
        let head = &server.heads()[0];
        assert!(
            head.starts_with("POST /v1/notes?draft=1 HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.contains("authorization: Bearer at-0123456789\r\n"),
            "{head}"
        );
        assert!(
            head.contains("content-type: application/json\r\n"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn a_request_cannot_bring_the_headers_that_are_ours() {
        let server = CannedServer::start(ok("", "done")).await;
        let egress = server.egress();
        for name in RESERVED {
            let request = request(&server)
                .header(&name, "x")
                .body(Vec::new())
                .unwrap();
            let outcome = send(&egress, request, &Secret::new(TOKEN)).await;
            assert_eq!(outcome.unwrap_err(), UpstreamError::ReservedHeader { name });
        }
        for token in ["", "a b", "a\r\nx: y", "é"] {
            let request = request(&server).body(Vec::new()).unwrap();
            let error = send(&egress, request, &Secret::new(token))
                .await
                .unwrap_err();
            assert_eq!(error, UpstreamError::UnsendableToken);
            assert!(!error.request_was_sent());
        }
        assert_eq!(server.connections(), 0);
    }

    #[tokio::test]
    async fn an_echoed_token_does_not_come_back() {
        let echo = format!(r#"{{"authorization":"Bearer {TOKEN}","again":"{TOKEN}{TOKEN}"}}"#);
        let server = CannedServer::start(ok(&format!("x-echo: {TOKEN}\r\n"), &echo)).await;
        let request = request(&server).body(Vec::new()).unwrap();
        let reply = send(&server.egress(), request, &Secret::new(TOKEN))
            .await
            .unwrap();
        let body = String::from_utf8(reply.body().clone()).unwrap();
        assert!(!body.contains(TOKEN), "{body}");
        assert_eq!(body.matches("[access token withheld]").count(), 3);
        assert!(body.ends_with(r#"]"}"#), "{body}");
        assert_eq!(reply.headers()["x-echo"], "[access token withheld]");
    }

    #[tokio::test]
    async fn errors_tell_whether_the_service_may_have_acted() {
        let silent = CannedServer::start(Answer::Stall(Vec::new())).await;
        let mut settings = Settings {
            dangerously_allow_loopback: vec![silent.authority()],
            ..Settings::default()
        };
        settings.limits.headers = Duration::from_millis(50);
        let egress = Egress::new(settings).unwrap();
        let timed_out = send(
            &egress,
            request(&silent).body(Vec::new()).unwrap(),
            &Secret::new(TOKEN),
        )
        .await
        .unwrap_err();
        assert!(matches!(
            timed_out,
            UpstreamError::Egress(EgressError::TimedOut {
                stage: TimeoutStage::AwaitingReply,
                ..
            })
        ));
        assert!(timed_out.request_was_sent());

        let inward = Request::get("https://192.168.0.1/")
            .body(Vec::new())
            .unwrap();
        let refused = send(&egress, inward, &Secret::new(TOKEN))
            .await
            .unwrap_err();
        assert!(!refused.request_was_sent());
        assert!(!format!("{timed_out:?} {refused:?}").contains(TOKEN));
    }
}
