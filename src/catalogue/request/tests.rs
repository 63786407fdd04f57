//! What no argument of a call may do to a request, in every way a request can be written: S-27, S-28, S-29.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::catalogue::problem::Parsed;
use crate::catalogue::provider::Provider;
use crate::catalogue::{Next, RenderError, Source, Tool, Variables};

/// A file whose tools use every operator and every encoding with the inputs `a`, `b` and `list`.
const FILE: &str = r#"
name = "Notes"
base_url = "https://api.notes.example:8443/v1"
host_allow = ["api.notes.example"]
confidence = "documentation"
headers = { X-Version = "1" }
[setup]
redirect_rules = "Any address."
[oauth]
pkce = "required"
client_auth = "post"
scopes = []
authorize = { url = "https://api.notes.example/authorize" }
token = { url = "https://api.notes.example/token" }
revoke = { unsupported = true }
[account]
get = "/me"
id = "id"
label = "name"
"#;

const REQUESTS: &[(&str, &str)] = &[
    ("path", "get = \"/a/{a}/f(x={b|odata_quoted})\""),
    ("paths", "get = \"/root:/{+a}:/content/{b}\""),
    (
        "query",
        r#"get = "/a"
query = { k = "$a", l = { csv = "$list" }, "m[]" = { repeat = "$list" }, n = { brackets = "$list" }, o = { form_brackets = "$list" }, p = { text = "x {a|single_quoted} {b|double_quoted}" }, q = { join = " ", of = ["$a", { first = ["$b"] }] }, r = { json = { a = "$a" } }, s = { apply = "reply_subject", to = "$b" } }"#,
    ),
    (
        "headers",
        "get = \"/a\"\nheaders = { X-A = \"$a\", X-B = { csv = \"$list\" }, X-C = { text = \"t={b|double_quoted}\" } }",
    ),
    (
        "form",
        "post = \"/a\"\nform = { k = \"$a\", l = { form_brackets = \"$list\" } }",
    ),
    (
        "body",
        r#"post = "/a"
body = { a = "$a", b = [{ "$each" = "$list", put = { x = "$item", y = "$b" } }], c = { "$apply" = "markdown_to_adf", to = "$a" } }"#,
    ),
    (
        "mail",
        r#"post = "/a"
body = { raw = { "$apply" = "mime_message", to = { to = "$a", subject = "$b", body = "$a", cc = "$list" } } }"#,
    ),
    (
        "raw",
        "post = \"/a\"\nraw = { content = \"$a\", media_type = \"$b\" }\nheader_json = { name = \"X-Arg\", value = { path = \"$b\" } }",
    ),
    (
        "related",
        "post = \"/a\"\nmultipart_related = { metadata = { name = \"$a\" }, content = \"$b\" }",
    ),
    (
        "parts",
        "post = \"/a\"\nmultipart_form = [{ name = \"f\", filename = \"$a\", content = \"$b\" }, { name = \"g\", value = { h = \"$a\" } }]",
    ),
    ("null", "post = \"/a/{a}/{b}\"\nnull_body = true"),
    (
        "graphql",
        "post = \"/graphql\"\ngraphql = { document = \"query Q($a: String!, $b: F) { q(a: $a, b: $b) { id } }\", variables = { a = \"$a\", b = { eq = \"$b\" } } }",
    ),
];

struct Notes {
    provider: Provider,
    variables: Variables,
}

impl Notes {
    fn new() -> Self {
        let mut text = FILE.to_owned();
        for (name, request) in REQUESTS {
            write!(
                text,
                "[[tool]]\nname = \"notes_{name}\"\ntitle = \"T\"\ndescription = \"Does it well.\"\nread_only = false\n\
                 destructive = true\nidempotent = false\nopen_world = false\nscopes = []\n{request}\nexample = {{}}\n\
                 [tool.input]\na = {{ type = \"string\", required = false }}\nb = {{ type = \"string\", required = false }}\n\
                 list = {{ type = \"array\", required = false }}\n"
            )
            .unwrap();
        }
        let source = Source {
            file: "notes.toml".to_owned(),
            text,
        };
        let Ok(Parsed::Provider(file)) = source.parse() else {
            panic!("the file is one of a provider: {:?}", source.parse())
        };
        let provider = Provider::new(*file, Vec::new());
        let variables = provider.resolve(&BTreeMap::new()).unwrap();
        Self {
            provider,
            variables,
        }
    }

    fn tool(&self, name: &str) -> &Arc<Tool> {
        let name = format!("notes_{name}");
        let mut tools = self.provider.tools().iter();
        tools.find(|tool| tool.name() == name).unwrap()
    }

    fn render(&self, name: &str, given: &Value) -> Result<Request<Vec<u8>>, RenderError> {
        let given = given.as_object().unwrap();
        let mut run = self
            .tool(name)
            .begin(&self.variables, given, String::new())?;
        match run.next() {
            Next::Send(mut sent, _) => Ok(sent.remove(0).request),
            other => panic!("nothing is sent: {other:?}"),
        }
    }
}

/// Every header that some of the requests promise.
const PROMISED: [&str; 7] = [
    "x-version",
    "x-a",
    "x-b",
    "x-c",
    "x-arg",
    "content-type",
    "accept",
];

fn assert_as_promised(name: &str, given: &Value, request: &Request<Vec<u8>>) {
    let uri = request.uri();
    assert_eq!(uri.scheme_str(), Some("https"), "{name} {uri}");
    assert_eq!(uri.host(), Some("api.notes.example"), "{name} {uri}");
    assert_eq!(uri.port_u16(), Some(8443), "{name} {uri}");
    let text = |key: &str| given[key].as_str().unwrap();
    let segments = match name {
        "path" | "null" => 5,
        "paths" => 5 + text("a").split('/').count(),
        _ => 3,
    };
    assert_eq!(uri.path().split('/').count(), segments, "{name} {uri}");
    assert!(uri.path().starts_with("/v1/"), "{name} {uri}");
    for header in request.headers().keys() {
        assert!(PROMISED.contains(&header.as_str()), "{name} {header}");
        assert_eq!(request.headers().get_all(header).iter().count(), 1);
    }
    if name == "query" {
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let names: BTreeSet<String> = pairs
            .map(|(name, _)| name.split('[').next().unwrap().to_owned())
            .collect();
        let promised = ["k", "l", "m", "n", "o", "p", "q", "r", "s"];
        assert!(
            names.iter().all(|name| promised.contains(&name.as_str())),
            "{uri}"
        );
    }
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "(?s).{0,24}",
        "[a-z0-9]{1,8}",
        prop::sample::select(vec![
            "../../admin",
            "..",
            "a/../../b",
            "//evil.example",
            "https://evil.example/",
            "a?x=1#y",
            "%2e%2e%2f",
            "a\r\nX-Evil: 1",
            "a\nb",
            "\0",
            "\\..\\",
            "@evil.example",
            "a&b=c",
            "') or '1'='1",
            "\" OR \"1\"=\"1",
            "text/plain",
            "text/plain\r\nX-Evil: 1",
            "a@b.example\r\nBcc: evil@x.example",
            "--attache\r\n",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_argument_moves_a_request_or_adds_a_header(
        a in hostile(),
        b in hostile(),
        list in prop::collection::vec(hostile(), 0..4),
    ) {
        let notes = Notes::new();
        let given = json!({"a": a, "b": b, "list": list});
        for (name, _) in REQUESTS {
            match notes.render(name, &given) {
                Ok(request) => assert_as_promised(name, &given, &request),
                Err(RenderError::Refused { argument, .. }) => {
                    prop_assert!(["a", "b", "list"].contains(&argument.as_str()), "{} {}", name, argument);
                }
                Err(other) => prop_assert!(false, "{} {}", name, other),
            }
        }
    }
}

#[test]
fn every_request_is_written_for_harmless_arguments() {
    let notes = Notes::new();
    let harmless = |name: &str| match name {
        "mail" => json!({"a": "ada@x.example", "b": "Hi", "list": ["b@x.example"]}),
        "raw" => json!({"a": "text", "b": "text/markdown"}),
        _ => json!({"a": "x", "b": "y", "list": ["1", "2"]}),
    };
    for (name, _) in REQUESTS {
        let given = harmless(name);
        let request = notes
            .render(name, &given)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_as_promised(name, &given, &request);
    }
    let query = notes
        .render("query", &json!({"a": "x", "b": "y", "list": ["1", "2"]}))
        .unwrap();
    assert_eq!(
        query.uri().query(),
        Some(
            "k=x&l=1%2C2&m%5B%5D=1&m%5B%5D=2&n%5B%5D=1&n%5B%5D=2&o%5B0%5D=1&o%5B1%5D=2&p=x+%27x%27+%22y%22&q=x+y&\
             r=%7B%22a%22%3A%22x%22%7D&s=Re%3A+y"
        )
    );
}

/// S-29: the document of an operation is the same text whatever the arguments are.
#[test]
fn a_document_is_constant_over_a_thousand_inputs() {
    let notes = Notes::new();
    let pieces = [
        "\"",
        "\\",
        "{",
        "}",
        "$a",
        "#",
        "\n",
        "...",
        "@skip(if: true)",
        "mutation { x }",
        "\u{0}",
        "é",
        "(",
        ")",
        "query",
        "\"\"\"",
        "__typename",
        "{{",
        "%7b",
        "\u{2028}",
    ];
    let mut documents = BTreeSet::new();
    let mut values = BTreeSet::new();
    for number in 0..1000_usize {
        let piece = |step: usize| pieces[(number / step + step) % pieces.len()];
        let a = format!("{}{}{}{number}", piece(1), piece(20), piece(7));
        let request = notes
            .render("graphql", &json!({"a": a, "b": piece(3)}))
            .unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let names: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["query", "variables"]);
        assert_eq!(body["variables"]["a"], a);
        documents.insert(body["query"].as_str().unwrap().to_owned());
        values.insert(a);
    }
    assert_eq!(documents.len(), 1);
    assert_eq!(values.len(), 1000);
}
