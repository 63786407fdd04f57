//! Sending a request on to where its service says (RFC 9110 section 15.4), where the provider file allows it.
//!
//! Architecture invariant: what is sent on is a bare GET. No header of the first request goes along, least of all the
//! credential; no cookie does, because none is ever kept; and the address passes the same guard as every other.

use http::header::LOCATION;
use http::{Method, Request, Response, Uri};
use thiserror::Error;
use url::Url;

use super::{UpstreamError, credential};
use crate::base::Secret;
use crate::catalogue::RedirectRule;
use crate::egress::Egress;

/// How often one request is sent on.
const MOST_HOPS: usize = 3;

/// Why a request is not sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RedirectRefusal {
    /// The host is not one of the tool's.
    #[error("its provider file does not allow that host")]
    Host,
    /// The address says nothing that can be followed.
    #[error("that is no address on the web")]
    Address,
    /// The address holds the access token.
    #[error("the address would carry the access token there")]
    Credential,
    /// It goes on and on.
    #[error("it was sent on three times already")]
    TooOften,
}

/// Follows the redirects of `reply`, if it is one.
pub(super) async fn follow(
    egress: &Egress,
    (method, from): (Method, Uri),
    mut reply: Response<Vec<u8>>,
    rule: &RedirectRule,
    access_token: &Secret,
) -> Result<Response<Vec<u8>>, UpstreamError> {
    if method != Method::GET {
        return Ok(reply);
    }
    let mut at = Url::parse(&from.to_string()).ok();
    let mut hops = 0;
    while let Some(location) = location(&reply) {
        let next = at.as_ref().and_then(|at| at.join(&location).ok());
        let to = next.as_ref().map_or_else(
            || "an address that cannot be read".to_owned(),
            |next| next.origin().ascii_serialization(),
        );
        let next = allowed(next, rule, access_token).and_then(|next| {
            if hops < MOST_HOPS {
                Ok(next)
            } else {
                Err(RedirectRefusal::TooOften)
            }
        });
        let next = next.map_err(|refusal| UpstreamError::RedirectRefused { to, refusal })?;
        let request = Request::get(next.as_str()).body(Vec::new());
        let request = request.map_err(|_| UpstreamError::RedirectRefused {
            to: next.origin().ascii_serialization(),
            refusal: RedirectRefusal::Address,
        })?;
        reply = egress.send(request, egress.limits()).await?;
        at = Some(next);
        hops += 1;
    }
    Ok(reply)
}

/// Where a reply sends its request on to, if it does.
fn location(reply: &Response<Vec<u8>>) -> Option<String> {
    if !matches!(reply.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = reply.headers().get(LOCATION)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// The address, when a request may be sent there. Whether it may be reached at all is for the guard to say, and so is
/// whether it may go without TLS.
fn allowed(
    address: Option<Url>,
    rule: &RedirectRule,
    access_token: &Secret,
) -> Result<Url, RedirectRefusal> {
    let mut address = address.ok_or(RedirectRefusal::Address)?;
    address.set_fragment(None);
    let is_web = matches!(address.scheme(), "https" | "http");
    let host = address.host_str().filter(|_| is_web);
    let host = host.ok_or(RedirectRefusal::Address)?;
    if !rule.allows(host) {
        return Err(RedirectRefusal::Host);
    }
    if credential::is_in(address.as_str().as_bytes(), access_token) {
        return Err(RedirectRefusal::Credential);
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Manner, send};
    use super::*;
    use crate::egress::canned_server::{Answer, CannedServer};
    use crate::egress::{AddressRefusal, EgressError, Settings};

    const TOKEN: &str = "at-0123456789";

    fn answer(head: &str, body: &str) -> Answer {
        let length = body.len();
        Answer::Bytes(format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}").into())
    }

    fn sends_on_to(location: &str) -> Answer {
        let cookie = "set-cookie: session=1; Path=/";
        answer(
            &format!("302 Found\r\n{cookie}\r\nlocation: {location}"),
            "",
        )
    }

    /// A way out to these peers and nothing else on this machine.
    fn egress(peers: &[&CannedServer]) -> Egress {
        let peers = peers.iter().map(|peer| peer.authority());
        Egress::new(Settings {
            dangerously_allow_loopback: peers.collect(),
            ..Settings::default()
        })
        .unwrap()
    }

    fn rule(to: &str) -> RedirectRule {
        serde_json::from_value(json!({ "to": [to] })).unwrap()
    }

    async fn get(
        egress: &Egress,
        server: &CannedServer,
        rule: Option<&RedirectRule>,
    ) -> Result<Response<Vec<u8>>, UpstreamError> {
        let request = Request::get(format!("http://{}/files/7?raw=1", server.address))
            .header("x-mine", "value of an argument")
            .body(Vec::new())
            .unwrap();
        let manner = Manner {
            redirect: rule,
            ..Manner::default()
        };
        send(egress, request, &Secret::new(TOKEN), manner).await
    }

    #[tokio::test]
    async fn a_request_is_sent_on_bare() {
        let store = CannedServer::start(answer("200 OK", "the file")).await;
        let location = format!("http://{}/blob?sig=abc#part", store.address);
        let api = CannedServer::start(sends_on_to(&location)).await;
        let egress = egress(&[&api, &store]);
        let reply = get(&egress, &api, Some(&rule("127.0.0.1"))).await.unwrap();
        assert_eq!(reply.body(), b"the file");
        assert!(api.heads()[0].contains(TOKEN));
        let head = &store.heads()[0];
        assert!(head.starts_with("GET /blob?sig=abc HTTP/1.1\r\n"), "{head}");
        for word in ["authorization", "cookie", "x-mine", TOKEN, "referer"] {
            assert!(!head.to_lowercase().contains(word), "{word}: {head}");
        }
    }

    #[tokio::test]
    async fn without_a_rule_a_redirect_is_a_reply() {
        let store = CannedServer::start(answer("200 OK", "the file")).await;
        let location = format!("http://{}/blob", store.address);
        let api = CannedServer::start(sends_on_to(&location)).await;
        let reply = get(&egress(&[&api, &store]), &api, None).await.unwrap();
        assert_eq!(reply.status(), 302);
        assert_eq!(store.connections(), 0);
    }

    #[tokio::test]
    async fn only_a_get_is_sent_on() {
        let store = CannedServer::start(answer("200 OK", "the file")).await;
        let location = format!("http://{}/blob", store.address);
        let api = CannedServer::start(sends_on_to(&location)).await;
        let request = Request::post(format!("http://{}/files", api.address))
            .body(Vec::new())
            .unwrap();
        let rule = rule("127.0.0.1");
        let manner = Manner {
            redirect: Some(&rule),
            ..Manner::default()
        };
        let egress = egress(&[&api, &store]);
        let reply = send(&egress, request, &Secret::new(TOKEN), manner).await;
        assert_eq!(reply.unwrap().status(), 302);
        assert_eq!(store.connections(), 0);
    }

    #[tokio::test]
    async fn what_the_file_does_not_allow_is_refused() {
        for (location, refusal) in [
            ("https://evil.example/blob", RedirectRefusal::Host),
            ("https://127.0.0.1.evil.example/", RedirectRefusal::Host),
            ("//evil.example/", RedirectRefusal::Host),
            ("ftp://127.0.0.1/", RedirectRefusal::Address),
            ("https://", RedirectRefusal::Address),
            (
                "http://127.0.0.1:9/?token=at-0123456789",
                RedirectRefusal::Credential,
            ),
        ] {
            let api = CannedServer::start(sends_on_to(location)).await;
            let outcome = get(&egress(&[&api]), &api, Some(&rule("127.0.0.1"))).await;
            let error = outcome.unwrap_err();
            assert!(
                matches!(&error, UpstreamError::RedirectRefused { refusal: found, .. } if *found == refusal),
                "{location}: {error:?}"
            );
            assert!(!error.to_string().contains(TOKEN), "{error}");
            assert_eq!(api.connections(), 1);
        }
    }

    #[tokio::test]
    async fn the_guard_of_the_way_out_has_the_last_word() {
        // Allowed by the file, and neither public nor the one loopback authority that may be reached.
        let hidden = CannedServer::start(answer("200 OK", "secret")).await;
        let location = format!("http://{}/", hidden.address);
        let api = CannedServer::start(sends_on_to(&location)).await;
        let outcome = get(&egress(&[&api]), &api, Some(&rule("127.0.0.1"))).await;
        assert!(
            matches!(
                outcome,
                Err(UpstreamError::Egress(EgressError::AddressRefused { .. }))
            ),
            "{outcome:?}"
        );
        assert_eq!(hidden.connections(), 0);
        // A public host without TLS.
        let api = CannedServer::start(sends_on_to("http://files.example.com/blob")).await;
        let outcome = get(&egress(&[&api]), &api, Some(&rule("files.example.com"))).await;
        assert!(
            matches!(
                outcome,
                Err(UpstreamError::Egress(EgressError::AddressRefused {
                    reason: AddressRefusal::Scheme,
                    ..
                }))
            ),
            "{outcome:?}"
        );
    }

    #[tokio::test]
    async fn nobody_is_sent_on_for_ever() {
        let round = CannedServer::start(sends_on_to("/again")).await;
        let outcome = get(&egress(&[&round]), &round, Some(&rule("127.0.0.1"))).await;
        assert!(
            matches!(
                outcome,
                Err(UpstreamError::RedirectRefused {
                    refusal: RedirectRefusal::TooOften,
                    ..
                })
            ),
            "{outcome:?}"
        );
        assert_eq!(round.connections(), 1 + MOST_HOPS);
        let heads = round.heads();
        assert!(heads[0].contains(TOKEN), "{heads:?}");
        assert!(
            heads[1..].iter().all(|head| !head.contains(TOKEN)),
            "{heads:?}"
        );
    }
}
