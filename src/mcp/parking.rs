//! A call that waits for its person to connect: it costs no thread, says how it goes, and ends when it is dropped.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;

/// How often a client that wants to know is told that the call still waits.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Waits for `arrival`, at most for `limit`; none when that passed first. A client that gave a progress token is told
/// what is waited for (MCP, progress).
pub(super) async fn wait_for<T>(
    arrival: impl Future<Output = T>,
    limit: Duration,
    what: &str,
    context: &RequestContext<RoleServer>,
) -> Option<T> {
    tokio::select! {
        arrived = tokio::time::timeout(limit, arrival) => arrived.ok(),
        never = tell(limit, what, context) => match never {},
    }
}

async fn tell(
    limit: Duration,
    what: &str,
    context: &RequestContext<RoleServer>,
) -> std::convert::Infallible {
    let Some(token) = context.meta.get_progress_token() else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(TOLD_EVERY);
    let begun = ticks.tick().await;
    let mut now = begun;
    loop {
        let passed = now.duration_since(begun).as_secs_f64();
        let progress = ProgressNotificationParam::new(token.clone(), passed)
            .with_total(limit.as_secs_f64())
            .with_message(what);
        // A client that cannot be told is a client that goes away: the call hears of that by itself.
        let _ = context.peer.notify_progress(progress).await;
        now = ticks.tick().await;
    }
}
