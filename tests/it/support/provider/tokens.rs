//! The token endpoint (RFC 6749 section 3.2).

use std::collections::BTreeMap;

use attache::base::Timestamp;
use attache::catalogue::ScopeSet;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::behaviour::RefreshTokens;
use super::dialect::{ClientProof, Repeated, Requests};
use super::http::{Answer, Request};
use super::ledger::{Code, GrantId, Ledger};
use super::{REFRESH_PATH, Violation};

/// An error code of RFC 6749 section 5.2.
pub(super) struct Refusal(pub(super) &'static str);

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
    let authenticated = authenticate(ledger, request, &params);
    let grant_type = params.get("grant_type").map(String::as_str);
    let outcome = match (authenticated, grant_type) {
        (Err(refusal), _) => Err(refuse(ledger, &refusal)),
        (Ok(()), _) if !is_written_as_wanted(ledger, request) => {
            Err(refuse(ledger, &Refusal("invalid_request")))
        }
        (Ok(()), Some("authorization_code")) => {
            redeem(ledger, &params).map_err(|refusal| refuse(ledger, &refusal))
        }
        (Ok(()), Some("refresh_token")) if has_refresh(ledger, request) => {
            refresh(ledger, &params).map_err(|refusal| refuse_refresh(ledger, &refusal))
        }
        (Ok(()), _) => Err(refuse(ledger, &Refusal("unsupported_grant_type"))),
    };
    let answer = outcome.unwrap_or_else(|refusal| refusal);
    if ledger.behaviour.token_answers_to_lose > 0 {
        ledger.behaviour.token_answers_to_lose -= 1;
        return answer.broken_off();
    }
    answer
}

fn is_written_as_wanted(ledger: &Ledger, request: &Request) -> bool {
    let is_json = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    match ledger.dialect.requests {
        Requests::Form => true,
        Requests::Json => is_json,
        Requests::Query => request.body.is_empty(),
    }
}

/// Whether refreshes are answered where this one arrived.
fn has_refresh(ledger: &Ledger, request: &Request) -> bool {
    ledger.dialect.refresh.elsewhere == (request.path == REFRESH_PATH)
}

fn refuse(ledger: &Ledger, Refusal(error): &Refusal) -> Answer {
    let habits = &ledger.behaviour.refresh;
    if habits.names_no_errors {
        return Answer::json(400, &json!({}));
    }
    let status = match *error {
        _ if habits.refuses_with_200 => 200,
        "invalid_client" => 401,
        _ => 400,
    };
    refuse_with(status, error)
}

/// A provider may have words of its own for a refresh token that is dead.
fn refuse_refresh(ledger: &Ledger, refusal: &Refusal) -> Answer {
    match &ledger.dialect.replies.dead_grant {
        Some(own) if refusal.0 == "invalid_grant" => refuse_with(own.status, &own.error),
        _ => refuse(ledger, refusal),
    }
}

/// RFC 6749 section 5.2.
pub(super) fn refuse_with(status: u16, error: &str) -> Answer {
    Answer::json(status, &json!({ "error": error }))
}

/// RFC 6749 section 2.3: HTTP Basic or parameters, one of them, and the one that the provider wants.
pub(super) fn authenticate(
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
    let known = Some((ledger.client_id.clone(), ledger.client_secret.clone()));
    let nothing_but_id = params.get("client_id") == Some(&ledger.client_id)
        && in_body.is_none()
        && in_header.is_none();
    let is_known = match ledger.dialect.client_proof {
        None => in_header.or(in_body) == known,
        Some(ClientProof::Header) => in_header == known && in_body.is_none(),
        Some(ClientProof::Body) => in_body == known && in_header.is_none(),
        Some(ClientProof::Nothing) => nothing_but_id,
        Some(ClientProof::SecretAsUser) => {
            in_header == Some((ledger.client_secret.clone(), String::new())) && in_body.is_none()
        }
    };
    if is_known {
        Ok(())
    } else {
        Err(Refusal("invalid_client"))
    }
}

/// Client id and secret of HTTP Basic, each form-encoded (RFC 6749 section 2.3.1).
pub(super) fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(BASE64.decode(encoded.as_bytes()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        url::form_urlencoded::parse(text.as_bytes())
            .next()
            .map_or_else(String::new, |(decoded, _)| decoded.into_owned())
    };
    Some((decode(id), decode(secret)))
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
        RefreshTokens::Kept
        | RefreshTokens::Rotated
        | RefreshTokens::RotatedAtTimes
        | RefreshTokens::Added => Some(ledger.issue_refresh_token(grant)),
    };
    let mut tokens = tokens(ledger, grant, refresh_token);
    if let Some(below) = ledger.dialect.replies.nested_below {
        // What stands at the top belongs to somebody else: a bot, for instance.
        let bots = ledger.secret("bot_token");
        tokens = json!({ "ok": true, "access_token": bots, below: tokens });
    }
    Ok(written(ledger, &tokens))
}

/// RFC 6749 section 6.
fn refresh(ledger: &mut Ledger, params: &BTreeMap<String, String>) -> Result<Answer, Refusal> {
    let refused = || Refusal("invalid_grant");
    let text = params
        .get("refresh_token")
        .ok_or(Refusal("invalid_request"))?;
    let token = ledger.refresh_token(text).cloned().ok_or_else(refused)?;
    has_what_it_needs(ledger, token.grant, params)?;
    if let Some(spent_at) = token.spent_at {
        replay(ledger, token.grant, spent_at)?;
    }
    ledger.grant_of(token.grant).ok_or_else(refused)?;
    if ledger.is_over(token.expires_at) {
        return Err(refused());
    }
    let uses = ledger.use_refresh_token(text);
    if ledger.behaviour.refresh.half_of_the_uses_win && uses.is_multiple_of(2) {
        return Err(refused());
    }
    let next = next_refresh_token(ledger, token.grant, text);
    if let Some(scopes) = ledger.behaviour.refresh.narrowed_scopes.clone() {
        ledger.narrow(token.grant, scopes);
    }
    let reply = renewed_tokens(ledger, token.grant, next);
    Ok(written(ledger, &reply))
}

/// What this provider demands of a refresh beyond RFC 6749.
fn has_what_it_needs(
    ledger: &Ledger,
    grant: GrantId,
    params: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let dialect = &ledger.dialect.refresh;
    let wants = |repeated| dialect.repeats.contains(&repeated);
    let grant = ledger.grant_ever(grant);
    let is_there = |(name, value): &(String, String)| params.get(name) == Some(value);
    let scope = params.get("scope").map(|scope| ScopeSet::parse(scope, ""));
    let redirect_uri = params.get("redirect_uri");
    let scope_fits = !wants(Repeated::Scope) || scope == grant.map(|grant| grant.scopes.clone());
    let redirect_uri_fits =
        !wants(Repeated::RedirectUri) || redirect_uri == grant.map(|grant| &grant.redirect_uri);
    if dialect.params.iter().all(is_there) && scope_fits && redirect_uri_fits {
        Ok(())
    } else {
        Err(Refusal("invalid_request"))
    }
}

/// The refresh token of the reply, after what happens to the one that was used.
fn next_refresh_token(ledger: &mut Ledger, grant: GrantId, used: &str) -> Option<String> {
    let refreshes = ledger.count_refresh(grant);
    match ledger.behaviour.refresh_tokens {
        RefreshTokens::Rotated => {
            ledger.spend_refresh_token(used);
            Some(ledger.issue_refresh_token(grant))
        }
        RefreshTokens::RotatedAtTimes if refreshes.is_multiple_of(2) => {
            ledger.spend_refresh_token(used);
            Some(ledger.issue_refresh_token(grant))
        }
        RefreshTokens::Added => Some(ledger.issue_refresh_token(grant)),
        RefreshTokens::Kept | RefreshTokens::RotatedAtTimes | RefreshTokens::NotIssued => ledger
            .behaviour
            .refresh
            .repeats_token
            .then(|| used.to_owned()),
    }
}

/// The tokens of a refresh: fresh ones, but for the providers that make an access token of grant and second.
fn renewed_tokens(ledger: &mut Ledger, grant: GrantId, refresh_token: Option<String>) -> Value {
    let same = ledger
        .access_token_of_this_second(grant)
        .filter(|_| ledger.behaviour.refresh.repeats_dead_access_tokens);
    if ledger.behaviour.refresh.ends_access_tokens || same.is_some() {
        ledger.end_access_tokens_of(grant);
    }
    let mut tokens = tokens(ledger, grant, refresh_token);
    if let Some(same) = same {
        tokens["access_token"] = json!(same);
    }
    tokens
}

/// A spent refresh token came again: announced by the test or not, forgiven by the provider or not.
fn replay(ledger: &mut Ledger, grant: GrantId, spent_at: Timestamp) -> Result<(), Refusal> {
    match ledger.behaviour.expected_replays.checked_sub(1) {
        Some(left) => ledger.behaviour.expected_replays = left,
        None => ledger.violate(Violation::RefreshTokenReused),
    }
    let habits = &ledger.behaviour.refresh;
    let graced = habits
        .grace
        .is_some_and(|grace| !ledger.is_over(Some(spent_at + grace)));
    if ledger.behaviour.forgives_replays || graced || habits.half_of_the_uses_win {
        return Ok(());
    }
    ledger.revoke_grant(grant);
    Err(Refusal("invalid_grant"))
}

/// RFC 6749 section 5.1.
fn tokens(ledger: &mut Ledger, grant: GrantId, refresh_token: Option<String>) -> Value {
    let scopes = ledger.grant_of(grant).map(|grant| grant.scopes.clone());
    let mut reply = json!({
        "access_token": ledger.issue_access_token(grant),
        "token_type": "Bearer",
        "scope": scopes.map(|scopes| ledger.scope_words(&scopes)),
    });
    if ledger.dialect.replies.scope_from == Some("none") {
        // What stands there has another meaning.
        reply["scope"] = json!("everything");
    }
    if !ledger.behaviour.says_scopes {
        reply.as_object_mut().expect("an object").remove("scope");
    }
    if ledger.behaviour.sites.is_some() {
        reply["instance"] = json!(ledger.behaviour.instance);
    }
    if ledger.behaviour.says_lifetime {
        reply["expires_in"] = json!(ledger.behaviour.access_token_lifetime.as_secs());
    }
    if let Some(refresh_token) = refresh_token {
        reply["refresh_token"] = json!(refresh_token);
        if let (Some(field), Some(lifetime)) = (
            &ledger.dialect.replies.refresh_expires_in,
            ledger.refresh_token_lifetime(),
        ) {
            reply[field] = json!(lifetime.as_secs());
        }
    }
    reply
}

fn written(ledger: &Ledger, reply: &Value) -> Answer {
    if !ledger.dialect.replies.form_encoded {
        return Answer::json(200, reply);
    }
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in reply.as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        form.append_pair(name, &value);
    }
    let content_type = if ledger.dialect.replies.calls_forms_web_pages {
        "text/html"
    } else {
        "application/x-www-form-urlencoded"
    };
    Answer::new(200, content_type, form.finish())
}
