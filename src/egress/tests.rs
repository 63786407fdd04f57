//! The way out against real sockets.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;

use super::canned_server::{Answer, CannedServer};
use super::*;

fn get(url: &str) -> Request<Vec<u8>> {
    Request::get(url)
        .header(AUTHORIZATION, "Bearer hunter2")
        .body(Vec::new())
        .unwrap()
}

fn ok(body: &str) -> Answer {
    Answer::Bytes(
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

async fn outcome_at(
    server: &CannedServer,
    limits: Limits,
) -> Result<Response<Vec<u8>>, EgressError> {
    let url = format!("http://{}/path?token=hunter3", server.address);
    server.egress().send(get(&url), limits).await
}

#[tokio::test]
async fn a_reply_comes_back_whole_and_the_request_is_dressed_by_us() {
    let server = CannedServer::start(ok("hello")).await;
    let reply = outcome_at(&server, Limits::default()).await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    assert_eq!(reply.body(), b"hello");
    assert!(!reply.headers().contains_key(CONTENT_LENGTH));
    let head = &server.heads()[0];
    assert!(
        head.starts_with("GET /path?token=hunter3 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("accept-encoding: gzip\r\n"), "{head}");
    assert!(head.contains("user-agent: attache/"), "{head}");
    assert!(!head.contains("content-length"), "{head}");
}

#[tokio::test]
async fn no_spelling_of_loopback_reaches_a_listener() {
    let canary = CannedServer::start(ok("reached")).await;
    let neighbour = CannedServer::start(ok("allowed")).await;
    // Another port is allowed, so that the permissive half of the guard exists and is shown to be exact.
    let egress = neighbour.egress();
    let port = canary.address.port();
    let spellings = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "0",
        "0.0.0.0",
        "127.255.255.254",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "user@127.0.0.1",
        "user:secret@127.0.0.1",
        "example.com@127.0.0.1",
        "localhost",
        "LOCALHOST",
        "localhost.",
    ];
    for host in spellings {
        for scheme in ["http", "https"] {
            let written = format!("{scheme}://{host}:{port}/");
            // Both as a template would write it and as the URL standard normalises it.
            let normalised = url::Url::parse(&written).unwrap().to_string();
            for url in [written, normalised] {
                let Ok(uri) = url.parse::<http::Uri>() else {
                    continue;
                };
                let request = Request::get(uri)
                    .header(AUTHORIZATION, "Bearer hunter2")
                    .body(Vec::new())
                    .unwrap();
                let outcome = egress.send(request, Limits::default()).await;
                assert!(
                    matches!(outcome, Err(EgressError::AddressRefused { .. })),
                    "{url}: {outcome:?}"
                );
            }
        }
    }
    assert_eq!(canary.connections(), 0);
    let url = format!("http://{}/", neighbour.address);
    assert!(egress.send(get(&url), Limits::default()).await.is_ok());
}

#[tokio::test]
async fn an_allowed_name_reaches_loopback_by_name_and_only_at_its_port() {
    let server = CannedServer::start(ok("hello")).await;
    let port = server.address.port();
    let egress = Egress::new(Settings {
        dangerously_allow_loopback: vec![format!("localhost:{port}").parse().unwrap()],
        ..Settings::default()
    })
    .unwrap();
    let reply = egress
        .send(get(&format!("http://localhost:{port}/")), Limits::default())
        .await
        .unwrap();
    assert_eq!(reply.body(), b"hello");
    let beside = get(&format!("https://localhost:{}/", port ^ 1));
    let refused = egress.send(beside, Limits::default()).await;
    assert!(matches!(refused, Err(EgressError::AddressRefused { .. })));
}

#[tokio::test]
async fn a_name_that_leads_inwards_is_refused_by_the_resolver() {
    let canary = CannedServer::start(ok("reached")).await;
    // Past the guard, straight to the client: the name stands for any public one whose DNS records point inwards.
    let url = format!("https://localhost:{}/?token=hunter3", canary.address.port());
    let public = client(&Settings::default(), Reach::Public).unwrap();
    let error = public.get(url).send().await.unwrap_err();
    assert_eq!(
        EgressError::from_client("https://localhost".to_owned(), &error),
        EgressError::AddressRefused {
            address: "https://localhost".to_owned(),
            reason: AddressRefusal::NameIsNotPublic,
        }
    );
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_redirect_is_a_reply_and_the_second_host_hears_nothing() {
    let second = CannedServer::start(ok("followed")).await;
    let first = CannedServer::start(Answer::Bytes(
        format!(
            "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
            second.address
        )
        .into_bytes(),
    ))
    .await;
    let egress = Egress::new(Settings {
        dangerously_allow_loopback: vec![first.authority(), second.authority()],
        ..Settings::default()
    })
    .unwrap();
    let reply = egress
        .send(
            get(&format!("http://{}/", first.address)),
            Limits::default(),
        )
        .await
        .unwrap();
    assert_eq!(reply.status(), StatusCode::FOUND);
    assert!(reply.headers().contains_key(http::header::LOCATION));
    assert_eq!(second.connections(), 0);
}

#[tokio::test]
async fn a_gzip_bomb_stops_at_the_decoded_cap() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 20 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    let server = CannedServer::start(Answer::Bytes([head.into_bytes(), bomb].concat())).await;
    let limits = Limits {
        decoded_bytes: 1 << 20,
        ..Limits::default()
    };
    let error = outcome_at(&server, limits).await.unwrap_err();
    assert!(
        matches!(
            error,
            EgressError::ReplyTooLarge { limit: ReplyLimit::Decoded(cap), .. } if cap == 1 << 20
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_endless_body_stops_at_the_wire_cap() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"4000\r\n".to_vec(), vec![b'x'; 0x4000], b"\r\n".to_vec()].concat();
    let server = CannedServer::start(Answer::Endless(head, chunk)).await;
    let limits = Limits {
        wire_bytes: 1 << 20,
        ..Limits::default()
    };
    let error = outcome_at(&server, limits).await.unwrap_err();
    assert!(
        matches!(
            error,
            EgressError::ReplyTooLarge { limit: ReplyLimit::Wire(cap), .. } if cap == 1 << 20
        ),
        "{error:?}"
    );
    assert!(error.request_was_sent());
}

#[tokio::test]
async fn headers_have_a_cap_of_their_own() {
    let head = format!(
        "HTTP/1.1 200 OK\r\nx-large: {}\r\ncontent-length: 0\r\n\r\n",
        "x".repeat(60_000)
    );
    let server = CannedServer::start(Answer::Bytes(head.into_bytes())).await;
    let error = outcome_at(&server, Limits::default()).await.unwrap_err();
    assert!(
        matches!(
            error,
            EgressError::ReplyTooLarge {
                limit: ReplyLimit::Headers(_),
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn endless_headers_are_a_broken_reply() {
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let server = CannedServer::start(Answer::Endless(head, b"x-more: and more\r\n".to_vec())).await;
    let error = outcome_at(&server, Limits::default()).await.unwrap_err();
    assert!(
        matches!(error, EgressError::ReplyBroken { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn slow_replies_are_given_up_at_every_stage() {
    let short = Duration::from_millis(50);
    let silent = CannedServer::start(Answer::Stall(Vec::new())).await;
    let half = CannedServer::start(Answer::Stall(
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec(),
    ))
    .await;
    let by_headers = Limits {
        headers: short,
        ..Limits::default()
    };
    let by_total = Limits {
        total: short,
        ..Limits::default()
    };
    for (server, limits, expected) in [
        (&silent, by_headers, TimeoutStage::AwaitingReply),
        (&silent, by_total, TimeoutStage::AwaitingReply),
        (&half, by_total, TimeoutStage::ReadingReply),
    ] {
        let error = outcome_at(server, limits).await.unwrap_err();
        assert!(
            matches!(&error, EgressError::TimedOut { stage, .. } if *stage == expected),
            "{error:?}"
        );
        assert!(error.request_was_sent());
    }
}

#[tokio::test]
async fn a_call_cannot_widen_the_limits_of_the_settings() {
    let server = CannedServer::start(ok("more than four")).await;
    let mut settings = Settings {
        dangerously_allow_loopback: vec![server.authority()],
        ..Settings::default()
    };
    settings.limits.wire_bytes = 4;
    let error = Egress::new(settings)
        .unwrap()
        .send(
            get(&format!("http://{}/", server.address)),
            Limits::default(),
        )
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        EgressError::ReplyTooLarge {
            limit: ReplyLimit::Wire(4),
            ..
        }
    ));
}

#[tokio::test]
async fn broken_replies_are_told_from_failed_connections() {
    for bytes in [
        &b""[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx",
    ] {
        let server = CannedServer::start(Answer::Bytes(bytes.to_vec())).await;
        let error = outcome_at(&server, Limits::default()).await.unwrap_err();
        assert!(
            matches!(error, EgressError::ReplyBroken { .. }),
            "{error:?}"
        );
        assert!(error.request_was_sent());
    }

    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let egress = Egress::new(Settings {
        dangerously_allow_loopback: vec![address.to_string().parse().unwrap()],
        ..Settings::default()
    })
    .unwrap();
    let error = egress
        .send(
            get(&format!("http://{address}/?token=hunter3")),
            Limits::default(),
        )
        .await
        .unwrap_err();
    assert!(
        matches!(error, EgressError::ConnectFailed { .. }),
        "{error:?}"
    );
    assert!(!error.request_was_sent());
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter"), "{shown}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_failed_connection() {
    let egress = Egress::new(Settings::default()).unwrap();
    let error = egress
        .send(
            get("https://attache.invalid/?token=hunter3"),
            Limits::default(),
        )
        .await
        .unwrap_err();
    assert!(
        matches!(error, EgressError::ConnectFailed { .. }),
        "{error:?}"
    );
    assert!(!error.to_string().contains("hunter"), "{error}");
}

#[test]
fn without_certificate_authorities_there_is_an_error_or_a_client() {
    // Run once more by `a_missing_trust_store_is_a_clear_error`, in a process that has none.
    if let Err(error) = Egress::new(Settings::default()) {
        assert!(matches!(error, EgressSetupError::Tls { .. }), "{error:?}");
        println!("refused: {error}");
    }
}

/// Runs one test of this file in a process of its own, with `environment` added to ours: the environment of a running
/// process cannot be changed safely.
fn run_alone(test: &str, environment: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("egress::tests::{test}")])
        .envs(environment.iter().copied())
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && shown.contains("1 passed"),
        "{shown}"
    );
    shown
}

#[test]
fn a_missing_trust_store_is_a_clear_error() {
    let empty = tempfile::tempdir().unwrap();
    let file = empty.path().join("none.pem");
    std::fs::write(&file, "").unwrap();
    let shown = run_alone(
        "without_certificate_authorities_there_is_an_error_or_a_client",
        &[
            ("SSL_CERT_FILE", file.to_str().unwrap()),
            ("SSL_CERT_DIR", empty.path().to_str().unwrap()),
        ],
    );
    assert!(
        shown.contains("refused: outgoing TLS cannot be set up")
            && shown.contains("ca-certificates"),
        "{shown}"
    );
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let names = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    let environment: Vec<_> = names.iter().map(|name| (*name, address.as_str())).collect();
    for test in [
        "a_name_that_does_not_exist_is_a_failed_connection",
        "an_allowed_name_reaches_loopback_by_name_and_only_at_its_port",
    ] {
        run_alone(test, &environment);
    }
    // A connection would wait in the listener's queue.
    assert_eq!(
        proxy.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}
