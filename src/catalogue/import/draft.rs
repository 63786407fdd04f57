//! A whole provider file, drafted out of a document.

use std::collections::BTreeSet;

use serde_json::Value;
use url::Url;

use super::document::Document;
use super::names::Names;
use super::text::{CHECK, one_line, sentence, toml_key, toml_text, toml_value};
use super::tool::{ToolDraft, is_scope};
use super::{ImportError, Selection};

/// A provider file to be read, corrected and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The text of the file. What only a person knows stands there as `CHECK`.
    pub text: String,
    /// How many tools it has.
    pub tools: usize,
    /// The operations that could not be drafted, each with the reason.
    pub left_out: Vec<String>,
}

/// Drafts the provider `id` out of an `OpenAPI` 3 document in JSON or YAML. `place` is where the document was found, for
/// server addresses that are relative to it (`OpenAPI` 3.1 section 4.8.5).
///
/// # Errors
/// [`ImportError`], by what can be done about it.
pub fn import(
    text: &str,
    id: &str,
    selection: &Selection,
    place: Option<&Url>,
) -> Result<Draft, ImportError> {
    let document = Document::parse(text)?;
    let mut names = Names::default();
    let (mut tools, mut left_out) = (Vec::new(), Vec::new());
    for operation in selection.of(&document)? {
        match ToolDraft::of(&document, &operation, id, &mut names) {
            Ok(tool) => tools.push(tool),
            Err(reason) => left_out.push(format!("{}: {reason}", one_line(&operation.name(), 120))),
        }
    }
    if tools.is_empty() {
        return Err(ImportError::NothingLeft(left_out.join("\n")));
    }
    let mut text = head(&document, id, &tools, place);
    for tool in &tools {
        tool.write(&mut text);
    }
    Ok(Draft {
        text,
        tools: tools.len(),
        left_out,
    })
}

/// Everything before the tools.
#[expect(
    clippy::too_many_lines,
    reason = "a file from its first line to its tools, in its own order"
)]
fn head(document: &Document, id: &str, tools: &[ToolDraft], place: Option<&Url>) -> String {
    let info = |key: &str| document.at(&["info", key]).and_then(Value::as_str);
    let base = server(document, place);
    let flow = Flow::of(document);
    let hosts: BTreeSet<&str> = [Some(&base), flow.authorize.as_ref(), flow.token.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(Url::host_str)
        .collect();
    let scopes: BTreeSet<&str> = tools
        .iter()
        .flat_map(|tool| tool.scopes().iter().map(String::as_str))
        .collect();
    let docs = document
        .at(&["externalDocs", "url"])
        .and_then(Value::as_str);
    let docs = docs
        .and_then(|docs| Url::parse(docs).ok())
        .filter(|docs| docs.scheme() == "https");
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    let title = info("title")
        .map(|title| one_line(title, 60))
        .filter(|title| !title.is_empty());
    line(&format!(
        "# Drafted by `attache import openapi`. Settle every `{CHECK}`, then run `attache check`."
    ));
    line(&format!(
        "name = {}",
        toml_text(title.as_deref().unwrap_or(id))
    ));
    if let Some(docs) = docs {
        line(&format!("docs = {}", toml_text(docs.as_str())));
    }
    line(&format!(
        "base_url = {}",
        toml_text(base.as_str().trim_end_matches('/'))
    ));
    line(&format!(
        "host_allow = {}",
        toml_value(&serde_json::json!(hosts)).unwrap_or_default()
    ));
    line("headers = { Accept = \"application/json\" }");
    line(&format!("# {CHECK}: where a refusal says what is wrong."));
    line("error_text = [\"message\", \"error\"]");
    line("confidence = \"documentation\"");
    line(
        "unconfirmed = [\"This file was drafted from an OpenAPI document; no login has been made with it.\"]",
    );
    line("\n[setup]");
    line(&format!(
        "redirect_rules = \"{CHECK}: what the provider demands of a redirect URL.\""
    ));
    line(&format!(
        "steps = [\"{CHECK}: where an OAuth client is created, and what to enter there.\"]"
    ));
    line("\n[oauth]");
    line(&format!(
        "# {CHECK}: `required` unless the provider refuses PKCE."
    ));
    line("pkce = \"optional\"");
    line(&format!("# {CHECK}: `basic`, `post` or `none`."));
    line("client_auth = \"post\"");
    line(&format!(
        "scopes = {}",
        toml_value(&serde_json::json!(scopes)).unwrap_or_default()
    ));
    line("\n[oauth.scope_words]");
    for scope in &scopes {
        let words = flow.words(scope);
        let words = words.unwrap_or_else(|| format!("{CHECK}: what this scope allows"));
        line(&format!("{} = {}", toml_key(scope), toml_text(&words)));
    }
    for (key, url) in [("authorize", &flow.authorize), ("token", &flow.token)] {
        line(&format!("\n[oauth.{key}]"));
        if let Some(url) = url {
            line(&format!("url = {}", toml_text(url.as_str())));
        } else {
            line(&format!(
                "# {CHECK}: the document names no address; its host belongs into `host_allow` as well."
            ));
            line(&format!(
                "url = {}",
                toml_text(&format!("{}/oauth/{key}", origin(&base)))
            ));
        }
    }
    line("\n[oauth.revoke]");
    line(&format!(
        "# {CHECK}: where a token is revoked (RFC 7009), or the page on which a person removes access."
    ));
    line("unsupported = true");
    line("\n[account]");
    line(&format!(
        "# {CHECK}: a cheap call that only reads and names the account, and where its id and name stand."
    ));
    line(&format!("get = {}", toml_text(&account_path(document))));
    line("id = \"id\"");
    line("label = \"name\"");
    out.push_str(RULES);
    out
}

/// What most providers mean by their statuses.
const RULES: &str = r#"
[[error]]
when = { status = 401 }
is = "token_invalid"

[[error]]
when = { status = 403 }
is = "forbidden"

[[error]]
when = { status = 404 }
is = "not_found"

[[error]]
when = { status = 409 }
is = "conflict"

[[error]]
when = { status = [400, 422] }
is = "invalid"

[[error]]
when = { status = 429 }
is = "rate_limited"
retry_after = { header = "Retry-After", unit = "s" }

[[error]]
when = { status = "5xx" }
is = "retryable"
"#;

/// Where the API is: the first server, with the defaults of its variables.
fn server(document: &Document, place: Option<&Url>) -> Url {
    let first = document.at(&["servers"]).and_then(|servers| servers.get(0));
    let mut text = first
        .and_then(|server| server.get("url")?.as_str())
        .unwrap_or("/")
        .to_owned();
    let variables = first.and_then(|server| server.get("variables")?.as_object());
    for (name, variable) in variables.into_iter().flatten() {
        if let Some(default) = variable.get("default").and_then(Value::as_str) {
            text = text.replace(&format!("{{{name}}}"), default);
        }
    }
    let url = match place {
        Some(place) => place.join(&text),
        None => Url::parse(&text),
    };
    url.ok()
        .filter(is_usable)
        .unwrap_or_else(|| Url::parse("https://api.check.example").expect("a constant that parses"))
}

/// Whether an address can stand in a provider file.
fn is_usable(url: &Url) -> bool {
    url.scheme() == "https"
        && url.domain().is_some()
        && url.port().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !url.as_str().contains(['{', '}', '%'])
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// A call that sounds like the account's own.
fn account_path(document: &Document) -> String {
    const OWN: [&str; 6] = [
        "/me",
        "/user",
        "/users/me",
        "/account",
        "/v1/me",
        "/userinfo",
    ];
    let mut paths = document
        .operations()
        .filter(|operation| operation.method == "get");
    let found = paths.find(|operation| OWN.contains(&operation.path));
    found.map_or_else(|| "/me".to_owned(), |operation| operation.path.to_owned())
}

/// The first flow with a browser.
struct Flow<'d> {
    authorize: Option<Url>,
    token: Option<Url>,
    scopes: Option<&'d serde_json::Map<String, Value>>,
}

impl<'d> Flow<'d> {
    fn of(document: &'d Document) -> Self {
        let schemes = document
            .at(&["components", "securitySchemes"])
            .and_then(Value::as_object);
        let flow = schemes.into_iter().flatten().find_map(|(_, scheme)| {
            let flows = document.resolve(scheme)?.get("flows")?;
            flows
                .get("authorizationCode")
                .or_else(|| flows.get("implicit"))
        });
        let url = |key: &str| {
            let url = Url::parse(flow?.get(key)?.as_str()?).ok()?;
            is_usable(&url).then_some(url)
        };
        Self {
            authorize: url("authorizationUrl"),
            token: url("tokenUrl"),
            scopes: flow.and_then(|flow| flow.get("scopes")?.as_object()),
        }
    }

    fn words(&self, scope: &str) -> Option<String> {
        let words = self
            .scopes?
            .get(scope)
            .filter(|_| is_scope(scope))?
            .as_str()?;
        Some(sentence(words, 120)?.trim_end_matches('.').to_owned())
    }
}

#[cfg(test)]
mod tests;
