//! The token endpoint (RFC 6749 section 3.2) and the revocation endpoint (RFC 7009).

use std::collections::BTreeMap;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Violation;
use super::behaviour::RefreshTokens;
use super::http::{Answer, Request};
use super::ledger::{Code, GrantId, Ledger};

/// An error code of RFC 6749 section 5.2.
struct Refusal(&'static str);

/// `POST /token`.
pub(super) fn answer(ledger: &mut Ledger, request: &Request) -> Answer {
    let params = request.params();
    if let Some(verifier) = params.get("code_verifier") {
        ledger.canaries.push(verifier.clone());
    }
    judge_code(ledger, &params);
    if let Some(scripted) = ledger.behaviour.token_answer.clone() {
        return scripted;
    }
    let outcome = authenticate(ledger, request, &params).and_then(|()| {
        match params.get("grant_type").map(String::as_str) {
            Some("authorization_code") => redeem(ledger, &params),
            Some("refresh_token") => refresh(ledger, &params),
            _ => Err(Refusal("unsupported_grant_type")),
        }
    });
    let answer = outcome.unwrap_or_else(|refusal| refuse(&refusal));
    if ledger.behaviour.token_answers_to_lose > 0 {
        ledger.behaviour.token_answers_to_lose -= 1;
        return answer.broken_off();
    }
    answer
}

fn refuse(Refusal(error): &Refusal) -> Answer {
    let status = if *error == "invalid_client" { 401 } else { 400 };
    Answer::json(status, &json!({ "error": error }))
}

/// RFC 6749 section 2.3: HTTP Basic or parameters, one of them.
fn authenticate(
    ledger: &mut Ledger,
    request: &Request,
    params: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let in_body = params.get("client_secret").map(|secret| {
        (
            params.get("client_id").cloned().unwrap_or_default(),
            secret.clone(),
        )
    });
    let in_header = basic(request);
    if in_body.is_some() && in_header.is_some() {
        ledger.violate(Violation::ClientAuthenticatedTwice);
    }
    let known = (ledger.client_id.clone(), ledger.client_secret.clone());
    if in_header.or(in_body) == Some(known) {
        Ok(())
    } else {
        Err(Refusal("invalid_client"))
    }
}

/// Client id and secret of HTTP Basic, each form-encoded (RFC 6749 section 2.3.1).
fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(BASE64.decode(encoded.as_bytes()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        url::form_urlencoded::parse(text.as_bytes())
            .next()
            .map(|(decoded, _)| decoded.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

/// What holds for every code, whatever the endpoint answers: it is presented once, and with what belongs to it.
fn judge_code(ledger: &mut Ledger, params: &BTreeMap<String, String>) {
    let Some(code) = params
        .get("code")
        .and_then(|code| ledger.present_code(code))
    else {
        return;
    };
    if code.presented {
        // RFC 6749 section 4.1.2: what was issued for it is taken back.
        ledger.violate(Violation::CodeReused);
        ledger.revoke_grant(code.grant);
    }
    if let Some(violation) = judge_verifier(&code, params.get("code_verifier")) {
        ledger.violate(violation);
        ledger.revoke_grant(code.grant);
    }
    let redeemed = params.get("redirect_uri").cloned();
    if redeemed.as_ref() != Some(&code.redirect_uri) {
        let authorized = code.redirect_uri;
        ledger.violate(Violation::RedirectUriDiffers {
            authorized,
            redeemed,
        });
        ledger.revoke_grant(code.grant);
    }
    if ledger.is_over(Some(code.expires_at)) {
        ledger.revoke_grant(code.grant);
    }
}

/// RFC 7636 section 4.6.
fn judge_verifier(code: &Code, verifier: Option<&String>) -> Option<Violation> {
    let Some(verifier) = verifier else {
        return Some(Violation::VerifierMissing);
    };
    let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(verifier.as_bytes()));
    (challenge != code.challenge).then_some(Violation::VerifierWrong)
}

/// RFC 6749 section 4.1.3. A code that was judged badly has lost its grant already.
fn redeem(ledger: &mut Ledger, params: &BTreeMap<String, String>) -> Result<Answer, Refusal> {
    let grant = params
        .get("code")
        .and_then(|code| ledger.grant_behind(code));
    let grant = grant.ok_or(Refusal("invalid_grant"))?;
    ledger.grant_of(grant).ok_or(Refusal("invalid_grant"))?;
    let refresh_token = match ledger.behaviour.refresh_tokens {
        RefreshTokens::NotIssued => None,
        RefreshTokens::Kept | RefreshTokens::Rotated => Some(ledger.issue_refresh_token(grant)),
    };
    Ok(token_reply(ledger, grant, refresh_token))
}

/// RFC 6749 section 6.
fn refresh(ledger: &mut Ledger, params: &BTreeMap<String, String>) -> Result<Answer, Refusal> {
    let refused = || Refusal("invalid_grant");
    let text = params
        .get("refresh_token")
        .ok_or(Refusal("invalid_request"))?;
    let token = ledger.refresh_token(text).cloned().ok_or_else(refused)?;
    if token.spent {
        replay(ledger, token.grant)?;
    }
    ledger.grant_of(token.grant).ok_or_else(refused)?;
    if ledger.is_over(token.expires_at) {
        return Err(refused());
    }
    let rotated = (ledger.behaviour.refresh_tokens == RefreshTokens::Rotated).then(|| {
        ledger.spend_refresh_token(text);
        ledger.issue_refresh_token(token.grant)
    });
    Ok(token_reply(ledger, token.grant, rotated))
}

/// A spent refresh token came again: announced by the test or not, forgiven by the provider or not.
fn replay(ledger: &mut Ledger, grant: GrantId) -> Result<(), Refusal> {
    match ledger.behaviour.expected_replays.checked_sub(1) {
        Some(left) => ledger.behaviour.expected_replays = left,
        None => ledger.violate(Violation::RefreshTokenReused),
    }
    if ledger.behaviour.forgives_replays {
        return Ok(());
    }
    ledger.revoke_grant(grant);
    Err(Refusal("invalid_grant"))
}

/// RFC 6749 section 5.1.
fn token_reply(ledger: &mut Ledger, grant: GrantId, refresh_token: Option<String>) -> Answer {
    let scopes = ledger.grant_of(grant).map(|grant| grant.scopes.to_string());
    let mut reply = json!({
        "access_token": ledger.issue_access_token(grant),
        "token_type": "Bearer",
        "scope": scopes,
    });
    if !ledger.behaviour.says_scopes {
        reply.as_object_mut().expect("an object").remove("scope");
    }
    if ledger.behaviour.says_lifetime {
        reply["expires_in"] = json!(ledger.behaviour.access_token_lifetime.as_secs());
    }
    if let Some(refresh_token) = refresh_token {
        reply["refresh_token"] = json!(refresh_token);
    }
    Answer::json(200, &reply)
}

/// `POST /revoke`: a refresh token takes its whole family along, an access token only itself; an unknown token is
/// no error (RFC 7009 section 2.2).
pub(super) fn revoke(ledger: &mut Ledger, request: &Request) -> Answer {
    if ledger.behaviour.revocation_is_down {
        return Answer::json(503, &json!({ "error": "temporarily_unavailable" }));
    }
    let params = request.params();
    if let Err(refusal) = authenticate(ledger, request, &params) {
        return refuse(&refusal);
    }
    let Some(text) = params.get("token") else {
        return refuse(&Refusal("invalid_request"));
    };
    if let Some(grant) = ledger.refresh_token(text).map(|token| token.grant) {
        ledger.revoke_grant(grant);
    }
    ledger.spend_access_token(text);
    Answer::empty(200)
}
