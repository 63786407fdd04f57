//! The provider's API: who am I, and a list of things of one's own.

use serde_json::{Value, json};

use super::http::{Answer, Request};
use super::ledger::Ledger;

/// Who asks, by the access token, and with which right.
fn authorize(ledger: &Ledger, request: &Request, scope: &str) -> Result<String, Answer> {
    let token = request.bearer().and_then(|text| ledger.access_token(text));
    let grant = token
        .filter(|token| ledger.opens_the_api(token))
        .and_then(|token| ledger.grant_ever(token.grant));
    let (Some(token), Some(grant)) = (token, grant) else {
        return Err(invalid_token(401));
    };
    if ledger.is_over(token.expires_at) {
        return Err(invalid_token(ledger.behaviour.expired_token_status));
    }
    let through_writing = ledger.behaviour.writing_implies_reading
        && scope == "things:read"
        && grant.scopes.contains("things:write");
    if !grant.scopes.contains(scope) && !through_writing {
        let body = json!({ "error": "insufficient_scope", "scope": scope });
        return Err(Answer::json(403, &body));
    }
    Ok(grant.person.clone())
}

/// RFC 6750 section 3.1.
fn invalid_token(status: u16) -> Answer {
    Answer::json(status, &json!({ "error": "invalid_token" }))
        .header("www-authenticate", r#"Bearer error="invalid_token""#)
}

/// Every request below `/api/`.
pub(super) fn answer(ledger: &mut Ledger, request: &Request) -> Answer {
    if let Some(scripted) = ledger.behaviour.api_answer.clone() {
        return scripted;
    }
    if let Some(of_sites) = sites(ledger, request) {
        return of_sites.unwrap_or_else(|refusal| refusal);
    }
    let thing = request.path.strip_prefix("/api/things/");
    let outcome = match (request.method.as_str(), request.path.as_str(), thing) {
        ("GET", "/api/me", _) => me(ledger, request),
        ("GET", "/api/things", _) => list(ledger, request),
        ("POST", "/api/things", _) => create(ledger, request),
        ("DELETE", _, Some(number)) => delete(ledger, request, number),
        _ => Err(not_found()),
    };
    outcome.unwrap_or_else(|refusal| refusal)
}

/// The sites of an account, and the notes of one of them, at `/api/at/{instance}/sites/{id}/notes`.
fn sites(ledger: &Ledger, request: &Request) -> Option<Result<Answer, Answer>> {
    let sites = ledger.behaviour.sites.as_ref()?;
    if request.path == "/api/sites" {
        let site = |(id, name): &(String, String)| json!({ "id": id, "name": name, "link": format!("https://{id}.acme.test") });
        let list: Vec<Value> = sites.iter().map(site).collect();
        let allowed = authorize(ledger, request, "profile");
        return Some(allowed.map(|_| Answer::json(200, &json!(list))));
    }
    let (instance, rest) = request
        .path
        .strip_prefix("/api/at/")?
        .split_once("/sites/")?;
    let site = rest.strip_suffix("/notes")?;
    let known = instance == ledger.behaviour.instance && sites.iter().any(|(id, _)| id == site);
    let allowed = authorize(ledger, request, "things:read");
    Some(allowed.and_then(|person| {
        let notes = json!({ "site": site, "instance": instance, "person": person });
        known
            .then(|| Answer::json(200, &notes))
            .ok_or_else(not_found)
    }))
}

fn me(ledger: &Ledger, request: &Request) -> Result<Answer, Answer> {
    let person = authorize(ledger, request, "profile")?;
    let profile = json!({
        "id": format!("{}-{person}", ledger.name),
        "name": person,
        "email": format!("{person}@{}.test", ledger.name),
    });
    Ok(Answer::json(200, &profile))
}

fn list(ledger: &Ledger, request: &Request) -> Result<Answer, Answer> {
    let person = authorize(ledger, request, "things:read")?;
    let things = ledger.accounts.get(&person).map(|account| &account.things);
    let things: Vec<Value> = things
        .into_iter()
        .flatten()
        .map(|(id, name)| json!({ "id": id, "name": name }))
        .collect();
    Ok(Answer::json(200, &json!({ "things": things })))
}

fn create(ledger: &mut Ledger, request: &Request) -> Result<Answer, Answer> {
    let person = authorize(ledger, request, "things:write")?;
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let Some(name) = body["name"].as_str().filter(|name| !name.is_empty()) else {
        let refusal = json!({ "error": "invalid", "message": "a thing needs a name" });
        return Err(Answer::json(422, &refusal));
    };
    let account = ledger.accounts.get_mut(&person).ok_or_else(not_found)?;
    account.things_ever += 1;
    let id = account.things_ever;
    account.things.insert(id, name.to_owned());
    Ok(Answer::json(201, &json!({ "id": id, "name": name })))
}

fn delete(ledger: &mut Ledger, request: &Request, number: &str) -> Result<Answer, Answer> {
    let person = authorize(ledger, request, "things:write")?;
    let account = ledger.accounts.get_mut(&person).ok_or_else(not_found)?;
    let number: u64 = number.parse().map_err(|_| not_found())?;
    account.things.remove(&number).ok_or_else(not_found)?;
    Ok(Answer::empty(204))
}

fn not_found() -> Answer {
    Answer::json(404, &json!({ "error": "not_found" }))
}
