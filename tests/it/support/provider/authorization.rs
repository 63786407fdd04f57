//! The authorization endpoint (RFC 6749 section 3.1), its consent page, and the person who reads it.

use std::collections::BTreeMap;

use attache::catalogue::ScopeSet;
use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use super::behaviour::Iss;
use super::http::{Answer, Request};
use super::ledger::{AuthorizationRequest, GrantId, Ledger};
use super::{CALLBACK_SCOPES, SCOPES, Violation};

/// `GET /authorize`: a page with two buttons, or an error page. Never a redirect: nothing is decided yet.
pub(super) fn show_consent_page(ledger: &mut Ledger, request: &Request) -> Answer {
    let Some(person) = ledger.signed_in.clone() else {
        return refuse("nobody is signed in at the provider: call `has_account` first");
    };
    let authorization = match accept(ledger, request) {
        Ok(authorization) => authorization,
        Err(reason) => return refuse(&reason),
    };
    let scopes = authorization.scopes.to_string();
    let number = ledger.requests.len().to_string();
    ledger.undecided.insert(number.clone(), authorization);
    Answer::html(
        200,
        format!(
            r#"<!doctype html><title>Allow access</title><h1>Signed in as {person}</h1><p id="scopes">{scopes}</p>
<form method="post" action="/authorize"><input type="hidden" name="request" value="{number}">
<button id="allow" name="decision" value="allow">Allow</button>
<button id="deny" name="decision" value="deny">Deny</button></form>"#
        ),
    )
}

/// Checks the authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
fn accept(ledger: &mut Ledger, request: &Request) -> Result<AuthorizationRequest, String> {
    let mut params = BTreeMap::new();
    for (name, value) in request.query_pairs() {
        if params.insert(name.clone(), value).is_some() {
            ledger.violate(Violation::ParameterTwice { name: name.clone() });
            return Err(format!("the parameter `{name}` came twice"));
        }
    }
    let mut take = |name: &str| params.remove(name);
    if take("client_id").as_deref() != Some(ledger.client_id.as_str()) {
        return Err("the client is unknown".to_owned());
    }
    let redirect_uri = check_redirect_uri(ledger, take("redirect_uri"))?;
    if take("response_type").as_deref() != Some("code") {
        return Err("the response type is not `code`".to_owned());
    }
    if take("response_mode").is_some_and(|mode| mode != "query") {
        return Err("the response mode is not `query`".to_owned());
    }
    let Some(state) = take("state").filter(|state| !state.is_empty()) else {
        ledger.violate(Violation::StateMissing);
        return Err("there is no state".to_owned());
    };
    let method = take("code_challenge_method");
    // SHA-256 in unpadded base64url is 43 characters long.
    let challenge = take("code_challenge").filter(|challenge| challenge.len() == 43);
    let (Some("S256"), Some(challenge)) = (method.as_deref(), challenge) else {
        ledger.violate(Violation::ChallengeNotS256 { method });
        return Err("there is no S256 code challenge".to_owned());
    };
    let mut scopes = ScopeSet::parse(&take(ledger.dialect.scope_param()).unwrap_or_default(), "");
    if let Some(optional) = ledger.dialect.optional.clone() {
        let refusable = ScopeSet::parse(&take(optional.optional_param).unwrap_or_default(), "");
        let wrong = refusable.difference(&ScopeSet::parse(optional.scope, ""));
        if !wrong.is_empty() || scopes.contains(optional.scope) {
            return Err("scopes stand in the parameter of others".to_owned());
        }
        scopes = scopes.union(&refusable);
    }
    let unknown = scopes.difference(&ScopeSet::parse(SCOPES, ""));
    if !unknown.is_empty() {
        return Err(format!("the scopes {unknown} are unknown"));
    }
    Ok(AuthorizationRequest {
        redirect_uri,
        state,
        challenge,
        scopes,
    })
}

fn check_redirect_uri(ledger: &Ledger, redirect_uri: Option<String>) -> Result<String, String> {
    let redirect_uri = redirect_uri.ok_or("there is no redirect URI")?;
    if ledger
        .redirect_uri
        .as_ref()
        .is_some_and(|registered| *registered != redirect_uri)
    {
        return Err(format!("the redirect URI {redirect_uri} is not registered"));
    }
    match Url::parse(&redirect_uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.fragment().is_none() => {
            Ok(redirect_uri)
        }
        _ => Err(format!("{redirect_uri} cannot be a redirect URI")),
    }
}

fn refuse(reason: &str) -> Answer {
    Answer::html(
        400,
        format!("<!doctype html><title>Refused</title><p>{reason}</p>"),
    )
}

/// `POST /authorize`: the person decides, and the browser goes back to the client.
pub(super) fn decide(ledger: &mut Ledger, request: &Request) -> Answer {
    let params = request.params();
    let authorization = params
        .get("request")
        .and_then(|number| ledger.undecided.remove(number));
    let (Some(authorization), Some(person)) = (authorization, ledger.signed_in.clone()) else {
        return refuse("there is nothing to decide");
    };
    let allowed = params
        .get("decision")
        .is_some_and(|decision| decision == "allow");
    let mut callback = Url::parse(&authorization.redirect_uri).expect("checked when it came");
    if allowed && !ledger.behaviour.denies_access {
        let asked = authorization.scopes.clone();
        let mut scopes = ledger.behaviour.granted_scopes.clone().unwrap_or(asked);
        if ledger.behaviour.adds_up_grants {
            scopes = scopes.union(&ledger.granted_by(&person));
        }
        let grant = ledger.grant(&person, scopes, &authorization.redirect_uri);
        let code = ledger.issue_code(grant, &authorization);
        callback.query_pairs_mut().append_pair("code", &code);
        say_scopes(ledger, grant, &mut callback);
    } else {
        callback
            .query_pairs_mut()
            .append_pair("error", "access_denied");
    }
    callback
        .query_pairs_mut()
        .append_pair("state", &authorization.state);
    match &ledger.behaviour.iss {
        Iss::Own => {
            callback
                .query_pairs_mut()
                .append_pair("iss", &ledger.issuer());
        }
        Iss::Other(issuer) => {
            callback.query_pairs_mut().append_pair("iss", issuer);
        }
        Iss::Missing => {}
    }
    if ledger.dialect.proves_callbacks {
        prove(ledger, &mut callback);
    }
    // 303: the browser must not repeat the form at the client (RFC 9700 section 4.12).
    Answer::empty(303).header("location", callback)
}

/// Some providers say here what was granted, with commas.
fn say_scopes(ledger: &Ledger, grant: GrantId, callback: &mut Url) {
    let granted = ledger.grant_of(grant).map(|grant| grant.scopes.join(","));
    if let (Some("callback"), Some(granted)) = (ledger.dialect.replies.scope_from, granted) {
        let mut query = callback.query_pairs_mut();
        query.append_pair(CALLBACK_SCOPES, &granted);
    }
}

/// The query gets an HMAC of itself: HMAC-SHA256 (RFC 2104) written out, so that no code of the product judges itself.
fn prove(ledger: &Ledger, callback: &mut Url) {
    callback
        .query_pairs_mut()
        .append_pair("shop", "100% kites & more.example")
        .append_pair("timestamp", "1795413600");
    let mut pairs: Vec<_> = callback
        .query_pairs()
        .map(|(name, value)| format!("{name}={}", value.replace('%', "%25").replace('&', "%26")))
        .collect();
    pairs.sort();
    let mut key = [0_u8; 64];
    let digest = Sha256::digest(ledger.client_secret.as_bytes());
    let secret = ledger.client_secret.as_bytes();
    let secret = if secret.len() > key.len() {
        &digest[..]
    } else {
        secret
    };
    key[..secret.len()].copy_from_slice(secret);
    let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36));
    let inner = inner.chain_update(pairs.join("&")).finalize();
    let outer = Sha256::new().chain_update(key.map(|byte| byte ^ 0x5c));
    let proof = HEXLOWER.encode(&outer.chain_update(inner).finalize());
    callback.query_pairs_mut().append_pair("hmac", &proof);
}

/// `GET /.well-known/oauth-authorization-server` (RFC 8414).
pub(super) fn metadata(ledger: &Ledger) -> Answer {
    Answer::json(
        200,
        &json!({
            "issuer": ledger.issuer(),
            "authorization_endpoint": ledger.url("/authorize"),
            "token_endpoint": ledger.url("/token"),
            "revocation_endpoint": ledger.url("/revoke"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": true,
            "scopes_supported": SCOPES.split(' ').collect::<Vec<_>>(),
        }),
    )
}

/// What the person does with a link to the provider: opens it, reads the page, presses "Allow" (which a provider
/// that denies access takes for "Deny"). Returns where the browser is sent.
///
/// # Errors
/// The text of the provider's error page.
pub(super) async fn visit(authorization_url: &Url) -> Result<Url, String> {
    let browser = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client without proxy and redirects");
    let page = browser.get(authorization_url.clone()).send().await;
    let page = page.map_err(|error| format!("the page did not open: {error}"))?;
    let shown = page.status().is_success();
    let page = page.text().await.map_err(|error| error.to_string())?;
    let number = between(&page, r#"name="request" value=""#, "\"").filter(|_| shown);
    let Some(number) = number else {
        return Err(between(&page, "<p>", "</p>").unwrap_or(&page).to_owned());
    };
    let mut form = authorization_url.clone();
    form.set_query(None);
    let decided = browser
        .post(form)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("request={number}&decision=allow"))
        .send()
        .await
        .map_err(|error| format!("the decision did not arrive: {error}"))?;
    let location = decided
        .headers()
        .get("location")
        .and_then(|value| value.to_str().ok());
    location
        .and_then(|location| Url::parse(location).ok())
        .ok_or_else(|| {
            format!(
                "the provider answered {} without a redirect",
                decided.status()
            )
        })
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?
        .1
        .split_once(end)
        .map(|(found, _)| found)
}
