//! One operation as the draft of a tool.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::document::{Document, Operation};
use super::example::example;
use super::names::{Names, snake_case};
use super::schema::{closed, described, merged, required, writable};
use super::text::{CHECK, one_line, sentence, toml_key, toml_text, toml_value};

/// How long the words of a tool may be.
const LONGEST_DESCRIPTION: usize = 600;
/// Headers that are filled in for every request.
const OUR_HEADERS: [&str; 6] = [
    "authorization",
    "content-type",
    "accept",
    "host",
    "cookie",
    "content-length",
];

/// A tool, before it is written down.
pub(super) struct ToolDraft {
    name: String,
    title: String,
    description: String,
    method: &'static str,
    path: String,
    scopes: Vec<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Body>,
    reply: Reply,
    inputs: Vec<Input>,
    /// What a person has to look at, each a line.
    doubts: Vec<String>,
}

struct Input {
    name: String,
    schema: Map<String, Value>,
    description: String,
    is_required: bool,
    example: Option<Value>,
}

enum Body {
    Json(Vec<(String, String)>),
    WholeJson(String),
    Form(Vec<(String, String)>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reply {
    Json,
    Text,
    Nothing,
}

/// Collects the arguments of one operation under names that are free.
struct Inputs<'d> {
    document: &'d Document,
    names: Names,
    taken: Vec<Input>,
}

impl Inputs<'_> {
    /// Takes a parameter or a field in, and gives back the name of its argument.
    fn take(
        &mut self,
        theirs: &str,
        holder: &Value,
        schema: &Value,
        is_required: bool,
    ) -> Option<String> {
        let name = self.names.free(&snake_case(theirs)?);
        let schema_of = closed(self.document, schema);
        let words = described(self.document, holder).or_else(|| described(self.document, schema));
        let resolved = self.document.resolve(schema);
        let given = holder.get("example").or_else(|| resolved?.get("example"));
        self.taken.push(Input {
            description: words
                .unwrap_or_else(|| format!("{CHECK}: say what `{}` is.", one_line(theirs, 60))),
            example: is_required.then(|| example(&schema_of, given)).flatten(),
            schema: schema_of,
            is_required,
            name: name.clone(),
        });
        Some(name)
    }
}

impl ToolDraft {
    /// Drafts a tool; the error says why the operation cannot be one.
    pub(super) fn of(
        document: &Document,
        operation: &Operation<'_>,
        provider: &str,
        names: &mut Names,
    ) -> Result<Self, String> {
        let mut inputs = Inputs {
            document,
            names: Names::default(),
            taken: Vec::new(),
        };
        let mut doubts = Vec::new();
        let (mut query, mut headers, mut in_path) = (Vec::new(), Vec::new(), BTreeMap::new());
        for parameter in parameters(document, operation) {
            let text = |key: &str| {
                parameter
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let (theirs, place) = (text("name"), text("in"));
            let is_required = parameter.get("required") == Some(&Value::Bool(true));
            let schema = schema_of_parameter(parameter);
            match place {
                "path" => {
                    if let Some(name) = inputs.take(theirs, parameter, schema, true) {
                        if !is_scalar(inputs.taken.last()) {
                            return Err(format!(
                                "its path takes `{}`, which is no text and no number",
                                one_line(theirs, 60)
                            ));
                        }
                        in_path.insert(theirs.to_owned(), name);
                    }
                }
                "query" if text("style") == "deepObject" => {
                    doubts.push(format!(
                        "the parameter {} (deepObject) was left out",
                        one_line(theirs, 60)
                    ));
                }
                "query" => {
                    let Some(name) = inputs.take(theirs, parameter, schema, is_required) else {
                        continue;
                    };
                    let is_list = kind(inputs.taken.last()) == Some("array");
                    let is_exploded = parameter.get("explode") != Some(&Value::Bool(false));
                    query.push((
                        theirs.to_owned(),
                        match (is_list, is_exploded) {
                            (true, true) => format!("{{ repeat = \"${name}\" }}"),
                            (true, false) => format!("{{ csv = \"${name}\" }}"),
                            (false, _) => format!("\"${name}\""),
                        },
                    ));
                }
                "header" if OUR_HEADERS.contains(&theirs.to_ascii_lowercase().as_str()) => {}
                "header" if is_header_name(theirs) => {
                    if let Some(name) = inputs.take(theirs, parameter, schema, is_required) {
                        headers.push((theirs.to_owned(), format!("\"${name}\"")));
                    }
                }
                _ if is_required => {
                    return Err(format!(
                        "it demands `{}` in a {}",
                        one_line(theirs, 60),
                        one_line(place, 20)
                    ));
                }
                _ => {}
            }
        }
        let body = body(document, operation, &mut inputs)?;
        let path = our_path(operation.path, &in_path)?;
        let reply = reply(document, operation);
        if reply == Reply::Json {
            doubts.push(
                "the answer passes through as it is; a `pick` would save a model most of the words"
                    .to_owned(),
            );
        }
        let name = name(operation, provider);
        Ok(Self {
            title: title(operation, &name, provider),
            description: description(operation),
            scopes: scopes(document, operation),
            name: names.free(&name),
            method: operation.method,
            path,
            query,
            headers,
            body,
            reply,
            inputs: inputs.taken,
            doubts,
        })
    }

    /// The scopes that it needs.
    pub(super) fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Writes it down.
    pub(super) fn write(&self, out: &mut String) {
        let (only_reads, deletes) = (self.method == "get", self.method == "delete");
        let changes = matches!(self.method, "put" | "patch" | "delete");
        let is_idempotent = matches!(self.method, "get" | "put" | "delete");
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        line("\n\n[[tool]]".to_owned());
        for doubt in &self.doubts {
            line(format!("# {CHECK}: {doubt}."));
        }
        line(format!("name = {}", toml_text(&self.name)));
        line(format!("title = {}", toml_text(&self.title)));
        line(format!("description = {}", toml_text(&self.description)));
        line(format!(
            "# {CHECK} the four hints: they follow from the method alone."
        ));
        line(format!("read_only = {only_reads}"));
        line(format!("destructive = {changes}"));
        line(format!("idempotent = {is_idempotent}"));
        line("open_world = true".to_owned());
        if deletes {
            line("effects = [\"deletes\"]".to_owned());
        }
        line(format!(
            "scopes = {}",
            toml_value(&json!(self.scopes)).unwrap_or_default()
        ));
        line(format!("{} = {}", self.method, toml_text(&self.path)));
        for (key, pairs) in [("query", &self.query), ("headers", &self.headers)] {
            if !pairs.is_empty() {
                line(format!("{key} = {}", table(pairs)));
            }
        }
        match &self.body {
            Some(Body::Json(fields)) => line(format!("body = {}", table(fields))),
            Some(Body::Form(fields)) => line(format!("form = {}", table(fields))),
            Some(Body::WholeJson(name)) => line(format!("body = \"${name}\"")),
            None => {}
        }
        match self.reply {
            Reply::Json => {}
            Reply::Text => line("text = true".to_owned()),
            Reply::Nothing => line("empty = { ok = true }".to_owned()),
        }
        let example: Map<String, Value> = self
            .inputs
            .iter()
            .filter_map(|input| Some((input.name.clone(), input.example.clone()?)))
            .collect();
        let unknown = self
            .inputs
            .iter()
            .any(|input| input.is_required && input.example.is_none());
        if unknown {
            line(format!("# {CHECK}: the example lacks a required argument."));
        }
        line(format!(
            "example = {}",
            toml_value(&example.into()).unwrap_or_default()
        ));
        self.inputs.iter().for_each(|input| input.write(out));
    }
}

impl Input {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "\n[tool.input.{}]", toml_key(&self.name));
        for (key, value) in &self.schema {
            if let Some(value) = toml_value(value) {
                let _ = writeln!(out, "{} = {value}", toml_key(key));
            }
        }
        if !self.is_required {
            out.push_str("required = false\n");
        }
        let _ = writeln!(out, "description = {}", toml_text(&self.description));
    }
}

fn table(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{} = {value}", toml_key(key)))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// The parameters of an operation over those of its path.
fn parameters<'d>(document: &'d Document, operation: &Operation<'d>) -> Vec<&'d Value> {
    let of = |table: &'d Map<String, Value>| {
        let parameters = table.get("parameters").and_then(Value::as_array);
        parameters
            .into_iter()
            .flatten()
            .filter_map(|parameter| document.resolve(parameter))
    };
    let own: Vec<&Value> = of(operation.body).collect();
    let is_same =
        |a: &Value, b: &Value| a.get("name") == b.get("name") && a.get("in") == b.get("in");
    let shared = of(operation.item).filter(|shared| !own.iter().any(|own| is_same(own, shared)));
    let shared: Vec<&Value> = shared.collect();
    shared.into_iter().chain(own).take(100).collect()
}

fn schema_of_parameter(parameter: &Value) -> &Value {
    const NONE: &Value = &Value::Null;
    let in_content = || {
        parameter
            .get("content")?
            .as_object()?
            .values()
            .next()?
            .get("schema")
    };
    parameter.get("schema").or_else(in_content).unwrap_or(NONE)
}

fn kind(input: Option<&Input>) -> Option<&str> {
    input?.schema.get("type")?.as_str()
}

fn is_scalar(input: Option<&Input>) -> bool {
    matches!(kind(input), Some("string" | "integer"))
}

fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 60
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The path with our names in it.
fn our_path(theirs: &str, names: &BTreeMap<String, String>) -> Result<String, String> {
    let mut path = String::new();
    let mut rest = theirs;
    while let Some(at) = rest.find('{') {
        let end = rest[at..]
            .find('}')
            .ok_or("its path opens a brace that is never closed")?;
        let name = names
            .get(&rest[at + 1..at + end])
            .ok_or("its path has a place that no parameter fills")?;
        path.push_str(&rest[..at]);
        let _ = write!(path, "{{{name}}}");
        rest = &rest[at + end + 1..];
    }
    path.push_str(rest);
    let path = path.trim_end_matches('/').to_owned();
    crate::catalogue::path_template::PathTemplate::parse(&path)?;
    Ok(path)
}

/// What is sent, spread over one argument per field.
fn body(
    document: &Document,
    operation: &Operation<'_>,
    inputs: &mut Inputs<'_>,
) -> Result<Option<Body>, String> {
    let Some(body) = operation
        .body
        .get("requestBody")
        .and_then(|body| document.resolve(body))
    else {
        return Ok(None);
    };
    if operation.method == "get" {
        return Err("it sends a body with a GET".to_owned());
    }
    let content = body.get("content").and_then(Value::as_object);
    let of = |wanted: &dyn Fn(&str) -> bool| {
        let found = content?.iter().find(|(media_type, _)| wanted(media_type))?;
        found.1.get("schema")
    };
    let is_json = |media_type: &str| {
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        media_type == "application/json" || media_type.ends_with("+json")
    };
    let is_form = |media_type: &str| media_type.starts_with("application/x-www-form-urlencoded");
    let is_demanded = body.get("required") == Some(&Value::Bool(true));
    let (schema, form) = match (of(&is_json), of(&is_form)) {
        (Some(schema), _) => (schema, false),
        (None, Some(schema)) => (schema, true),
        (None, None) if is_demanded => return Err("its body is neither JSON nor a form".to_owned()),
        (None, None) => return Ok(None),
    };
    let object = document
        .resolve(schema)
        .and_then(Value::as_object)
        .map(|schema| merged(document, schema));
    let fields: Vec<(String, Value)> = object
        .iter()
        .flat_map(|object| writable(document, object))
        .map(|(name, field)| (name.to_owned(), field.clone()))
        .take(60)
        .collect();
    if fields.is_empty() {
        if form {
            return Err("its form has no fields".to_owned());
        }
        let name = inputs.take("body", body, schema, is_demanded);
        return Ok(name.map(Body::WholeJson));
    }
    let demanded: Vec<String> = object
        .iter()
        .flat_map(required)
        .map(str::to_owned)
        .collect();
    let mut pairs = Vec::new();
    for (theirs, field) in &fields {
        if let Some(name) = inputs.take(
            theirs,
            field,
            field,
            is_demanded && demanded.contains(theirs),
        ) {
            let is_list = kind(inputs.taken.last()) == Some("array");
            pairs.push((
                theirs.clone(),
                if form && is_list {
                    format!("{{ repeat = \"${name}\" }}")
                } else {
                    format!("\"${name}\"")
                },
            ));
        }
    }
    Ok(Some(if form {
        Body::Form(pairs)
    } else {
        Body::Json(pairs)
    }))
}

/// How the first success is read.
fn reply(document: &Document, operation: &Operation<'_>) -> Reply {
    let responses = operation.body.get("responses").and_then(Value::as_object);
    let success = responses
        .into_iter()
        .flatten()
        .find(|(status, _)| status.starts_with('2'));
    let content = success
        .and_then(|(_, response)| document.resolve(response)?.get("content")?.as_object())
        .filter(|content| !content.is_empty());
    match content {
        None if success.is_some() => Reply::Nothing,
        Some(content)
            if content
                .keys()
                .all(|media_type| media_type.starts_with("text/")) =>
        {
            Reply::Text
        }
        None | Some(_) => Reply::Json,
    }
}

/// What the operation demands of OAuth; the document's own demand where it has none.
fn scopes(document: &Document, operation: &Operation<'_>) -> Vec<String> {
    let demands = operation
        .body
        .get("security")
        .or_else(|| document.at(&["security"]));
    let schemes = demands
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object);
    let is_oauth = |scheme: &str| {
        let scheme = document.at(&["components", "securitySchemes", scheme]);
        let kind = scheme.and_then(|scheme| document.resolve(scheme)?.get("type")?.as_str());
        matches!(kind, Some("oauth2" | "openIdConnect"))
    };
    let scopes = schemes
        .flat_map(|demand| demand.iter().filter(|(scheme, _)| is_oauth(scheme)))
        .find_map(|(_, scopes)| scopes.as_array());
    let scopes = scopes.into_iter().flatten().filter_map(Value::as_str);
    scopes
        .filter(|scope| is_scope(scope))
        .map(str::to_owned)
        .take(20)
        .collect()
}

/// RFC 6749 section 3.3.
pub(super) fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && scope.len() <= 200
        && scope
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
}

fn name(operation: &Operation<'_>, provider: &str) -> String {
    let from_line = || {
        let words: Vec<&str> = operation
            .path
            .split(['/', '{', '}'])
            .filter(|word| !word.is_empty())
            .collect();
        format!("{} {}", operation.method, words.join(" "))
    };
    let own = operation
        .text("operationId")
        .and_then(snake_case)
        .or_else(|| snake_case(&from_line()));
    let own = own.unwrap_or_else(|| operation.method.to_owned());
    let prefix = format!("{provider}_");
    let own = own.strip_prefix(&prefix).unwrap_or(&own);
    format!("{prefix}{own}")
}

fn title(operation: &Operation<'_>, name: &str, provider: &str) -> String {
    let words = operation
        .text("summary")
        .map(|summary| one_line(summary, 59));
    let words = words.filter(|words| !words.is_empty() && !words.ends_with('…'));
    let words = words.unwrap_or_else(|| {
        let words = name
            .trim_start_matches(provider)
            .trim_matches('_')
            .replace('_', " ");
        one_line(&words, 59)
    });
    let words = words.trim_end_matches('.');
    let mut letters = words.chars();
    let first = letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>());
    first.unwrap_or_default() + letters.as_str()
}

fn description(operation: &Operation<'_>) -> String {
    let words = operation.text("description").or(operation.text("summary"));
    let sentence = words.and_then(|words| sentence(words, LONGEST_DESCRIPTION));
    sentence.unwrap_or_else(|| format!("{CHECK}: what it does, and when to use it."))
}
