//! Replies that are too much.

use std::io::Write;
use std::sync::OnceLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Response, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;

const MIB: usize = 1 << 20;

/// Everything that [`answer`] knows, but for the one that takes a minute.
pub(crate) const KINDS: [&str; 8] = [
    "huge", "gzip", "deep", "events", "header", "lists", "objects", "texts",
];

/// The reply `kind`.
pub(crate) fn answer(kind: &str) -> Response<Body> {
    let json = Response::builder().header("content-type", "application/json");
    let reply = match kind {
        // 100 MB.
        "huge" => {
            let piece = Bytes::from(vec![b'1'; MIB]);
            let pieces =
                stream::iter((0..100).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
            json.body(Body::from_stream(pieces))
        }
        // 200 MB, once it is unpacked.
        "gzip" => json
            .header("content-encoding", "gzip")
            .body(Body::from(packed_zeroes())),
        // 200,000 levels.
        "deep" => json.body(Body::from(format!("{{\"id\":{}", "[".repeat(200_000)))),
        // Events without an end, as fast as they are read.
        "events" => {
            let event = Bytes::from(format!("data: {}\n\n", "x".repeat(64 << 10)));
            let events = stream::repeat_with(move || Ok::<_, std::io::Error>(event.clone()));
            Response::builder()
                .header("content-type", "text/event-stream")
                .body(Body::from_stream(events))
        }
        // A byte now and then.
        "drip" => {
            let drops = stream::unfold((), async |()| {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
            });
            json.body(Body::from_stream(drops))
        }
        // A header of 60 kB.
        "header" => json
            .header("x-long", "x".repeat(60_000))
            .body(Body::from("{}")),
        // As many values as fit into what a reply may be.
        "lists" => json.body(Body::from(filled("[]"))),
        "objects" => json.body(Body::from(filled("{\"a\":0}"))),
        "texts" => json.body(Body::from(filled("\"\""))),
        _ => Response::builder()
            .status(StatusCode::NOT_FOUND)
            .body(Body::empty()),
    };
    reply.expect("a reply")
}

/// `{"id": [item, item, ..]}`, just below 8 MiB.
fn filled(item: &str) -> String {
    let count = (8 * MIB - 64) / (item.len() + 1);
    format!(
        "{{\"id\":[{}{item}]}}",
        format!("{item},").repeat(count - 1)
    )
}

fn packed_zeroes() -> Bytes {
    static PACKED: OnceLock<Bytes> = OnceLock::new();
    let pack = || {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        let piece = vec![b'0'; MIB];
        for _ in 0..200 {
            packed.write_all(&piece).expect("memory");
        }
        Bytes::from(packed.finish().expect("memory"))
    };
    PACKED.get_or_init(pack).clone()
}
