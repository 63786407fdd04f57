//! The faults of real providers, each seen from a client.

use super::*;
use crate::support::provider::RevocationStyle;

const MINUTE: Duration = Duration::from_mins(1);

impl Client<'_> {
    /// RFC 7009, with the client in the form.
    async fn try_revoke(&self, token: &str) -> Option<Reply> {
        let (id, secret) = (self.provider.client_id(), self.provider.client_secret());
        let params = [
            ("client_id", id.as_str()),
            ("client_secret", &secret),
            ("token", token),
        ];
        self.post("/revoke", &params).await
    }

    async fn revoke(&self, token: &str) -> u16 {
        self.try_revoke(token).await.expect("an answer").status
    }

    async fn whoami(&self, token: &str) -> u16 {
        self.call("GET", "/api/me", token, "").await.status
    }
}

#[tokio::test]
async fn a_grace_forgives_until_it_is_over() {
    let clock = clock();
    let provider = Provider::start(&clock);
    provider
        .has_account("ana")
        .accepts_spent_refresh_tokens_for(MINUTE);
    let client = Client::of(&provider);
    let first = client.connect().await.text("refresh_token");
    client.refresh(&first).await;
    provider.expects_replays(2);
    assert_eq!(client.refresh(&first).await.status, 200);
    clock.advance(MINUTE);
    assert_eq!(client.refresh(&first).await.text("error"), "invalid_grant");
    assert_eq!(provider.live_grants_of("ana"), 0);
}

#[tokio::test]
async fn half_of_the_refreshes_win_and_nobody_dies() {
    let provider = acme();
    provider
        .rotates_refresh_tokens()
        .lets_half_of_the_refreshes_win()
        .expects_replays(3);
    let client = Client::of(&provider);
    let first = client.connect().await.text("refresh_token");
    let mut won = Vec::new();
    for _ in 0..4 {
        won.push(client.refresh(&first).await.status == 200);
    }
    assert_eq!(won, [true, false, true, false]);
    assert_eq!(provider.live_grants_of("ana"), 1);
}

#[tokio::test]
async fn a_refresh_within_the_second_brings_the_same_token_dead() {
    let clock = clock();
    let provider = Provider::start(&clock);
    provider.has_account("ana").repeats_dead_access_tokens();
    let client = Client::of(&provider);
    let tokens = client.connect().await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    assert_eq!(client.whoami(&access).await, 200);
    let again = client.refresh(&refresh).await.text("access_token");
    assert_eq!(again, access);
    assert_eq!(client.whoami(&again).await, 401);
    clock.advance(Duration::from_secs(1));
    let later = client.refresh(&refresh).await.text("access_token");
    assert_eq!(client.whoami(&later).await, 200);
}

#[tokio::test]
async fn a_refresh_can_grant_less() {
    let provider = acme();
    let client = Client::of(&provider);
    let tokens = client.connect().await;
    assert_eq!(tokens.text("scope"), SCOPES);
    provider.narrows_scopes_at_refresh("profile");
    let refreshed = client.refresh(&tokens.text("refresh_token")).await;
    assert_eq!(refreshed.text("scope"), "profile");
    let access = refreshed.text("access_token");
    assert_eq!(client.whoami(&access).await, 200);
    let things = client.call("GET", "/api/things", &access, "").await;
    assert_eq!(things.status, 403, "it means what it says");
}

#[tokio::test]
async fn a_limited_token_endpoint_says_for_how_long() {
    let provider = acme();
    let client = Client::of(&provider);
    let token = client.connect().await.text("refresh_token");
    provider.limits_token_requests(MINUTE);
    let answer = client
        .http
        .post(provider.url("/token"))
        .body("grant_type=refresh_token")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "60");
    provider.recovers();
    assert_eq!(client.refresh(&token).await.status, 200);
}

#[tokio::test]
async fn a_revocation_endpoint_heals_by_itself() {
    let provider = acme();
    let client = Client::of(&provider);
    let token = client.connect().await.text("refresh_token");
    provider.revocation_is_down_for(2);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.revoke(&token).await);
    }
    assert_eq!(statuses, [503, 503, 200]);
    assert!(!provider.takes(&token));
}

#[tokio::test]
async fn a_revocation_can_happen_and_nobody_learns_of_it() {
    let provider = acme();
    provider
        .loses_the_next_revocation_answer()
        .refuses_to_revoke_dead_tokens(400, "invalid_token");
    let client = Client::of(&provider);
    let token = client.connect().await.text("refresh_token");
    assert!(client.try_revoke(&token).await.is_none());
    assert!(!provider.takes(&token));
    let again = client.try_revoke(&token).await.expect("an answer");
    assert_eq!(
        (again.status, again.text("error")),
        (400, "invalid_token".to_owned())
    );
}

#[tokio::test]
async fn a_signed_token_outlives_its_revocation() {
    let clock = clock();
    let provider = Provider::start(&clock);
    provider
        .has_account("ana")
        .takes_dead_access_tokens_for(MINUTE);
    let client = Client::of(&provider);
    let tokens = client.connect().await;
    let access = tokens.text("access_token");
    assert_eq!(client.revoke(&tokens.text("refresh_token")).await, 200);
    assert_eq!(client.whoami(&access).await, 200);
    clock.advance(MINUTE);
    assert_eq!(client.whoami(&access).await, 401);
}

#[tokio::test]
async fn a_revocation_can_be_a_pretence() {
    let provider = acme();
    provider.only_pretends_to_revoke();
    let client = Client::of(&provider);
    let access = client.connect().await.text("access_token");
    assert_eq!(client.revoke(&access).await, 200);
    assert_eq!(client.whoami(&access).await, 200);
    provider.recovers();
    client.revoke(&access).await;
    assert_eq!(client.whoami(&access).await, 401);
}

#[tokio::test]
async fn a_revocation_of_another_style_is_a_violation() {
    for style in RevocationStyle::ALL {
        if matches!(
            style,
            RevocationStyle::Rfc7009 | RevocationStyle::RefreshTokenOnly
        ) {
            continue;
        }
        let provider = acme();
        provider.revokes_by(style);
        let client = Client::of(&provider);
        let token = client.connect().await.text("refresh_token");
        assert_eq!(client.revoke(&token).await, 400, "{style:?}");
        assert!(provider.takes(&token), "{style:?}");
        let request = "POST /revoke".to_owned();
        assert_eq!(
            provider.take_violations(),
            [Violation::RevocationNotUnderstood { request, style }]
        );
    }
}
