//! `POST /token`: a code or a refresh token against fresh tokens (RFC 6749 sections 4.1.3 and 6).
//!
//! A code works once and for a minute; its first use by its client burns it, also when that use fails. A refresh token
//! works once and is replaced. Whoever uses either a second time may be a thief, so everything of that grant ends
//! (OAuth 2.1 sections 4.1.3 and 4.3.1).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::HeaderMap;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::accounts::Account;
use super::clients::Credentials;
use super::digest::Digest;
use super::journal::{Asked, Journal};
use super::orders::Endpoint;
use super::parameters::Parameters;
use super::protocol::{self, ErrorCode, Refusal};
use super::scope::ScopeSet;
use super::server::Service;
use super::state::{AccessToken, RefreshToken, State};
use crate::base::{Secret, Timestamp};

/// What the client brings.
enum Exchange<'a> {
    Code {
        code: &'a str,
        redirect_uri: &'a str,
        verifier: &'a str,
    },
    Refresh {
        token: &'a str,
        scope: Option<ScopeSet>,
    },
}

/// What the client gets. Made before the state is locked; what is not needed is thrown away.
struct Fresh {
    access: Secret,
    refresh: Secret,
    now: Timestamp,
    lifetime: Duration,
    rotates: bool,
}

/// The endpoint.
pub(super) async fn issue(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let form = protocol::form(&headers, body)?;
    let refresh = form.one("refresh_token").map(Digest::of);
    let asked = Asked(match &refresh {
        Some(_) => "refresh token",
        None => "code",
    });
    let owner = service
        .store
        .read(|state| owner(state, &form, refresh.as_ref()))
        .await;
    service.journal.token_request(refresh);
    let work = async { exchange(&service, &headers, &form).await.into_response() };
    let response = service
        .orders
        .answer(Endpoint::Token, owner.as_ref(), work)
        .await;
    Ok((Extension(asked), response).into_response())
}

/// The client and the account whose code or refresh token this is.
fn owner(state: &State, form: &Parameters, refresh: Option<&Digest>) -> Option<(String, Account)> {
    let grant = match refresh {
        Some(key) => &state.refresh_tokens.get(key)?.grant,
        None => &state.codes.get(&Digest::of(form.one("code")?))?.grant,
    };
    let grant = state.grants.get(grant)?;
    Some((grant.client_id.clone(), grant.account))
}

async fn exchange(
    service: &Service,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<Json<Value>, Refusal> {
    let credentials = Credentials::read(headers, form)?;
    let fresh = Fresh {
        access: service.random.token(),
        refresh: service.random.token(),
        now: service.clock.now(),
        lifetime: service.orders.access_lifetime(),
        rotates: service.orders.rotates(),
    };
    let refreshes = form.one("grant_type") == Some("refresh_token");
    let scope = service
        .store
        .change(|state| {
            let client_id = credentials.verify(state)?;
            match Exchange::read(form)? {
                Exchange::Code {
                    code,
                    redirect_uri,
                    verifier,
                } => redeem(state, &client_id, code, redirect_uri, verifier, &fresh),
                Exchange::Refresh { token, scope } => {
                    let counts = &service.journal;
                    rotate(state, &client_id, token, scope, &fresh, counts)
                }
            }
        })
        .await??;
    service.journal.count(|counters| {
        if refreshes {
            counters.refreshed += 1;
        } else {
            counters.redeemed += 1;
        }
    });
    let mut answer = json!({
        "access_token": fresh.access.expose(),
        "token_type": "Bearer",
        "expires_in": fresh.lifetime.as_secs(),
        "scope": scope.to_string(),
    });
    if fresh.rotates || !refreshes {
        answer["refresh_token"] = fresh.refresh.expose().into();
    }
    Ok(Json(answer))
}

impl<'a> Exchange<'a> {
    fn read(form: &'a Parameters) -> Result<Self, Refusal> {
        let needed = |name, description| {
            form.one(name)
                .ok_or(Refusal::new(ErrorCode::InvalidRequest, description))
        };
        match needed("grant_type", "grant_type is missing")? {
            "authorization_code" => Ok(Self::Code {
                code: needed("code", "code is missing")?,
                redirect_uri: needed("redirect_uri", "redirect_uri is missing")?,
                verifier: needed("code_verifier", "code_verifier is missing")?,
            }),
            "refresh_token" => Ok(Self::Refresh {
                token: needed("refresh_token", "refresh_token is missing")?,
                scope: form.one("scope").map(known_scopes).transpose()?,
            }),
            _ => Err(Refusal::new(
                ErrorCode::UnsupportedGrantType,
                "grant_type must be authorization_code or refresh_token",
            )),
        }
    }
}

fn known_scopes(text: &str) -> Result<ScopeSet, Refusal> {
    ScopeSet::parse(text)
        .filter(|scope| !scope.is_empty())
        .ok_or(Refusal::new(
            ErrorCode::InvalidScope,
            "an unknown scope was asked for",
        ))
}

fn redeem(
    state: &mut State,
    client_id: &str,
    code: &str,
    redirect_uri: &str,
    verifier: &str,
    fresh: &Fresh,
) -> Result<ScopeSet, Refusal> {
    let unusable = invalid_grant("the code is unknown, used, expired or not this client's");
    let key = Digest::of(code);
    let found = state.codes.get(&key).cloned().ok_or(unusable)?;
    let grant = state.grants.get(&found.grant).cloned().ok_or(unusable)?;
    if grant.client_id != client_id {
        return Err(unusable);
    }
    if found.used || fresh.now >= found.expires_at {
        state.revoke_grant(&found.grant);
        return Err(unusable);
    }
    let mismatch = if found.redirect_uri != redirect_uri {
        Some("redirect_uri is not the one that the code was sent to")
    } else if !answers(verifier, &found.challenge) {
        Some("code_verifier does not answer the code_challenge")
    } else {
        None
    };
    if let Some(description) = mismatch {
        state.revoke_grant(&found.grant);
        return Err(invalid_grant(description));
    }
    if let Some(code) = state.codes.get_mut(&key) {
        code.used = true;
    }
    hand_out_access(state, &found.grant, &grant.scope, fresh);
    hand_out_refresh(state, &found.grant, fresh);
    Ok(grant.scope)
}

fn rotate(
    state: &mut State,
    client_id: &str,
    token: &str,
    wanted: Option<ScopeSet>,
    fresh: &Fresh,
    journal: &Journal,
) -> Result<ScopeSet, Refusal> {
    let unusable =
        invalid_grant("the refresh token is unknown, used, revoked or not this client's");
    let key = Digest::of(token);
    let found = state.refresh_tokens.get(&key).cloned().ok_or(unusable)?;
    let grant = state.grants.get(&found.grant).cloned().ok_or(unusable)?;
    if grant.client_id != client_id {
        return Err(unusable);
    }
    if found.used_at.is_some() {
        journal.count(|counters| counters.reuses += 1);
        state.revoke_grant(&found.grant);
        return Err(unusable);
    }
    let scope = wanted.unwrap_or_else(|| grant.scope.clone());
    if !scope.is_subset(&grant.scope) {
        return Err(Refusal::new(
            ErrorCode::InvalidScope,
            "more was asked for than the person allowed",
        ));
    }
    if fresh.rotates {
        if let Some(token) = state.refresh_tokens.get_mut(&key) {
            token.used_at = Some(fresh.now);
        }
        hand_out_refresh(state, &found.grant, fresh);
    }
    hand_out_access(state, &found.grant, &scope, fresh);
    Ok(scope)
}

fn hand_out_access(state: &mut State, grant: &str, scope: &ScopeSet, fresh: &Fresh) {
    state.access_tokens.insert(
        Digest::of(fresh.access.expose()),
        AccessToken {
            grant: grant.to_owned(),
            scope: scope.clone(),
            issued_at: fresh.now,
            expires_at: fresh.now + fresh.lifetime,
        },
    );
}

fn hand_out_refresh(state: &mut State, grant: &str, fresh: &Fresh) {
    state.refresh_tokens.insert(
        Digest::of(fresh.refresh.expose()),
        RefreshToken {
            grant: grant.to_owned(),
            issued_at: fresh.now,
            used_at: None,
        },
    );
}

/// Whether the verifier is well-formed and hashes to the challenge (RFC 7636 sections 4.1 and 4.6).
fn answers(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(unreserved)
        && bool::from(
            Digest::of(verifier)
                .as_str()
                .as_bytes()
                .ct_eq(challenge.as_bytes()),
        )
}

const fn invalid_grant(description: &'static str) -> Refusal {
    Refusal::new(ErrorCode::InvalidGrant, description)
}
