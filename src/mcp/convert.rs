//! From our words to MCP's.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ErrorCode, Tool as McpTool, ToolAnnotations,
};
use serde_json::json;

use crate::catalogue::{ACCOUNT_ARGUMENT, Refusal, Tool, ToolOutput, WhichTenant};
use crate::gateway::{AccountChoice, Busy, CallError, Fault, Unclear, WhichAccount};

/// A tool as it is advertised.
pub(super) fn tool(tool: &Tool) -> McpTool {
    let hints = tool.hints();
    let annotations = ToolAnnotations::from_raw(
        None,
        Some(hints.read_only),
        Some(hints.destructive),
        Some(hints.idempotent),
        Some(hints.open_world),
    );
    let description = Cow::Owned(tool.description().to_owned());
    McpTool::new(
        tool.name().to_owned(),
        description,
        Arc::clone(tool.input_schema()),
    )
    .with_title(tool.title())
    .with_annotations(annotations)
}

/// A tool's output. The text is what the model reads; structured content goes along where there is some.
pub(super) fn output(output: ToolOutput) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(output.text)]);
    result.structured_content = output.structured;
    result
}

/// Why a call gave no result, except for a missing connection, which has forms of its own.
///
/// Once the tool is known, everything is a result with `isError`, so that the model can read it and try otherwise
/// (SEP-1303); only what no other arguments could mend is a protocol error.
pub(super) fn call_error(error: CallError) -> Result<CallToolResult, ErrorData> {
    let sentence = error.sentence();
    match error {
        CallError::UnknownTool(_) => Err(ErrorData::invalid_params(sentence, None)),
        CallError::InvalidArguments(_) => Ok(failure("invalid_arguments", sentence)),
        CallError::NotConfigured(_) => Ok(failure("not_configured", sentence)),
        CallError::WhichAccount { service, which, .. } => {
            Ok(which_account(sentence, &service, &which))
        }
        CallError::WhichTenant {
            service,
            argument,
            which,
        } => Ok(which_tenant(sentence, &service, &argument, &which)),
        CallError::ConnectFirst(_) => Ok(failure("connection_required", sentence)),
        CallError::Refused { refusal, .. } => Ok(refused(sentence, &refusal)),
        CallError::Unreachable { .. } => Ok(failure("unreachable", sentence)),
        CallError::Delayed { wait, .. } => Ok(wait_for(wait, sentence)),
        CallError::Narrowed(_) => Ok(failure("narrowed", sentence)),
        CallError::NotLetIn => Ok(failure("not_let_in", sentence)),
        CallError::RunAgain { .. } => Ok(failure("run_again", sentence)),
        CallError::HalfDone { error, .. } => {
            if let CallError::Fault(fault) = error.as_ref() {
                tracing::error!(%fault, "a call failed on our side when it was half done");
            }
            Ok(failure("half_done", sentence))
        }
        CallError::Fault(fault) if fault.is_full_disk() => {
            tracing::error!(%fault, "a call needs what cannot be written");
            Ok(failure("gateway_full", sentence))
        }
        CallError::Fault(fault) => Err(internal(&fault)),
    }
}

/// The agent asks for too much at once. A result, so that the model can read it and wait.
pub(super) fn busy(busy: Busy) -> CallToolResult {
    let mut result = failure("busy", busy.to_string());
    if let Some(structured) = result.structured_content.as_mut() {
        structured["retry_after_seconds"] = json!(busy.again_in_seconds());
    }
    result
}

fn which_account(sentence: String, service: &str, which: &WhichAccount) -> CallToolResult {
    let kind = match which.why {
        Unclear::NotSaid | Unclear::Several(_) => "account_required",
        Unclear::Unknown(_) => "unknown_account",
    };
    let mut result = failure(kind, sentence);
    if let Some(structured) = result.structured_content.as_mut() {
        let account =
            |choice: &AccountChoice| json!({ "account": choice.name, "status": status(choice) });
        structured["service"] = json!(service);
        structured["argument"] = json!(ACCOUNT_ARGUMENT);
        structured["accounts"] = which.accounts.iter().map(account).collect();
    }
    result
}

fn which_tenant(
    sentence: String,
    service: &str,
    argument: &str,
    which: &WhichTenant,
) -> CallToolResult {
    let kind = match which.said {
        None => "tenant_required",
        Some(_) => "unknown_tenant",
    };
    let mut result = failure(kind, sentence);
    if let Some(structured) = result.structured_content.as_mut() {
        structured["service"] = json!(service);
        structured["argument"] = json!(argument);
        structured["choices"] = json!(which.choices);
    }
    result
}

fn status(choice: &AccountChoice) -> &'static str {
    if choice.expired {
        "expired"
    } else {
        "connected"
    }
}

fn refused(sentence: String, refusal: &Refusal) -> CallToolResult {
    let mut result = failure("refused", sentence);
    if let Some(structured) = result.structured_content.as_mut() {
        structured["kind"] = json!(refusal.kind);
        structured["status"] = json!(refusal.status);
    }
    result
}

/// The connection cannot be renewed at this moment. A result, so that the model can read it and wait.
fn wait_for(wait: Duration, sentence: String) -> CallToolResult {
    let mut result = failure("delayed", sentence);
    if let Some(structured) = result.structured_content.as_mut() {
        structured["retry_after_seconds"] = json!(wait.as_secs().max(1));
    }
    result
}

/// A result that says what went wrong, in both places where clients look for it.
fn failure(kind: &str, sentence: String) -> CallToolResult {
    let structured = json!({ "error": kind, "message": sentence });
    let mut result = CallToolResult::error(vec![ContentBlock::text(sentence)]);
    result.structured_content = Some(structured);
    result
}

/// A fault on our side: logged here, told without its cause.
pub(super) fn internal(fault: &Fault) -> ErrorData {
    tracing::error!(%fault, "a call failed on our side");
    ErrorData::new(ErrorCode::INTERNAL_ERROR, fault.sentence(), None)
}

/// The person said no to the link, and the service is connected all the same.
pub(super) fn connected_meanwhile(tool: &str) -> CallToolResult {
    failure(
        "declined",
        format!("The link was declined, so {tool} did not run. It is connected now: run it again."),
    )
}

/// The call was cut off after something may have been sent.
pub(super) fn interrupted(tool: &str) -> CallToolResult {
    failure(
        "interrupted",
        format!(
            "This call of {tool} was cut off while it ran. It is not known whether it took effect: check before you run \
             it again."
        ),
    )
}

/// The call has run, and what it brought is no longer kept.
pub(super) fn has_run(tool: &str) -> CallToolResult {
    failure(
        "has_run",
        format!(
            "This call of {tool} has run already. Check what came of it before you run it again."
        ),
    )
}

/// The agent is nobody any more, on a stream that it opened when it was somebody.
pub(super) fn not_let_in(error: CallError) -> ErrorData {
    match error {
        CallError::Fault(fault) => internal(&fault),
        other => ErrorData::new(ErrorCode::INVALID_REQUEST, other.sentence(), None),
    }
}

/// What an agent asks for lies outside of what it is narrowed to.
pub(super) fn narrowed(sentence: String) -> CallToolResult {
    failure("narrowed", sentence)
}

/// Arguments that break a tool's schema.
pub(super) fn invalid_arguments(sentence: &str) -> CallToolResult {
    failure("invalid_arguments", sentence.to_owned())
}

/// The response as clients of this tool can take it: where a tool declares an output schema, some clients check the
/// structured content of errors against it too, and then show neither. What it says stands in the text as well.
pub(super) fn fit(mut response: CallToolResponse, tool: Option<&McpTool>) -> CallToolResponse {
    if let CallToolResponse::Complete(result) = &mut response
        && result.is_error == Some(true)
        && tool.is_some_and(|tool| tool.output_schema.is_some())
    {
        result.structured_content = None;
    }
    response
}
