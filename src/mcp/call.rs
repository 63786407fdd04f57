//! One call of a service's tool: from the first round to its result, or to a link in the form that the client can show.

use rmcp::model::CallToolRequestParams;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value};

use super::executions::{Outcome, Stage};
use super::missing_connection::{self, Client, Era, Form};
use super::round::{Answer, Round};
use super::server::Server;
use super::{convert, parking};
use crate::catalogue::ToolOutput;
use crate::gateway::{CallError, ConnectLink};
use crate::identity::Caller;

/// A call of a service's tool, as one request asks for it.
pub(super) struct Call<'a> {
    pub(super) server: &'a Server,
    pub(super) context: &'a RequestContext<RoleServer>,
    pub(super) caller: Caller,
    pub(super) tool: String,
    pub(super) arguments: Map<String, Value>,
    pub(super) round: Round,
    pub(super) read_only: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        server: &'a Server,
        context: &'a RequestContext<RoleServer>,
        caller: Caller,
        request: CallToolRequestParams,
    ) -> Result<Self, ErrorData> {
        let arguments = request.arguments.clone().unwrap_or_default();
        let gateway = server.surface.gateway();
        let round = Round::of(gateway, &caller, &request, &arguments)?;
        let services = gateway.services();
        let known = services.tool(&request.name);
        Ok(Self {
            server,
            context,
            caller,
            read_only: known.is_some_and(|(_, tool)| tool.hints().read_only),
            tool: request.name.into_owned(),
            arguments,
            round,
        })
    }

    /// Runs the tool, or tells what is missing.
    pub(super) async fn outcome(&self) -> Outcome {
        match self.round.answer {
            Answer::None => self.run().await,
            Answer::Accepted => self.run_once().await,
            Answer::Declined => self.tell_the_link().await,
        }
    }

    /// Runs the tool. If a connection is missing that the person is about to make, waits for it.
    async fn run(&self) -> Outcome {
        let mut attempt = self.attempt(&self.caller).await;
        if let Err(CallError::ConnectFirst(link)) = &attempt
            && self.is_worth_waiting_for(link)
        {
            if self.wait_for_connection().await.is_none() {
                self.server.surface.gateway().stop_waiting_for(link);
            }
            attempt = self.attempt_after_the_wait().await;
        }
        self.settle(attempt)
    }

    /// The same for a call that comes back with an answer: it runs once, however often the answer is repeated.
    async fn run_once(&self) -> Outcome {
        let executions = &self.server.surface.parts.executions;
        let now = self.server.surface.gateway().clock().now();
        let execution = executions.find(self.round, now);
        let mut stage = execution.lock().await;
        match &*stage {
            Stage::Waiting => {}
            // Looking twice does no harm.
            Stage::Sent if self.read_only => {}
            Stage::Sent => return Ok(convert::interrupted(&self.tool).into()),
            Stage::Done(outcome) => return outcome.as_ref().clone(),
            Stage::Forgotten => return Ok(convert::has_run(&self.tool).into()),
        }
        self.wait_for_connection().await;
        *stage = Stage::Sent;
        let attempt = self.attempt_after_the_wait().await;
        let ran = !matches!(attempt, Err(CallError::ConnectFirst(_)));
        let outcome = self.settle(attempt);
        if ran {
            *stage = Stage::Done(Box::new(outcome.clone()));
            executions.keep(&execution);
        } else {
            *stage = Stage::Waiting;
        }
        outcome
    }

    async fn attempt(&self, caller: &Caller) -> Result<ToolOutput, CallError> {
        let gateway = self.server.surface.gateway();
        Box::pin(gateway.call_tool(caller, &self.tool, &self.arguments)).await
    }

    /// Runs it for whoever the agent is by now, if it is anybody.
    async fn attempt_after_the_wait(&self) -> Result<ToolOutput, CallError> {
        let gateway = self.server.surface.gateway();
        let caller = gateway.still_standing(&self.caller).await?;
        self.attempt(&caller).await
    }

    fn settle(&self, attempt: Result<ToolOutput, CallError>) -> Outcome {
        match attempt {
            Ok(output) => Ok(convert::output(output).into()),
            Err(CallError::ConnectFirst(link)) => self.show(&link),
            Err(error) => convert::call_error(error).map(Into::into),
        }
    }

    /// The person (or a client that cannot ask one) said no: the tool does not run, and the link is told in words.
    async fn tell_the_link(&self) -> Outcome {
        let gateway = self.server.surface.gateway();
        match gateway
            .link_for(&self.caller, &self.tool, &self.arguments)
            .await
        {
            Ok(Some(link)) => self.show(&link),
            Ok(None) => Ok(convert::connected_meanwhile(&self.tool).into()),
            Err(error) => convert::call_error(error).map(Into::into),
        }
    }

    /// Whether the person has the link in hand. Where a client that goes away does not cancel its call, only tools that
    /// look around wait: nobody may be there any more when the others would act.
    fn is_worth_waiting_for(&self, link: &ConnectLink) -> bool {
        link.opened && (self.read_only || Client::of(self.context).leaving_cancels())
    }

    /// Waits for the person, at most for as long as the settings say; none when that was not long enough. What came of it
    /// otherwise, the next attempt finds out.
    async fn wait_for_connection(&self) -> Option<()> {
        let limit = self.server.surface.settings().wait();
        let gateway = self.server.surface.gateway();
        let arrival = gateway.until_runnable(&self.caller, &self.tool, &self.arguments);
        let what = format!("Waiting for {} to connect.", self.caller.principal.name);
        let parked = parking::wait_for(arrival, limit, &what, self.context);
        // Once we end, nobody can come back from the provider: the link is the answer.
        let stop = &self.server.surface.parts.stop;
        stop.run_until_cancelled(parked).await.flatten().map(drop)
    }

    /// The link, in the form that this client can show.
    fn show(&self, link: &ConnectLink) -> Outcome {
        let surface = &self.server.surface;
        let client = Client {
            asked_before: self.server.asked_before(&link.services),
            rounds: self.round.asked,
            declined: self.round.answer == Answer::Declined,
            ..Client::of(self.context)
        };
        let form = missing_connection::form(surface.settings().missing_connection, client);
        if form == Form::Error && !client.asked_before && client.era == Era::November2025 {
            self.server
                .tell_when_used(self.context.peer.clone(), &self.caller, link);
        }
        missing_connection::answer(form, link, || {
            surface.gateway().seal_request_state(
                &self.caller,
                &self.tool,
                &self.arguments,
                self.round.call,
                self.round.asked + 1,
            )
        })
    }
}
