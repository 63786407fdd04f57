//! The MCP server: lists the tools and runs them, for whoever calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, ElicitationAction, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as McpTool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::missing_connection::{self, Client, Era};
use super::{Settings, convert};
use crate::base::Timestamp;
use crate::connection::ConnectTicket;
use crate::gateway::{CallError, ConnectLink, Gateway, RequestStateError};
use crate::identity::Caller;

/// How long a client may keep the tool list, in milliseconds.
const TOOLS_TTL_MS: u64 = 60_000;

const INSTRUCTIONS: &str = "Every tool runs with the account of the person you work for. When a service is not \
    connected yet, the answer holds a link: show it to the person, and run the tool again once they have opened it.";

const FOREIGN_STATE: &str =
    "The `requestState` was changed, or belongs to another call. Call the tool again without it.";

/// One handler: made anew for each session or request, so that nothing can leak from one to another.
pub struct Server {
    gateway: Gateway,
    settings: Settings,
    tools: Arc<Advertised>,
    callers: CallerSource,
    asked: Mutex<HashMap<String, Timestamp>>,
    under_way: watch::Sender<usize>,
}

/// One call under way. It is over when this is dropped.
struct UnderWay<'a>(&'a watch::Sender<usize>);

impl<'a> UnderWay<'a> {
    fn begin(calls: &'a watch::Sender<usize>) -> Self {
        calls.send_modify(|calls| *calls += 1);
        Self(calls)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

/// Where the caller comes from.
#[derive(Clone)]
enum CallerSource {
    /// The credentials of the very request, put there by the HTTP front.
    Request,
    /// The process on the other end of stdin and stdout, which is one person's.
    Process(Box<Caller>),
}

/// The tool list in MCP's words, made once.
pub(super) struct Advertised {
    list: Vec<McpTool>,
    by_name: HashMap<String, usize>,
}

impl Advertised {
    pub(super) fn new(gateway: &Gateway) -> Self {
        let list: Vec<_> = gateway
            .services()
            .advertised()
            .map(|tool| convert::tool(tool))
            .collect();
        let by_name = list
            .iter()
            .enumerate()
            .map(|(at, tool)| (tool.name.to_string(), at))
            .collect();
        Self { list, by_name }
    }
}

impl Server {
    /// A handler that takes the caller from each request.
    pub(super) fn for_requests(
        gateway: Gateway,
        settings: Settings,
        tools: Arc<Advertised>,
    ) -> Self {
        Self {
            gateway,
            settings,
            tools,
            callers: CallerSource::Request,
            asked: Mutex::default(),
            under_way: watch::Sender::default(),
        }
    }

    /// A handler for a process that acts for one caller.
    #[must_use]
    pub fn for_process(gateway: Gateway, settings: Settings, caller: Caller) -> Self {
        let tools = Arc::new(Advertised::new(&gateway));
        Self {
            gateway,
            settings,
            tools,
            callers: CallerSource::Process(Box::new(caller)),
            asked: Mutex::default(),
            under_way: watch::Sender::default(),
        }
    }

    /// How many calls are under way, now and from now on.
    pub(super) fn calls_under_way(&self) -> watch::Receiver<usize> {
        self.under_way.subscribe()
    }

    fn caller(&self, context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
        let from_request = || {
            let parts = context.extensions.get::<http::request::Parts>()?;
            parts.extensions.get::<Caller>().cloned()
        };
        match &self.callers {
            CallerSource::Process(caller) => Ok(caller.as_ref().clone()),
            CallerSource::Request => from_request().ok_or_else(|| {
                ErrorData::internal_error("the request reached the server without a caller", None)
            }),
        }
    }

    async fn run(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let caller = self.caller(context)?;
        let arguments = request.arguments.clone().unwrap_or_default();
        let round = self.round(&caller, &request, &arguments)?;
        if round.declined {
            return self
                .after_a_no(&caller, &request.name, &arguments, context, round)
                .await;
        }
        match self
            .gateway
            .call_tool(&caller, &request.name, &arguments)
            .await
        {
            Ok(output) => Ok(convert::output(output).into()),
            Err(CallError::ConnectFirst(link)) => {
                self.show_link(&caller, &request.name, &arguments, context, round, &link)
            }
            Err(error) => convert::call_error(error).map(Into::into),
        }
    }

    /// What the client brought back from an earlier round of this call. State that is too old counts as none; state that
    /// is not of this call is refused.
    fn round(
        &self,
        caller: &Caller,
        request: &CallToolRequestParams,
        arguments: &Map<String, Value>,
    ) -> Result<Round, ErrorData> {
        let Some(text) = request.request_state.as_deref() else {
            return Ok(Round::default());
        };
        let opened = self
            .gateway
            .open_request_state(caller, &request.name, arguments, text);
        let state = match opened {
            Ok(state) => state,
            Err(RequestStateError::Expired) => return Ok(Round::default()),
            Err(RequestStateError::Foreign) => {
                return Err(ErrorData::invalid_params(FOREIGN_STATE, None));
            }
        };
        let said_no = |answer: &Value| {
            let action = answer
                .get("action")
                .and_then(|action| serde_json::from_value(action.clone()).ok());
            matches!(
                action,
                Some(ElicitationAction::Decline | ElicitationAction::Cancel)
            )
        };
        let declined = request
            .input_responses
            .iter()
            .flatten()
            .any(|(_, answer)| said_no(answer));
        Ok(Round {
            rounds: state.rounds,
            declined,
        })
    }

    /// The person (or a client that cannot ask one) said no: the tool does not run, and the link is told in words.
    async fn after_a_no(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: &Map<String, Value>,
        context: &RequestContext<RoleServer>,
        round: Round,
    ) -> Result<CallToolResponse, ErrorData> {
        match self.gateway.link_for(caller, tool).await {
            Ok(Some(link)) => self.show_link(caller, tool, arguments, context, round, &link),
            Ok(None) => Ok(convert::connected_meanwhile(tool).into()),
            Err(error) => convert::call_error(error).map(Into::into),
        }
    }

    fn show_link(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: &Map<String, Value>,
        context: &RequestContext<RoleServer>,
        round: Round,
        link: &ConnectLink,
    ) -> Result<CallToolResponse, ErrorData> {
        let era = Era::of(context.protocol_version().as_ref());
        let capabilities = context.client_capabilities();
        let opens_links = capabilities
            .and_then(|known| known.elicitation)
            .is_some_and(|known| known.url.is_some());
        let client = Client {
            era,
            opens_links,
            asked_before: self.asked_before(&link.service),
            rounds: round.rounds,
            declined: round.declined,
        };
        let form = missing_connection::form(self.settings.missing_connection, client);
        missing_connection::answer(form, link, || {
            self.gateway
                .seal_request_state(caller, tool, arguments, round.rounds + 1)
        })
    }

    /// Whether this session was shown a link for `service` within the life of a ticket; remembers that it is now.
    fn asked_before(&self, service: &str) -> bool {
        let now = self.gateway.clock().now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = asked.insert(service.to_owned(), now);
        before.is_some_and(|then| now < then + ConnectTicket::LIFETIME)
    }
}

/// How far a call has come.
#[derive(Clone, Copy, Default)]
struct Round {
    rounds: u8,
    declined: bool,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let product =
            Implementation::new("attache", env!("CARGO_PKG_VERSION")).with_title("Attache");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(product)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.caller(&context)?;
        if let Some(cursor) = request.and_then(|request| request.cursor) {
            let message = format!("There is no page {cursor:?}: the whole list comes at once.");
            return Err(ErrorData::invalid_params(message, None));
        }
        Ok(ListToolsResult::with_all_items(self.tools.list.clone())
            .with_ttl_ms(TOOLS_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _under_way = UnderWay::begin(&self.under_way);
        let cancelled = context.ct.clone();
        tokio::select! {
            outcome = self.run(request, &context) => outcome,
            () = cancelled.cancelled() => Err(ErrorData::internal_error("the client cancelled this call", None)),
        }
    }

    fn get_tool(&self, name: &str) -> Option<McpTool> {
        self.tools
            .by_name
            .get(name)
            .map(|at| self.tools.list[*at].clone())
    }
}
