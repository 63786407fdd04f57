//! The introspection endpoint (RFC 7662).

use serde_json::json;

use super::http::{Answer, Request};
use super::ledger::Ledger;
use super::tokens;

/// `POST /introspect`.
pub(super) fn answer(ledger: &mut Ledger, request: &Request) -> Answer {
    if let Some(scripted) = ledger.behaviour.introspection_answer.clone() {
        return scripted;
    }
    let params = request.params();
    if tokens::authenticate(ledger, request, &params).is_err() {
        return tokens::refuse_with(401, "invalid_client");
    }
    let token = params.get("token");
    let known = token.and_then(|token| ledger.access_token(token));
    let end = known.and_then(|token| token.expires_at);
    let live = token.is_some_and(|token| ledger.is_live(token));
    match end.filter(|_| live) {
        Some(end) => Answer::json(200, &json!({ "active": true, "exp": end.as_unix() })),
        // RFC 7662 section 2.2: nothing else is said of a dead token.
        None => Answer::json(200, &json!({ "active": false })),
    }
}
