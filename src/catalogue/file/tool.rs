//! `[[tool]]`: what is advertised, what is sent, how the answer is read.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalogue::ScopeRequirement;
use crate::catalogue::body_template::BodyTemplate;
use crate::catalogue::constant_headers::ConstantHeaders;
use crate::catalogue::graphql::Graphql;
use crate::catalogue::inputs::Inputs;
use crate::catalogue::path_template::PathTemplate;
use crate::catalogue::pick::Pick;
use crate::catalogue::query_template::QueryTemplate;
use crate::catalogue::reply::{AlreadyDone, BodyShape, GraphqlData, ReplyShape};
use crate::catalogue::request::{RequestBody, RequestTemplate};

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
    /// The operation that the body of the request was made of.
    pub(crate) graphql: Option<Graphql>,
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
    form: Option<QueryTemplate>,
    graphql: Option<Graphql>,
    pick: Option<Pick>,
    #[serde(default)]
    text: bool,
    empty: Option<Map<String, Value>>,
    treat_as_success: Option<AlreadyDone>,
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
        let body = match (keys.body, keys.form, &keys.graphql) {
            (None, None, None) => None,
            (Some(body), None, None) => Some(RequestBody::Json(body)),
            (None, Some(form), None) => Some(RequestBody::Form(form)),
            (None, None, Some(graphql)) if method == Method::POST => {
                Some(RequestBody::Json(graphql.body()))
            }
            (None, None, Some(_)) => return Err(of_tool("`graphql` needs a `post`")),
            _ => return Err(of_tool("`body`, `form` and `graphql` exclude each other")),
        };
        if method == Method::GET && body.is_some() {
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
        let shape = match (&keys.graphql, keys.pick, keys.text) {
            (_, Some(_), true) => return Err(of_tool("`pick` and `text` exclude each other")),
            (Some(_), None, true) => {
                return Err(of_tool("`graphql` and `text` exclude each other"));
            }
            (Some(graphql), pick, false) => {
                BodyShape::Graphql(Box::new(GraphqlData::new(graphql, pick)))
            }
            (None, Some(pick), false) => BodyShape::Pick(Box::new(pick)),
            (None, None, true) => BodyShape::Text,
            (None, None, false) => BodyShape::Json,
        };
        Ok(Self {
            request: RequestTemplate {
                method,
                path: PathTemplate::parse(&path).map_err(|error| of_tool(&error))?,
                query: keys.query,
                headers: keys.headers,
                body,
            },
            reply: ReplyShape {
                body: shape,
                empty: keys.empty.map(Value::Object),
                treat_as_success: keys.treat_as_success,
            },
            graphql: keys.graphql,
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
