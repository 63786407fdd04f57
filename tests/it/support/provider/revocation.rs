//! The revocation endpoint: RFC 7009, and what real providers have in its place.

use serde_json::json;

use super::Violation;
use super::http::{Answer, Request};
use super::ledger::Ledger;
use super::tokens::{authenticate, basic, refuse_with};

/// Below this path everything is revocation.
pub(super) const REVOCATION_PATH: &str = "/revoke";

/// How a token is taken back here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RevocationStyle {
    /// RFC 7009: the token in a form, the client authenticated as at the token endpoint.
    #[default]
    Rfc7009,
    /// The same without any authentication: whoever holds the token may end it.
    Anonymous,
    /// `POST` with the access token as a bearer token and no body.
    Bearer,
    /// The same, and the reply says in `revoked` whether it happened.
    BearerConfirmed,
    /// The token both as a bearer token and in the form.
    BearerAndField,
    /// `DELETE` on the client's own address, HTTP Basic, the access token in JSON.
    DeleteJson,
    /// `DELETE` with the access token as a bearer token.
    DeleteBearer,
    /// `DELETE` on an address that ends with the token.
    DeletePath,
    /// The token in JSON, HTTP Basic.
    Json,
    /// The access token, client id and secret in JSON under names of its own.
    JsonOwnNames,
    /// The access token in a form under its own name, and nothing else.
    AccessTokenField,
    /// RFC 7009 for refresh tokens alone; access tokens end with them.
    RefreshTokenOnly,
    /// There is no way.
    Unsupported,
}

/// A revocation request that came as it should: the token that it names.
type Accepted = Result<String, Answer>;

impl RevocationStyle {
    /// Every style.
    pub(crate) const ALL: [Self; 13] = [
        Self::Rfc7009,
        Self::Anonymous,
        Self::Bearer,
        Self::BearerConfirmed,
        Self::BearerAndField,
        Self::DeleteJson,
        Self::DeleteBearer,
        Self::DeletePath,
        Self::Json,
        Self::JsonOwnNames,
        Self::AccessTokenField,
        Self::RefreshTokenOnly,
        Self::Unsupported,
    ];

    /// The table `[oauth.revoke]`.
    pub(super) fn table(self, origin: &str) -> String {
        let keys = match self {
            Self::Rfc7009 => RFC7009,
            Self::Anonymous => ANONYMOUS,
            Self::Bearer => BEARER,
            Self::BearerConfirmed => BEARER_CONFIRMED,
            Self::BearerAndField => BEARER_AND_FIELD,
            Self::DeleteJson => DELETE_JSON,
            Self::DeleteBearer => DELETE_BEARER,
            Self::DeletePath => DELETE_PATH,
            Self::Json => JSON,
            Self::JsonOwnNames => JSON_OWN_NAMES,
            Self::AccessTokenField => ACCESS_TOKEN_FIELD,
            Self::RefreshTokenOnly => REFRESH_TOKEN_ONLY,
            Self::Unsupported => UNSUPPORTED,
        };
        format!("\n[oauth.revoke]\n{}", keys.replace('@', origin))
    }

    /// Takes a request apart; it must have exactly this style.
    fn accept(self, ledger: &mut Ledger, request: &Request) -> Accepted {
        let post = request.method == "POST" && request.path == REVOCATION_PATH;
        let delete = request.method == "DELETE" && request.path == REVOCATION_PATH;
        let below = request.path.strip_prefix("/revoke/").unwrap_or_default();
        let below = percent_decode(below);
        let bearer = request.bearer().map(str::to_owned);
        let is_json = request
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"));
        let field = |name: &str| request.param(name).ok_or_else(wrong);
        let known = (ledger.client_id.clone(), ledger.client_secret.clone());
        let basic_is_known = basic(request).as_ref() == Some(&known);
        match self {
            Self::Rfc7009 | Self::RefreshTokenOnly if post && !is_json => {
                authenticate(ledger, request, &request.params())
                    .map_err(|refusal| refuse_with(401, refusal.0))?;
                field("token")
            }
            Self::Anonymous if post && only_fields(request, &["token"]) => field("token"),
            Self::AccessTokenField if post && only_fields(request, &["access_token"]) => {
                field("access_token")
            }
            Self::Bearer | Self::BearerConfirmed if post && request.body.is_empty() => {
                bearer.ok_or_else(wrong)
            }
            Self::BearerAndField if post && !is_json && bearer == request.param("token") => {
                field("token")
            }
            Self::DeleteJson
                if request.method == "DELETE"
                    && below == format!("{}/token", ledger.client_id)
                    && is_json
                    && basic_is_known =>
            {
                field("access_token")
            }
            Self::DeleteBearer if delete && request.body.is_empty() => bearer.ok_or_else(wrong),
            Self::DeletePath if request.method == "DELETE" && request.body.is_empty() => Ok(below),
            Self::Json if post && is_json && basic_is_known => field("token"),
            Self::JsonOwnNames
                if post
                    && is_json
                    && request.header("authorization").is_none()
                    && (field("clientId")?, field("clientSecret")?) == known =>
            {
                field("accessToken")
            }
            _ => Err(wrong()),
        }
    }
}

const RFC7009: &str = r#"post = "@/revoke"
auth = "client"
token_param = "token"
send_hint = true
tokens = "refresh_then_access"
"#;

const ANONYMOUS: &str = r#"post = "@/revoke"
auth = "none"
token_param = "token"
tokens = "refresh_then_access"
"#;

const BEARER: &str = r#"post = "@/revoke"
auth = "bearer"
tokens = "access"
"#;

const BEARER_CONFIRMED: &str = r#"post = "@/revoke"
auth = "bearer"
tokens = "access"
confirmed_by = "revoked"
already_dead = ["token_revoked"]
"#;

const BEARER_AND_FIELD: &str = r#"post = "@/revoke"
auth = "bearer"
token_param = "token"
tokens = "refresh_then_access"
"#;

const DELETE_JSON: &str = r#"delete = "@/revoke/{client_id}/token"
auth = "client_basic"
encoding = "json"
token_param = "access_token"
tokens = "access"
"#;

const DELETE_BEARER: &str = r#"delete = "@/revoke"
auth = "bearer"
tokens = "access"
"#;

const DELETE_PATH: &str = r#"delete = "@/revoke/{token}"
auth = "none"
tokens = "access"
"#;

const JSON: &str = r#"post = "@/revoke"
auth = "client_basic"
encoding = "json"
token_param = "token"
tokens = "refresh_then_access"
"#;

const JSON_OWN_NAMES: &str = r#"post = "@/revoke"
auth = "client"
encoding = "json"
token_param = "accessToken"
client_id_param = "clientId"
client_secret_param = "clientSecret"
tokens = "access"
"#;

const ACCESS_TOKEN_FIELD: &str = r#"post = "@/revoke"
auth = "none"
token_param = "access_token"
tokens = "access"
"#;

const REFRESH_TOKEN_ONLY: &str = r#"post = "@/revoke"
auth = "client"
token_param = "token"
tokens = "refresh"
"#;

const UNSUPPORTED: &str = r#"unsupported = true
manual_url = "@/apps"
"#;

fn wrong() -> Answer {
    refuse_with(400, "invalid_request")
}

/// Whether the form has these fields and no other, and no header vouches for anyone.
fn only_fields(request: &Request, names: &[&str]) -> bool {
    let params = request.params();
    request.header("authorization").is_none() && params.keys().eq(names.iter())
}

fn percent_decode(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment)
        .decode_utf8_lossy()
        .into_owned()
}

/// Every request to the revocation endpoint. A refresh token takes its whole family along, an access token only itself;
/// an unknown token is no error (RFC 7009 section 2.2) unless the provider says otherwise.
pub(super) fn answer(ledger: &mut Ledger, request: &Request) -> Answer {
    if ledger.behaviour.revocation_is_down || ledger.behaviour.take_revocation_fault() {
        return refuse_with(503, "temporarily_unavailable");
    }
    let style = ledger.dialect.revocation;
    let text = match style.accept(ledger, request) {
        Ok(text) => text,
        Err(refusal) => {
            let request = format!("{} {}", request.method, request.path);
            ledger.violate(Violation::RevocationNotUnderstood { request, style });
            return refusal;
        }
    };
    let answer = revoke(ledger, style, &text);
    if ledger.behaviour.revocation_answers_to_lose > 0 {
        ledger.behaviour.revocation_answers_to_lose -= 1;
        return answer.broken_off();
    }
    answer
}

fn revoke(ledger: &mut Ledger, style: RevocationStyle, text: &str) -> Answer {
    if !ledger.is_live(text) {
        if let Some((status, error)) = ledger.behaviour.dead_token_refusal.clone() {
            return refuse_with(status, &error);
        }
        if style == RevocationStyle::BearerConfirmed {
            return Answer::json(200, &json!({ "ok": false, "error": "token_revoked" }));
        }
    }
    if ledger.behaviour.ignores_revocations {
        return success(style, false);
    }
    let grant = ledger.refresh_token(text).map(|token| token.grant);
    let ends_grant = ledger.behaviour.revocation_ends_grant;
    let grant = grant.or_else(|| {
        ledger
            .access_token(text)
            .filter(|_| ends_grant)
            .map(|token| token.grant)
    });
    if let Some(grant) = grant {
        ledger.revoke_grant(grant);
    }
    ledger.spend_access_token(text);
    success(style, true)
}

fn success(style: RevocationStyle, revoked: bool) -> Answer {
    match style {
        RevocationStyle::BearerConfirmed => {
            Answer::json(200, &json!({ "ok": true, "revoked": revoked }))
        }
        RevocationStyle::DeleteJson
        | RevocationStyle::DeleteBearer
        | RevocationStyle::JsonOwnNames => Answer::empty(204),
        _ => Answer::empty(200),
    }
}
