//! Serving on a free port of this machine until whoever started us is gone.

use std::io::Read;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

/// Prints the address as the one line on stdout, and serves until stdin ends: a server never outlives the benchmark.
pub(crate) async fn until_stdin_ends(router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("http://{}", listener.local_addr()?);
    // Without this every small reply waits for an acknowledgement: 44 ms each.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        let _ = ended.send(());
    });
    tokio::select! {
        served = axum::serve(listener, router) => served.context("serving"),
        _ = end => Ok(()),
    }
}
