//! What a client is told without having asked just then: that a link was used, and that there are other tools now.
//!
//! Each is a task of its own session and ends with it.

use rmcp::model::{CustomNotification, ServerNotification};
use rmcp::service::SubscriptionContext;
use rmcp::{Peer, RoleServer};
use serde_json::json;

use super::server::Server;
use crate::connection::ConnectTicket;
use crate::gateway::ConnectLink;
use crate::identity::Caller;

impl Server {
    /// Tells the client once the person has used `link` (MCP 2025-11-25, URL mode elicitation), as long as the link
    /// works.
    pub(super) fn tell_when_used(
        &self,
        peer: Peer<RoleServer>,
        caller: &Caller,
        link: &ConnectLink,
    ) {
        let gateway = self.surface.gateway().clone();
        let (caller, link) = (caller.clone(), link.clone());
        self.for_this_session(async move {
            let used = gateway.until_used(&caller, &link);
            if let Ok(Ok(())) = tokio::time::timeout(ConnectTicket::LIFETIME, used).await {
                let told = peer.send_notification(elicitation_complete(&link)).await;
                tracing::debug!(
                    reached = told.is_ok(),
                    "told a client that its link was used"
                );
            }
        });
    }

    /// Tells the client each time that there are other tools (2025-11-25 and older).
    pub(super) fn tell_of_other_tools(&self, peer: Peer<RoleServer>) {
        let mut services = self.surface.gateway().watch_services();
        self.for_this_session(async move {
            while services.changed().await.is_ok() {
                if peer.notify_tool_list_changed().await.is_err() {
                    return;
                }
            }
        });
    }

    fn for_this_session(&self, task: impl Future<Output = ()> + Send + 'static) {
        let session = self.session.child_token();
        tokio::spawn(async move { session.run_until_cancelled_owned(task).await });
    }
}

/// Tells a client that listens (2026-07-28) each time that there are other tools, until it leaves, closes its side of a
/// stream, or we end.
pub(super) async fn listen(server: &Server, subscription: &SubscriptionContext) {
    let mut services = server.surface.gateway().watch_services();
    let tell = async {
        while services.changed().await.is_ok() {
            let told = subscription.sink().notify_tool_list_changed().await;
            if told.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = tell => {}
        () = subscription.cancelled() => {}
        () = server.session.cancelled() => {}
        () = server.surface.parts.stop.cancelled() => {}
    }
}

fn elicitation_complete(link: &ConnectLink) -> ServerNotification {
    let parameters = json!({ "elicitationId": link.id });
    ServerNotification::CustomNotification(CustomNotification::new(
        "notifications/elicitation/complete",
        Some(parameters),
    ))
}
