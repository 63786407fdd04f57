//! `POST /revoke` and `POST /introspect`: a client ends its tokens (RFC 7009), or asks about them (RFC 7662).
//!
//! A client learns nothing about another client's tokens. `token_type_hint` is not needed: a token is found by its
//! digest, whatever it is.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::accounts::Account;
use super::clients::Credentials;
use super::digest::Digest;
use super::orders::Endpoint;
use super::parameters::Parameters;
use super::protocol::{self, ErrorCode, Refusal};
use super::server::Service;
use super::state::{Grant, State};
use crate::base::Timestamp;

/// `POST /revoke`. An access token ends alone; a refresh token, also a used one, takes the whole grant along. A token
/// that is unknown is as good as revoked (RFC 7009 section 2.2).
pub(super) async fn revoke(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let form = protocol::form(&headers, body)?;
    let owner = service.store.read(|state| owner(state, &form)).await;
    service
        .journal
        .count(|counters| counters.revocation_requests += 1);
    let work = async { end(&service, &headers, &form).await.into_response() };
    Ok(service
        .orders
        .answer(Endpoint::Revocation, owner.as_ref(), work)
        .await)
}

/// The client and the account whose token this is.
fn owner(state: &State, form: &Parameters) -> Option<(String, Account)> {
    let key = Digest::of(form.one("token")?);
    let refresh = state.refresh_tokens.get(&key).map(|token| &token.grant);
    let access = state.access_tokens.get(&key).map(|token| &token.grant);
    let grant = state.grants.get(refresh.or(access)?)?;
    Some((grant.client_id.clone(), grant.account))
}

async fn end(
    service: &Service,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<StatusCode, Refusal> {
    let credentials = Credentials::read(headers, form)?;
    let ended_a_grant = service
        .store
        .change(|state| {
            let client_id = credentials.verify(state)?;
            let key = Digest::of(token(form)?);
            let refresh = state.refresh_tokens.get(&key);
            let access = state.access_tokens.get(&key);
            let Some(grant) = refresh
                .map(|token| &token.grant)
                .or(access.map(|token| &token.grant))
                .cloned()
            else {
                return Ok(false);
            };
            let whose = state.grants.get(&grant);
            if whose.is_some_and(|grant| grant.client_id != client_id) {
                return Err(Refusal::new(
                    ErrorCode::InvalidGrant,
                    "the token was issued to another client",
                ));
            }
            if refresh.is_some() {
                state.revoke_grant(&grant);
                return Ok(true);
            }
            state.access_tokens.remove(&key);
            Ok(false)
        })
        .await??;
    service
        .journal
        .count(|counters| counters.revoked += u64::from(ended_a_grant));
    Ok(StatusCode::OK)
}

/// `POST /introspect`.
pub(super) async fn introspect(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Refusal> {
    let form = protocol::form(&headers, body)?;
    let credentials = Credentials::read(&headers, &form)?;
    let now = service.clock.now();
    let answer = service
        .store
        .read(|state| {
            let client_id = credentials.verify(state)?;
            let found = describe(state, token(&form)?, &client_id, &service.url, now);
            Ok::<_, Refusal>(found.unwrap_or_else(|| json!({ "active": false })))
        })
        .await?;
    Ok(Json(answer))
}

fn token(form: &Parameters) -> Result<&str, Refusal> {
    form.one("token")
        .ok_or(Refusal::new(ErrorCode::InvalidRequest, "token is missing"))
}

/// What a token that works is good for (RFC 7662 section 2.2).
fn describe(
    state: &State,
    token: &str,
    client_id: &str,
    issuer: &str,
    now: Timestamp,
) -> Option<Value> {
    let common = |grant: &Grant| {
        json!({
            "active": true,
            "client_id": grant.client_id,
            "sub": grant.account.id(),
            "username": grant.account.email(),
            "iss": issuer,
        })
    };
    let own = |grant: &&Grant| grant.client_id == client_id;
    if let Some((access, grant)) = state.access(token, now) {
        let mut answer = Some(grant).filter(own).map(common)?;
        answer["token_type"] = "Bearer".into();
        answer["scope"] = access.scope.to_string().into();
        answer["iat"] = access.issued_at.as_unix().into();
        answer["exp"] = access.expires_at.as_unix().into();
        return Some(answer);
    }
    let refresh = state.refresh_tokens.get(&Digest::of(token))?;
    if refresh.used_at.is_some() {
        return None;
    }
    let grant = state.grants.get(&refresh.grant).filter(own)?;
    let mut answer = common(grant);
    answer["scope"] = grant.scope.to_string().into();
    answer["iat"] = refresh.issued_at.as_unix().into();
    Some(answer)
}
