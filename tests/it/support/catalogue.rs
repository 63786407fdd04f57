//! The catalogue of this release, and its tools played without a network.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use attache::catalogue::{
    Answer, Catalogue, FixtureFile, Next, Provider, RenderError, Reply, Tool, Variables,
    read_fixtures,
};
use http::{Request, Response};
use serde_json::{Map, Value, json};

/// More requests than any tool sends.
const MOST_REQUESTS: usize = 100;

/// The catalogue of this release.
pub(crate) fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        Catalogue::load(None).unwrap_or_else(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", problems.join("\n"))
        })
    })
}

/// Every tool with its provider.
pub(crate) fn tools() -> impl Iterator<Item = (&'static Arc<Provider>, &'static Arc<Tool>)> {
    catalogue()
        .providers()
        .iter()
        .flat_map(|provider| provider.tools().iter().map(move |tool| (provider, tool)))
}

/// Every contract fixture of this release.
pub(crate) fn fixtures() -> &'static [FixtureFile] {
    static FIXTURES: OnceLock<Vec<FixtureFile>> = OnceLock::new();
    FIXTURES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/providers");
        read_fixtures(&folder).expect("our own fixtures can be read")
    })
}

/// Values for the variables of a provider, and for what a connection to it would say.
pub(crate) fn variables(provider: &Provider) -> Variables {
    let examples = BTreeMap::from([("port", "8711")]);
    let without_default = |name: &&String| provider.variables()[*name].default().is_none();
    let given = provider
        .variables()
        .keys()
        .filter(without_default)
        .map(|name| (name.clone(), examples[name.as_str()].to_owned()))
        .collect();
    let variables = provider.resolve(&given).expect("example values fit");
    let captured = captured(provider);
    variables
        .with_captured(&captured)
        .expect("captured values fit")
}

/// What the fixtures of a provider and its products say that a login has brought.
fn captured(provider: &Provider) -> BTreeMap<String, String> {
    let is_of = |file: &&FixtureFile| {
        file.owner == provider.id()
            || provider
                .products()
                .iter()
                .any(|product| product.id() == file.owner)
    };
    let captured = fixtures().iter().filter(is_of).find_map(|file| {
        let fixture: Value = serde_json::from_str(&file.text).ok()?;
        serde_json::from_value(fixture.get("captured")?.clone()).ok()
    });
    captured.unwrap_or_default()
}

/// The replies of the fixture of a tool's example, in their order.
pub(crate) fn replies(tool: &Tool) -> Vec<Response<Vec<u8>>> {
    let file = fixtures().iter().find(|file| file.stem == tool.name());
    let file = file.unwrap_or_else(|| panic!("{} has a fixture", tool.name()));
    let fixture: Value = serde_json::from_str(&file.text).expect("a fixture is JSON");
    let exchanges = fixture["exchanges"]
        .as_array()
        .expect("a fixture has exchanges");
    exchanges
        .iter()
        .map(|exchange| reply(&exchange["response"]))
        .collect()
}

fn reply(shown: &Value) -> Response<Vec<u8>> {
    let status = u16::try_from(shown["status"].as_u64().expect("a status")).expect("a status");
    let mut response = Response::builder().status(status);
    for (name, value) in shown["headers"].as_object().into_iter().flatten() {
        response = response.header(name, value.as_str().expect("a text"));
    }
    let body = match (shown.get("body"), shown.get("text")) {
        (Some(body), _) => body.to_string().into_bytes(),
        (None, Some(text)) => text.as_str().expect("a text").as_bytes().to_vec(),
        (None, None) => Vec::new(),
    };
    response.body(body).expect("a reply")
}

/// Every request of a call, and how it ends.
pub(crate) type Played = (Vec<Request<Vec<u8>>>, Reply);

/// Every request of a call that is answered with `replies`, the last of them again and again, and how it ends.
pub(crate) fn play(
    tool: &Tool,
    variables: &Variables,
    arguments: &Map<String, Value>,
    replies: &[Response<Vec<u8>>],
) -> Result<Played, RenderError> {
    let mut run = tool.begin(
        variables,
        arguments,
        "00000000-0000-4000-8000-000000000000".to_owned(),
    )?;
    let mut sent = Vec::new();
    loop {
        match run.next() {
            Next::Wait(_) => {}
            Next::Done(reply) => return Ok((sent, reply)),
            Next::Send(requests, _) => {
                for outgoing in requests {
                    let reply = replies.get(sent.len()).or(replies.last()).expect("a reply");
                    sent.push(outgoing.request);
                    assert!(sent.len() <= MOST_REQUESTS, "{} does not end", tool.name());
                    let response = reply.clone();
                    run.answer(vec![Answer {
                        to: outgoing.id,
                        response,
                    }]);
                }
            }
        }
    }
}

/// How a call of the example of the tool `name` ends when every request is answered with `response`.
pub(crate) fn ends(name: &str, response: Response<Vec<u8>>) -> Reply {
    let (provider, tool) = catalogue().tool(name).expect("a tool of this release");
    let played = play(tool, &variables(provider), tool.example(), &[response]);
    played.expect("the example renders").1
}

/// The same with a JSON body.
pub(crate) fn ends_with(name: &str, status: u16, headers: &[(&str, &str)], body: &Value) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    ends(
        name,
        response
            .body(body.to_string().into_bytes())
            .expect("a reply"),
    )
}

/// Arguments out of JSON.
pub(crate) fn arguments(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(arguments) => arguments,
        other => panic!("{} are no arguments", json!(other)),
    }
}
