//! What a client is told without having asked just then: that a link was used, and that the tool list has changed.
//!
//! Each is a task of its own session and ends with it.

use std::sync::Arc;

use rmcp::model::{CustomNotification, ServerNotification};
use rmcp::service::SubscriptionContext;
use rmcp::{Peer, RoleServer};
use serde_json::json;
use tokio::sync::watch;

use super::account_argument::account_choices;
use super::server::Server;
use crate::connection::ConnectTicket;
use crate::gateway::{AccountChoices, Arriving, CallError, ConnectLink, Gateway, Services};
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

    /// Tells the client each time that its tool list has changed (2025-11-25 and older).
    pub(super) fn tell_of_other_tools(&self, peer: Peer<RoleServer>, caller: Caller) {
        let gateway = self.surface.gateway().clone();
        self.for_this_session(async move {
            let mut changes = ListChanges::of(gateway, caller).await;
            while changes.next().await.is_some() {
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

/// Notices when what one caller is listed changes: there are other tools, other accounts to choose from, or another
/// narrowing.
struct ListChanges {
    gateway: Gateway,
    caller: Caller,
    services: watch::Receiver<Arc<Services>>,
    connections: Arriving,
    accounts: AccountChoices,
}

impl ListChanges {
    async fn of(gateway: Gateway, caller: Caller) -> Self {
        let services = gateway.watch_services();
        // Before the look at the accounts: what changes in between is noticed.
        let connections = gateway.watch_connections(&caller);
        Self {
            accounts: account_choices(&gateway, &caller).await,
            services,
            connections,
            gateway,
            caller,
        }
    }

    /// Waits for the next change; none when the gateway is gone, or the caller is nobody any more.
    async fn next(&mut self) -> Option<()> {
        loop {
            tokio::select! {
                changed = self.services.changed() => return changed.ok(),
                () = self.connections.next() => {}
            }
            let standing = self.gateway.still_standing(&self.caller).await;
            let narrowing = match standing {
                Ok(standing) => standing.narrowing,
                Err(CallError::Fault(_)) => self.caller.narrowing.clone(),
                // Nobody listens any more who may.
                Err(_) => return None,
            };
            if narrowing != self.caller.narrowing {
                self.caller.narrowing = narrowing;
                return Some(());
            }
            let accounts = account_choices(&self.gateway, &self.caller).await;
            if accounts != self.accounts {
                self.accounts = accounts;
                return Some(());
            }
        }
    }
}

/// Tells a client that listens (2026-07-28) each time that its tool list has changed, until it leaves, closes its side of
/// a stream, or we end.
pub(super) async fn listen(server: &Server, caller: &Caller, subscription: &SubscriptionContext) {
    let changes = ListChanges::of(server.surface.gateway().clone(), caller.clone());
    let tell = async {
        let mut changes = changes.await;
        while changes.next().await.is_some() {
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
