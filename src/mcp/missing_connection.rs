//! The wire form of a connect link: which one this client can show.
//!
//! Measured with real clients: an error alone loses the link in half of them, so every form holds it in words too.
//! The table is `docs/clients.md`'s.

use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ElicitRequest, ElicitRequestParams, ErrorCode,
    InputRequest, InputRequests, InputRequiredResult, ProtocolVersion,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::json;

use super::MissingConnection;
use crate::gateway::ConnectLink;

/// URL elicitation required (MCP 2025-11-25, elicitation). Never sent in 2026-07-28, which forbids it.
const URL_ELICITATION_REQUIRED: ErrorCode = ErrorCode(-32042);

/// How often one call asks before it says so in words: clients give up after ten rounds, people earlier.
const MAX_ROUNDS: u8 = 3;

/// What a client can do, as far as this decision needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// The revision of this request.
    pub(super) era: Era,
    /// It declares `elicitation.url`.
    pub(super) opens_links: bool,
    /// This session was shown a link for the same service and the person has not connected.
    pub(super) asked_before: bool,
    /// How often this very call has asked already.
    pub(super) rounds: u8,
    /// The person said no to the link.
    pub(super) declined: bool,
}

/// The revisions of the protocol, as far as they differ in showing a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// 2026-07-28 and later: stateless, input requests.
    Modern,
    /// 2025-11-25: error -32042.
    November2025,
    /// 2025-06-18 and older.
    Older,
}

/// The wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `resultType: input_required` with a URL elicitation.
    InputRequired,
    /// The error -32042.
    Error,
    /// A tool result with `isError`.
    Text,
}

impl Era {
    /// The era of a negotiated version; the oldest when none is known.
    pub(super) fn of(version: Option<&ProtocolVersion>) -> Self {
        match version {
            Some(version) if !version.has_initialize() => Self::Modern,
            Some(version) if *version == ProtocolVersion::V_2025_11_25 => Self::November2025,
            _ => Self::Older,
        }
    }
}

impl Client {
    /// What `context` tells of a client.
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Self {
        let elicitation = context
            .client_capabilities()
            .and_then(|known| known.elicitation);
        Self {
            era: Era::of(context.protocol_version().as_ref()),
            opens_links: elicitation.is_some_and(|known| known.url.is_some()),
            asked_before: false,
            rounds: 0,
            declined: false,
        }
    }

    /// A client that goes away has cancelled its call (streamable HTTP, 2026-07-28). Before, it may come back for it.
    pub(super) fn leaving_cancels(self) -> bool {
        self.era == Era::Modern
    }

    /// It can be asked to open a link in the middle of a call, and has not been asked too often.
    pub(super) fn can_be_asked(self) -> bool {
        let tired = self.declined || self.rounds >= MAX_ROUNDS;
        self.era == Era::Modern && self.opens_links && !tired
    }
}

/// The form for this client.
pub(super) fn form(setting: MissingConnection, client: Client) -> Form {
    match (setting, client.era) {
        (MissingConnection::Text, _) => Form::Text,
        (MissingConnection::Error, Era::November2025 | Era::Older) => Form::Error,
        (_, Era::Modern) if client.can_be_asked() => Form::InputRequired,
        (MissingConnection::Auto, Era::November2025)
            if client.opens_links && !client.asked_before =>
        {
            Form::Error
        }
        _ => Form::Text,
    }
}

/// The link in the chosen form. `request_state` is needed for [`Form::InputRequired`] alone.
pub(super) fn answer(
    form: Form,
    link: &ConnectLink,
    request_state: impl FnOnce() -> String,
) -> Result<CallToolResponse, ErrorData> {
    match form {
        Form::InputRequired => Ok(input_required(link, request_state()).into()),
        Form::Error => Err(error(link)),
        Form::Text => Ok(text(link).into()),
    }
}

fn input_required(link: &ConnectLink, request_state: String) -> InputRequiredResult {
    let elicitation = ElicitRequestParams::UrlElicitationParams {
        meta: None,
        // Some clients show the person these words and not the link beside them.
        message: format!(
            "{} Open {} to connect it; the call then goes on.",
            link.what, link.url
        ),
        url: link.url.clone(),
        // Dropped by the revision, demanded by some of its clients all the same.
        elicitation_id: link.id.clone(),
    };
    let request = InputRequest::Elicitation(ElicitRequest::new(elicitation));
    let requests = InputRequests::from([(input_key(&link.services), request)]);
    InputRequiredResult::new(Some(requests), Some(request_state))
}

/// The name of the input request for these services.
fn input_key(services: &[String]) -> String {
    format!("connect_{}", services.join("_"))
}

fn error(link: &ConnectLink) -> ErrorData {
    let elicitation = json!({
        "mode": "url",
        "elicitationId": link.id,
        "url": link.url,
        "message": link.what,
    });
    // The message holds the link as well: half of the clients show nothing else.
    ErrorData::new(
        URL_ELICITATION_REQUIRED,
        link.sentence.clone(),
        Some(json!({ "elicitations": [elicitation] })),
    )
}

fn text(link: &ConnectLink) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(link.sentence.clone())]);
    // Some clients show the model only this, others only the text.
    result.structured_content = Some(json!({
        "error": "connection_required",
        "service": link.services.join(", "),
        "message": link.sentence,
        "connect_url": link.url,
        "expires_at": link.expires.to_string(),
    }));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn client(era: Era, opens_links: bool) -> Client {
        Client {
            era,
            opens_links,
            asked_before: false,
            rounds: 0,
            declined: false,
        }
    }

    #[test]
    fn every_row_of_the_reply_policy() {
        use MissingConnection::{Auto, Error, Text};
        let modern = client(Era::Modern, true);
        let november = client(Era::November2025, true);
        let rows = [
            (Auto, modern, Form::InputRequired),
            (
                Auto,
                Client {
                    rounds: 2,
                    ..modern
                },
                Form::InputRequired,
            ),
            (
                Auto,
                Client {
                    rounds: 3,
                    ..modern
                },
                Form::Text,
            ),
            (
                Auto,
                Client {
                    declined: true,
                    ..modern
                },
                Form::Text,
            ),
            (Auto, client(Era::Modern, false), Form::Text),
            (Auto, november, Form::Error),
            (
                Auto,
                Client {
                    asked_before: true,
                    ..november
                },
                Form::Text,
            ),
            (Auto, client(Era::November2025, false), Form::Text),
            (Auto, client(Era::Older, true), Form::Text),
            (Auto, client(Era::Older, false), Form::Text),
            (
                Error,
                Client {
                    asked_before: true,
                    ..november
                },
                Form::Error,
            ),
            (Error, client(Era::Older, false), Form::Error),
            (Error, modern, Form::InputRequired),
            (Error, client(Era::Modern, false), Form::Text),
            (Text, modern, Form::Text),
            (Text, november, Form::Text),
        ];
        for (setting, client, expected) in rows {
            assert_eq!(form(setting, client), expected, "{setting:?} {client:?}");
        }
    }

    #[test]
    fn versions_fall_into_their_eras() {
        let era = |version: ProtocolVersion| Era::of(Some(&version));
        assert_eq!(era(ProtocolVersion::V_2026_07_28), Era::Modern);
        assert_eq!(era(ProtocolVersion::V_2025_11_25), Era::November2025);
        assert_eq!(era(ProtocolVersion::V_2025_06_18), Era::Older);
        assert_eq!(era(ProtocolVersion::V_2024_11_05), Era::Older);
        assert_eq!(Era::of(None), Era::Older);
    }
}
