//! The MCP server: lists the tools and runs them, for whoever calls.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, Extensions, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, SubscriptionFilter,
    Tool as McpTool,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::call::Call;
use super::executions::Outcome;
use super::tool_list::Shown;
use super::{Selection, Surface, builtin, convert, notices};
use crate::base::Timestamp;
use crate::connection::ConnectTicket;
use crate::identity::{Caller, Client};

/// How long a client may keep the tool list, in milliseconds.
const TOOLS_TTL_MS: u64 = 60_000;

const INSTRUCTIONS: &str = "Every tool runs with the account of the person you work for. When a service is not \
    connected yet, the answer holds a link: show it to the person, and run the tool again once they have opened it.";

/// One handler: made anew for each session or request, so that nothing can leak from one to another.
pub struct Server {
    pub(super) surface: Surface,
    callers: CallerSource,
    asked: Mutex<HashMap<String, Timestamp>>,
    under_way: watch::Sender<usize>,
    /// Cancelled when this handler goes: what it has begun for its session ends with it.
    pub(super) session: CancellationToken,
    _until_the_session_ends: DropGuard,
}

/// One call, or one request, under way. It is over when this is dropped.
pub(super) struct UnderWay<'a>(&'a watch::Sender<usize>);

impl<'a> UnderWay<'a> {
    pub(super) fn begin(calls: &'a watch::Sender<usize>) -> Self {
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
enum CallerSource {
    /// The credentials and the address of the very request, put there by the HTTP front.
    Request,
    /// The process on the other end of stdin and stdout, which is one person's.
    Process(Box<Caller>, Selection),
}

impl Server {
    /// A handler that takes the caller from each request.
    pub(super) fn for_requests(surface: Surface) -> Self {
        Self::new(surface, CallerSource::Request)
    }

    /// A handler for a process that acts for one caller and sees what is selected.
    #[must_use]
    pub fn for_process(surface: Surface, caller: Caller, selection: Selection) -> Self {
        Self::new(surface, CallerSource::Process(Box::new(caller), selection))
    }

    fn new(surface: Surface, callers: CallerSource) -> Self {
        let session = CancellationToken::new();
        Self {
            surface,
            callers,
            asked: Mutex::default(),
            under_way: watch::Sender::default(),
            _until_the_session_ends: session.clone().drop_guard(),
            session,
        }
    }

    /// How many calls are under way, now and from now on.
    pub(super) fn calls_under_way(&self) -> watch::Receiver<usize> {
        self.under_way.subscribe()
    }

    /// Who calls, and what they see.
    pub(super) async fn caller(
        &self,
        message: &Extensions,
    ) -> Result<(Caller, Selection), ErrorData> {
        let from_request = || {
            let extensions = &message.get::<http::request::Parts>()?.extensions;
            let caller = extensions.get::<Caller>()?.clone();
            let selection = extensions.get::<Selection>().cloned().unwrap_or_default();
            Some((caller, selection))
        };
        match &self.callers {
            // A process stays for days; what its agent may do changes meanwhile.
            CallerSource::Process(caller, selection) => {
                let standing = self.surface.gateway().still_standing(caller).await;
                Ok((standing.map_err(convert::not_let_in)?, selection.clone()))
            }
            CallerSource::Request => from_request().ok_or_else(|| {
                ErrorData::internal_error("the request reached the server without a caller", None)
            }),
        }
    }

    /// Whether this session was shown a link for `services` within the life of a ticket; remembers that it is now.
    pub(super) fn asked_before(&self, services: &[String]) -> bool {
        let now = self.surface.gateway().clock().now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = asked.insert(services.join(" "), now);
        before.is_some_and(|then| now < then + ConnectTicket::LIFETIME)
    }

    async fn run(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Outcome {
        let (caller, selection) = self.caller(&context.extensions).await?;
        self.note(&caller, context);
        let _room = match self.surface.gateway().admit(&caller) {
            Ok(room) => room,
            Err(busy) => return Ok(convert::busy(busy).into()),
        };
        if selection == Selection::All
            && self.surface.settings().builtin_tools
            && let Some(tool) = builtin::Builtin::named(&request.name)
        {
            return tool.run(self, context, &caller, request).await;
        }
        self.offers(&selection, &request.name)?;
        let call = Call::new(self, context, caller, request)?;
        call.outcome().await
    }

    /// Remembers which client calls.
    fn note(&self, caller: &Caller, context: &RequestContext<RoleServer>) {
        let revision = context
            .protocol_version()
            .map(|version| version.to_string());
        let client = context.client_info();
        self.note_client(caller, client.as_ref(), revision.as_deref());
    }

    fn note_client(&self, caller: &Caller, said: Option<&Implementation>, revision: Option<&str>) {
        let revision = revision.unwrap_or_default();
        let client = said.map(|said| Client::new(&said.name, &said.version, revision));
        self.surface.gateway().note_client(caller, client);
    }

    /// Whether a tool belongs to what the client selected; one that nobody knows is told by whoever looks for it.
    fn offers(&self, selection: &Selection, tool: &str) -> Result<(), ErrorData> {
        let services = self.surface.gateway().services();
        match services.tool(tool) {
            Some((service, found)) if !selection.includes(service.id(), found.product()) => {
                let message = format!(
                    "The tool {tool:?} belongs to {}, which is not offered here.",
                    service.provider.name_for(found)
                );
                Err(ErrorData::invalid_params(message, None))
            }
            _ => Ok(()),
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let product =
            Implementation::new("attache", env!("CARGO_PKG_VERSION")).with_title("Attache");
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(product)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let (caller, selection) = self.caller(&context.extensions).await?;
        self.note(&caller, &context);
        let gateway = self.surface.gateway();
        let shown = Shown::new(gateway, &caller, &selection).await;
        let cursor = request.and_then(|request| request.cursor);
        let per_page = self.surface.settings().tools_per_page.get();
        let page = self
            .surface
            .tools()
            .page(&shown, cursor.as_deref(), per_page)?;
        let mut result = ListToolsResult::with_all_items(page.tools)
            .with_ttl_ms(TOOLS_TTL_MS)
            .with_cache_scope(CacheScope::Private);
        result.next_cursor = page.next;
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _under_way = UnderWay::begin(&self.under_way);
        let tools = self.surface.tools();
        let definition = tools.find(&request.name);
        let cancelled = context.ct.clone();
        let outcome = tokio::select! {
            // First at every turn: nothing is sent for a client that has cancelled.
            biased;
            () = cancelled.cancelled() => Err(ErrorData::internal_error("the client cancelled this call", None)),
            outcome = self.run(request, &context) => outcome,
        };
        outcome.map(|response| convert::fit(response, definition))
    }

    fn get_tool(&self, name: &str) -> Option<McpTool> {
        self.surface.tools().find(name).cloned()
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        match self.caller(&context.extensions).await {
            Ok((caller, _)) => {
                if let Some(said) = context.peer.peer_info() {
                    let revision = said.protocol_version.to_string();
                    self.note_client(&caller, Some(&said.client_info), Some(&revision));
                }
                self.tell_of_other_tools(context.peer, caller);
            }
            Err(error) => tracing::error!(%error, "a session will not hear of other tools"),
        }
    }

    fn accepted_subscription_filter(&self, _: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let context = subscription.request_context();
        let (caller, _) = self.caller(&context.extensions).await?;
        self.note(&caller, context);
        notices::listen(self, &caller, &subscription).await;
        Ok(())
    }
}
