//! In which form each client is shown a missing connection: every row of the policy, as real requests.

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::legacy::LegacySession;
use crate::support::person::Answer;
use crate::support::provider::Provider;
use attache::mcp::MissingConnection;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `input_required` with a link.
    Asked,
    /// The error -32042.
    Error,
    /// A result in words.
    Text,
}

fn form(answer: &Value) -> Form {
    if answer["result"]["resultType"] == "input_required" {
        let question = &answer["result"]["inputRequests"]["connect_acme"]["params"];
        assert_eq!(question["mode"], "url");
        assert!(!question["elicitationId"].as_str().unwrap().is_empty());
        return Form::Asked;
    }
    if answer["error"]["code"] == -32042 {
        let link = &answer["error"]["data"]["elicitations"][0]["url"];
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(link.as_str().unwrap()),
            "the words hold the link too"
        );
        return Form::Error;
    }
    let told = Answer {
        body: answer.clone(),
    };
    let link = told.link();
    assert_eq!(told.result()["structuredContent"]["connect_url"], link);
    assert_eq!(told.result()["structuredContent"]["message"], told.text());
    Form::Text
}

const NOTHING: &str = "{}";
const FORMS_ONLY: &str = r#"{"elicitation":{}}"#;
const LINKS: &str = r#"{"elicitation":{"form":{},"url":{}}}"#;

/// Setting, revision, capabilities; the form of the first answer, and of the second in the same session.
const ROWS: [(MissingConnection, &str, &str, Form, Form); 21] = {
    use Form::{Asked, Error as AsError, Text as InWords};
    use MissingConnection::{Auto, Error, Text};
    [
        (Auto, "2026-07-28", LINKS, Asked, Asked),
        (Auto, "2026-07-28", FORMS_ONLY, InWords, InWords),
        (Auto, "2026-07-28", NOTHING, InWords, InWords),
        (Auto, "2025-11-25", LINKS, AsError, InWords),
        (Auto, "2025-11-25", FORMS_ONLY, InWords, InWords),
        (Auto, "2025-11-25", NOTHING, InWords, InWords),
        (Auto, "2025-06-18", LINKS, InWords, InWords),
        (Auto, "2025-06-18", NOTHING, InWords, InWords),
        (Auto, "2025-03-26", LINKS, InWords, InWords),
        (Auto, "2025-03-26", NOTHING, InWords, InWords),
        (Auto, "2024-11-05", NOTHING, InWords, InWords),
        (Error, "2026-07-28", LINKS, Asked, Asked),
        (Error, "2026-07-28", NOTHING, InWords, InWords),
        (Error, "2025-11-25", LINKS, AsError, AsError),
        (Error, "2025-11-25", NOTHING, AsError, AsError),
        (Error, "2025-06-18", NOTHING, AsError, AsError),
        (Text, "2026-07-28", LINKS, InWords, InWords),
        (Text, "2026-07-28", NOTHING, InWords, InWords),
        (Text, "2025-11-25", LINKS, InWords, InWords),
        (Text, "2025-06-18", LINKS, InWords, InWords),
        (Text, "2025-03-26", NOTHING, InWords, InWords),
    ]
};

#[tokio::test]
async fn every_row_of_the_policy() {
    for setting in [
        MissingConnection::Auto,
        MissingConnection::Error,
        MissingConnection::Text,
    ] {
        let clock = clock();
        let acme = Provider::start(&clock);
        let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
            config.mcp.missing_connection = setting;
        })
        .await;
        let ana = gateway.person("ana").await;
        let url = format!("{}/mcp", gateway.origin());
        for row in ROWS.iter().filter(|row| row.0 == setting) {
            let (_, version, capabilities, first, second) = *row;
            let capabilities: Value = serde_json::from_str(capabilities).unwrap();
            let mut answers = Vec::new();
            if version == "2026-07-28" {
                for _ in 0..2 {
                    let call =
                        ana.call_with("acme_whoami", json!({}), capabilities.clone(), json!({}));
                    answers.push(call.await.body);
                }
            } else {
                let session = LegacySession::begin(&url, ana.token(), version, capabilities).await;
                assert_eq!(session.version(), version);
                for _ in 0..2 {
                    answers.push(session.call("acme_whoami", json!({})).await);
                }
            }
            let forms: Vec<_> = answers.iter().map(form).collect();
            assert_eq!(forms, [first, second], "{row:?}");
        }
    }
}

/// Ten minutes later the link is a new one, and the client is asked in the better form again.
#[tokio::test]
async fn asked_again_after_ten_minutes_is_asked_anew() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let url = format!("{}/mcp", gateway.origin());
    let links = serde_json::from_str(LINKS).unwrap();
    let session = LegacySession::begin(&url, ana.token(), "2025-11-25", links).await;
    let mut forms = Vec::new();
    for _ in 0..2 {
        forms.push(form(&session.call("acme_whoami", json!({})).await));
    }
    gateway.clock().advance(std::time::Duration::from_mins(11));
    forms.push(form(&session.call("acme_whoami", json!({})).await));
    assert_eq!(forms, [Form::Error, Form::Text, Form::Error]);
}

/// Some clients check the structured content of errors against the output schema too, and then show nothing at all.
#[tokio::test]
async fn an_error_of_a_tool_with_an_output_schema_has_no_structured_content() {
    let (_acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    let tools = ana.tools().await;
    let with_schema: Vec<_> = tools
        .iter()
        .filter(|tool| tool.get("outputSchema").is_some())
        .collect();
    assert!(!with_schema.is_empty());
    for tool in with_schema {
        let name = tool["name"].as_str().unwrap();
        let refused = ana.call(name, json!({ "nonsense": 1 })).await;
        refused.assert_failed("");
        assert!(
            refused.result().get("structuredContent").is_none(),
            "{name}"
        );
    }
    let without_schema = ana.call("acme_create_thing", json!({})).await;
    without_schema.assert_failed("name");
    assert!(without_schema.result().get("structuredContent").is_some());
}
