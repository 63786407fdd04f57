//! The `account` argument: it stands in the schema of a tool when the person has several accounts to choose from, and
//! nowhere else. An agent whose person has one account never reads about it.

use std::sync::Arc;

use rmcp::model::Tool as McpTool;
use serde_json::{Map, Value, json};

use crate::catalogue::ACCOUNT_ARGUMENT;
use crate::gateway::{AccountChoices, Accounts, Gateway};
use crate::identity::Caller;

/// Where the person of `caller` has several accounts. When the store fails, nowhere: the list does without, and the calls
/// will say so.
pub(super) async fn account_choices(gateway: &Gateway, caller: &Caller) -> AccountChoices {
    let choices = gateway.account_choices(&caller.principal.id).await;
    choices.unwrap_or_else(|fault| {
        tracing::error!(%fault, "the tools are listed without the accounts to choose from");
        AccountChoices::new()
    })
}

/// `tool` as it is offered to someone with these accounts at its service, which is called `service`.
pub(super) fn with_account(tool: &McpTool, service: &str, accounts: &Accounts) -> McpTool {
    let mut schema = tool.input_schema.as_ref().clone();
    let properties = schema
        .entry("properties")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(properties) = properties {
        properties.insert(ACCOUNT_ARGUMENT.to_owned(), property(service, accounts));
    }
    let mut tool = tool.clone();
    tool.input_schema = Arc::new(schema);
    tool
}

fn property(service: &str, accounts: &Accounts) -> Value {
    let otherwise = match &accounts.default {
        Some(default) => format!("Left out, it is {default}."),
        None => {
            "There is no default: without it, a call is refused unless its other arguments tell."
                .to_owned()
        }
    };
    json!({
        "type": "string",
        "enum": accounts.names,
        "description": format!("Which account at {service} is used. {otherwise}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_joins_a_closed_schema_and_is_not_required() {
        let schema = json!({"type": "object", "additionalProperties": false});
        let Value::Object(schema) = schema else {
            unreachable!()
        };
        let tool = McpTool::new("acme_list", "Lists.", Arc::new(schema));
        let mut accounts = Accounts {
            names: vec!["ana".into(), "office".into()],
            default: None,
        };
        let offered = with_account(&tool, "Acme", &accounts);
        let account = &offered.input_schema["properties"]["account"];
        assert_eq!(account["enum"], json!(["ana", "office"]));
        let description = |tool: &McpTool| {
            let text = &tool.input_schema["properties"]["account"]["description"];
            text.as_str().unwrap().to_owned()
        };
        assert!(description(&offered).contains("no default"));
        assert!(offered.input_schema.get("required").is_none());
        assert!(!tool.input_schema.contains_key("properties"));
        accounts.default = Some("ana".into());
        assert!(description(&with_account(&tool, "Acme", &accounts)).ends_with("it is ana."));
    }
}
