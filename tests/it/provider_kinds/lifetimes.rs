//! Lifetimes that are asked for (RFC 7662): what fails there costs no token.

use std::time::Duration;

use super::Connected;
use crate::support::provider::{ClientProof, Provider};

const HOUR: Duration = Duration::from_hours(1);

fn asks(acme: &Provider) {
    acme.rotates_refresh_tokens()
        .tells_lifetimes_when_asked()
        .authenticates_clients_by(ClientProof::Body);
}

impl Connected {
    /// The call after an hour: how many requests the API and the token endpoint got for it.
    async fn calls_after_an_hour(&self) -> (usize, usize) {
        self.gateway.clock().advance(HOUR);
        let (api, refreshes) = (self.acme.api_requests().len(), self.refreshes().len());
        self.assert_works().await;
        (
            self.acme.api_requests().len() - api,
            self.refreshes().len() - refreshes,
        )
    }

    /// That every refresh presented the refresh token that the one before brought.
    fn assert_nothing_was_lost(&self) {
        let issued = self.issued("refresh_token");
        for (request, newest) in self.refreshes().iter().zip(&issued) {
            assert_eq!(request.param("refresh_token").as_ref(), Some(newest));
        }
    }
}

#[tokio::test]
async fn the_lifetime_is_asked_for_once_after_each_token() {
    let connected = Connected::to(asks).await;
    assert_eq!(connected.acme.introspections().len(), 1);
    connected.assert_works().await;
    assert_eq!(connected.acme.introspections().len(), 1);
    assert_eq!(connected.calls_after_an_hour().await, (1, 1));
    let questions = connected.acme.introspections();
    let tokens = connected.issued("access_token");
    assert_eq!((questions.len(), tokens.len()), (2, 2));
    for (question, token) in questions.iter().zip(&tokens) {
        assert_eq!(question.param("token").as_ref(), Some(token));
        let secret = question.param("client_secret");
        assert_eq!(secret, Some(connected.acme.client_secret()));
        assert!(question.query.is_empty() && question.header("authorization").is_none());
    }
}

/// An answer that is none: the person is connected all the same, and the token is used until it is refused.
#[tokio::test]
async fn a_login_succeeds_whatever_becomes_of_the_question() {
    for (status, body) in [
        (500, "{}"),
        (401, r#"{"error":"invalid_client"}"#),
        (200, r#"{"active":false}"#),
        (200, r#"{"active":true}"#),
        (200, r#"{"active":true,"exp":1}"#),
        (200, "<html>"),
    ] {
        let connected = Connected::to(|acme| {
            asks(acme);
            acme.answers_introspection_with(status, body);
        })
        .await;
        connected.assert_works().await;
        connected.acme.recovers();
        // Nobody knows the end: the call finds it out, and is made again with a new token, whose end is known.
        assert_eq!(connected.calls_after_an_hour().await, (2, 1), "{body}");
        assert_eq!(connected.calls_after_an_hour().await, (1, 1), "{body}");
        connected.assert_nothing_was_lost();
        assert_eq!(connected.card().await, "active", "{body}");
    }
}

/// The refresh token before is spent, so whatever the question does, the new one must have been kept first.
#[tokio::test]
async fn a_renewal_keeps_its_tokens_whatever_becomes_of_the_question() {
    let connected = Connected::to(asks).await;
    connected.acme.answers_introspection_with(503, "{}");
    assert_eq!(connected.calls_after_an_hour().await, (1, 1));
    // It counts as living as long as the one before.
    assert_eq!(connected.calls_after_an_hour().await, (1, 1));
    connected.acme.recovers();
    assert_eq!(connected.calls_after_an_hour().await, (1, 1));
    connected.assert_nothing_was_lost();
    assert_eq!(connected.acme.introspections().len(), 4);
}

/// What was learned is stored: it is known after a restart.
#[tokio::test]
async fn a_learned_end_outlives_the_process() {
    let Connected { acme, gateway, ana } = Connected::to(asks).await;
    gateway.clock().advance(HOUR);
    ana.call("acme_whoami", serde_json::json!({})).await.json();
    let gateway = gateway.restart(&[&acme]).await;
    let ana = gateway.person("ana").await;
    let connected = Connected { acme, gateway, ana };
    assert_eq!(connected.calls_after_an_hour().await, (1, 1));
    connected.assert_nothing_was_lost();
}
