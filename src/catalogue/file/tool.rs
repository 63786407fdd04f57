//! `[[tool]]`: what is advertised, what is sent, how the answer is read.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalogue::ScopeRequirement;
use crate::catalogue::body_template::BodyTemplate;
use crate::catalogue::constant_headers::ConstantHeaders;
use crate::catalogue::inputs::Inputs;
use crate::catalogue::path_template::PathTemplate;
use crate::catalogue::pick::Pick;
use crate::catalogue::query_template::QueryTemplate;
use crate::catalogue::reply::{BodyShape, ReplyShape};
use crate::catalogue::request::RequestTemplate;

/// One `[[tool]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ToolKeys")]
pub(crate) struct ToolFile {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) hints: Hints,
    pub(crate) effects: Vec<Effect>,
    pub(crate) scopes: ScopeRequirement,
    pub(crate) request: RequestTemplate,
    pub(crate) reply: ReplyShape,
    pub(crate) inputs: Inputs,
    pub(crate) example: Map<String, Value>,
}

/// What a tool does to the world, as MCP's tool annotations say it. Declared by the file, never inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are the four tool annotations of MCP (2025-11-25, server/tools)"
)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something, rather than only add.
    pub destructive: bool,
    /// Calling it again with the same arguments changes nothing more.
    pub idempotent: bool,
    /// It reaches things outside the provider's closed world: other people, the public.
    pub open_world: bool,
}

/// What a call does that policy may want to hold back, beyond the hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Somebody is notified.
    SendsMessage,
    /// Somebody gains access to data.
    SharesData,
    /// Money moves.
    SpendsMoney,
    /// Something is gone afterwards.
    Deletes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolKeys {
    name: String,
    title: String,
    description: String,
    read_only: Option<bool>,
    destructive: Option<bool>,
    idempotent: Option<bool>,
    open_world: Option<bool>,
    #[serde(default)]
    effects: Vec<Effect>,
    scopes: ScopeRequirement,
    get: Option<String>,
    post: Option<String>,
    put: Option<String>,
    patch: Option<String>,
    delete: Option<String>,
    #[serde(default)]
    query: QueryTemplate,
    #[serde(default)]
    headers: ConstantHeaders,
    body: Option<BodyTemplate>,
    pick: Option<Pick>,
    #[serde(default)]
    text: bool,
    empty: Option<Map<String, Value>>,
    #[serde(default)]
    input: Inputs,
    example: Map<String, Value>,
}

impl TryFrom<ToolKeys> for ToolFile {
    type Error = String;

    fn try_from(keys: ToolKeys) -> Result<Self, String> {
        let of_tool = |problem: &str| format!("tool `{}`: {problem}", keys.name);
        let mut lines = [
            (Method::GET, keys.get),
            (Method::POST, keys.post),
            (Method::PUT, keys.put),
            (Method::PATCH, keys.patch),
            (Method::DELETE, keys.delete),
        ]
        .into_iter()
        .filter_map(|(method, path)| Some((method, path?)));
        let (Some((method, path)), None) = (lines.next(), lines.next()) else {
            return Err(of_tool(
                "it has exactly one of `get`, `post`, `put`, `patch` and `delete`",
            ));
        };
        if method == Method::GET && keys.body.is_some() {
            return Err(of_tool("a `get` has no `body`"));
        }
        let hint = |name: &str, hint: Option<bool>| {
            hint.ok_or_else(|| {
                of_tool(&format!(
                    "`{name}` is not declared: the four hints have no default"
                ))
            })
        };
        let hints = Hints {
            read_only: hint("read_only", keys.read_only)?,
            destructive: hint("destructive", keys.destructive)?,
            idempotent: hint("idempotent", keys.idempotent)?,
            open_world: hint("open_world", keys.open_world)?,
        };
        let body = match (keys.pick, keys.text) {
            (Some(_), true) => return Err(of_tool("`pick` and `text` exclude each other")),
            (Some(pick), false) => BodyShape::Pick(Box::new(pick)),
            (None, true) => BodyShape::Text,
            (None, false) => BodyShape::Json,
        };
        Ok(Self {
            request: RequestTemplate {
                method,
                path: PathTemplate::parse(&path).map_err(|error| of_tool(&error))?,
                query: keys.query,
                headers: keys.headers,
                body: keys.body,
            },
            reply: ReplyShape {
                body,
                empty: keys.empty.map(Value::Object),
            },
            name: keys.name,
            title: keys.title,
            description: keys.description,
            hints,
            effects: keys.effects,
            scopes: keys.scopes,
            inputs: keys.input,
            example: keys.example,
        })
    }
}
