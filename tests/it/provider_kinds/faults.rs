//! What goes wrong at real providers, and what people and agents see of it.

use std::time::Duration;

use super::{Connected, at_provider};
use crate::support::provider::Provider;

const HOUR: Duration = Duration::from_hours(1);
const CALLERS: usize = 20;

/// A fault at the end of a connection, and what makes it pass.
struct Fault {
    name: &'static str,
    provider: fn(&Provider),
    /// How long it takes to pass.
    passes_after: Duration,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "the revocation endpoint is down and heals",
        provider: |acme| {
            acme.revocation_is_down_for(2);
        },
        passes_after: Duration::ZERO,
    },
    Fault {
        name: "the revocation happens and its answer is lost",
        provider: |acme| {
            acme.loses_the_next_revocation_answer();
        },
        passes_after: Duration::ZERO,
    },
    Fault {
        name: "the revocation is confirmed and the access token goes on working",
        provider: |acme| {
            acme.takes_dead_access_tokens_for(Duration::from_mins(10));
        },
        passes_after: Duration::from_mins(10),
    },
    Fault {
        name: "the revocation is confirmed and nothing was revoked",
        provider: |acme| {
            acme.only_pretends_to_revoke();
        },
        // The lifetime of the access token. Whether a refresh token is dead cannot be asked without spending it: there
        // the provider's word is all that there is.
        passes_after: HOUR,
    },
];

#[tokio::test]
async fn a_receipt_says_confirmed_only_when_the_token_is_dead() {
    for fault in FAULTS {
        let connected = Connected::to(fault.provider).await;
        let (path, receipt) = connected.disconnect().await;
        assert_eq!(at_provider(&receipt), "pending", "{}", fault.name);
        let refused = connected.whoami().await;
        refused.assert_failed("ana has disconnected");
        connected.gateway.clock().advance(fault.passes_after);
        let receipt = connected.ana.press(&receipt, &path).await;
        assert_eq!(at_provider(&receipt), "confirmed", "{}", fault.name);
    }
}

#[tokio::test]
async fn where_half_of_the_refreshes_win_one_is_enough() {
    let connected = Connected::to(|acme| {
        acme.keeps_refresh_tokens().lets_half_of_the_refreshes_win();
    })
    .await;
    connected.gateway.clock().advance(HOUR);
    let calls = (0..CALLERS).map(|_| connected.assert_works());
    futures::future::join_all(calls).await;
    assert_eq!(connected.refreshes().len(), 1);
}

#[tokio::test]
async fn a_token_that_comes_back_dead_within_the_second_ends_nothing() {
    let connected = Connected::to(|acme| {
        acme.rotates_refresh_tokens().repeats_dead_access_tokens();
    })
    .await;
    connected.acme.access_tokens_die();
    connected.whoami().await.assert_failed("");
    assert_eq!(connected.card().await, "active");
    connected.gateway.clock().advance(Duration::from_secs(2));
    connected.assert_works().await;
    let [first, second] = &connected.refreshes()[..] else {
        panic!("{:?}", connected.refreshes());
    };
    assert_ne!(first.param("refresh_token"), second.param("refresh_token"));
}
