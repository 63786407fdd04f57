//! One tool call, step by step.

use std::borrow::Cow;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::{Map, Value};

use super::accounts::Wanted;
use super::credentials::{Unusable, Usable};
use super::{CallError, ConnectLink, Fault, Gateway, MissingReason, Ready, Service, WhichAccount};
use crate::catalogue::{
    Answer, InvalidArguments, Next, Outgoing, Refusal, RefusalKind, RenderError, Reply, Run,
    ScopeRequirement, Tool, ToolOutput, Variables, nearest,
};
use crate::connection::Connection;
use crate::identity::Caller;
use crate::upstream::{self, Manner, UpstreamError};

/// A call as it was asked for: whose it is, of what, and with which account.
pub(super) struct Asked<'a> {
    pub(super) caller: &'a Caller,
    pub(super) service: Service,
    pub(super) tool: Arc<Tool>,
    pub(super) wanted: Wanted<'a>,
}

impl Asked<'_> {
    fn service_name(&self) -> String {
        self.service.provider.name().to_owned()
    }

    /// What this call must be granted.
    pub(super) fn need(&self) -> Cow<'_, ScopeRequirement> {
        self.tool.scopes_for(self.wanted.arguments())
    }
}

impl Gateway {
    /// Runs the tool `name` for `caller`, with the caller's own connection.
    ///
    /// # Errors
    /// [`CallError`], by what the caller can do next.
    pub async fn call_tool(
        &self,
        caller: &Caller,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<ToolOutput, CallError> {
        let asked = &self.asked(caller, name, arguments)?;
        asked
            .tool
            .check(asked.wanted.arguments())
            .map_err(|error| unfit(&error))?;
        let ready = self.ready_for_call(asked)?;
        let usable = match self.usable_credential(asked, ready).await {
            Ok(usable) => usable,
            Err(unusable) => return Err(self.unusable(asked, unusable).await?),
        };
        self.note_use(&usable.connection, &asked.need());
        let variables = self.variables_for(asked, ready, &usable.connection).await?;
        let mut run = self.begin_run(asked, &variables)?;
        let outcome = self.carry_out(asked, &mut run, &usable).await;
        outcome.map_err(|error| error.after(run.done_so_far()))
    }

    /// The call as a run of its tool.
    fn begin_run<'a>(
        &self,
        asked: &'a Asked<'_>,
        variables: &Variables,
    ) -> Result<Run<'a>, CallError> {
        let unique = self.parts.random.uuid();
        asked
            .tool
            .begin(variables, asked.wanted.arguments(), unique)
            .map_err(unrenderable)
    }

    /// From the first request of a run to its answer.
    async fn carry_out(
        &self,
        asked: &Asked<'_>,
        run: &mut Run<'_>,
        usable: &Usable,
    ) -> Result<ToolOutput, CallError> {
        match self.drive(asked, run, usable).await? {
            Reply::Success(output) => Ok(output),
            Reply::Refused(refusal) if refusal.kind == RefusalKind::TokenInvalid => {
                self.renew_and_repeat(asked, run, usable).await
            }
            Reply::Refused(refusal) => Err(self.refused(asked, usable, refusal).await?),
        }
    }

    /// Goes on after the token, not the call, was refused: what was refused has not happened. Renews the token once, and
    /// repeats what was refused once, where that can do no harm.
    async fn renew_and_repeat(
        &self,
        asked: &Asked<'_>,
        run: &mut Run<'_>,
        refused: &Usable,
    ) -> Result<ToolOutput, CallError> {
        let renewed = match self.renew_refused(refused).await {
            Ok(renewed) => renewed,
            Err(unusable) => return Err(self.unusable(asked, unusable).await?),
        };
        // A token that was there already may be as old as the refused one.
        let another = !renewed.is_brand_new();
        if !run.repeat() {
            let service = asked.service_name();
            return Err(CallError::RunAgain { service });
        }
        match self.drive(asked, run, &renewed).await? {
            Reply::Success(output) => Ok(output),
            Reply::Refused(refusal) if refusal.kind == RefusalKind::TokenInvalid && another => {
                Err(self.renew_and_run_again(asked, &renewed).await?)
            }
            Reply::Refused(refusal) if refusal.kind == RefusalKind::TokenInvalid => {
                let reason = self.end_refused(&renewed).await?;
                Err(self.connect_first(asked, reason).await?)
            }
            Reply::Refused(refusal) => Err(self.refused(asked, &renewed, refusal).await?),
        }
    }

    /// Renews a token that was not new when it was refused. The call has been repeated once already, so whoever made it makes
    /// it again.
    async fn renew_and_run_again(
        &self,
        asked: &Asked<'_>,
        refused: &Usable,
    ) -> Result<CallError, Fault> {
        match self.renew_refused(refused).await {
            Ok(_) => {
                let service = asked.service_name();
                Ok(CallError::RunAgain { service })
            }
            Err(unusable) => self.unusable(asked, unusable).await,
        }
    }

    /// Sends what a run wants sent, until it has its answer. Whoever drops this ends the run: nothing more is sent.
    async fn drive(
        &self,
        asked: &Asked<'_>,
        run: &mut Run<'_>,
        used: &Usable,
    ) -> Result<Reply, CallError> {
        loop {
            match run.next() {
                Next::Done(reply) => return Ok(reply),
                Next::Wait(pause) => tokio::time::sleep(pause).await,
                Next::Send(requests, at_once) => {
                    self.send_all(asked, run, requests, at_once, used).await?;
                }
            }
        }
    }

    /// Sends several requests, no more than so many at once. What is over is not waited for.
    async fn send_all<'t>(
        &self,
        asked: &Asked<'_>,
        run: &mut Run<'t>,
        requests: Vec<Outgoing<'t>>,
        at_once: usize,
        used: &Usable,
    ) -> Result<(), CallError> {
        let mut waiting = requests.into_iter();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < at_once.max(1)
                && let Some(outgoing) = waiting.next()
            {
                under_way.push(self.send(asked, outgoing, used));
            }
            let Some(answer) = under_way.next().await else {
                return Ok(());
            };
            run.answer(vec![answer?]);
            if run.is_over() {
                return Ok(());
            }
        }
    }

    /// Sends one request of a run.
    async fn send(
        &self,
        asked: &Asked<'_>,
        outgoing: Outgoing<'_>,
        used: &Usable,
    ) -> Result<Answer, CallError> {
        let Outgoing {
            id: to,
            request,
            redirect,
            read_only,
            ..
        } = outgoing;
        let manner = Manner {
            inject: Some(asked.service.provider.inject()),
            redirect,
        };
        upstream::send(&self.parts.egress, request, &used.access_token, manner)
            .await
            .map(|response| Answer { to, response })
            .map_err(|error| unreachable(asked, &error, read_only))
    }

    /// The variables of the service with what this connection says, and with the tenant that the call means.
    async fn variables_for<'r>(
        &self,
        asked: &Asked<'_>,
        ready: &'r Ready,
        connection: &Connection,
    ) -> Result<Cow<'r, Variables>, CallError> {
        let reach = &connection.reach;
        let tenant = match asked.tool.tenant_argument() {
            None => None,
            // It was connected before the provider file asked for tenants.
            Some(_) if reach.tenants.is_empty() => {
                let reason = MissingReason::AuthorityChanged;
                return Err(self.connect_first(asked, reason).await?);
            }
            Some(argument) => {
                let chosen = reach.tenant(asked.wanted.tenant());
                Some(chosen.map_err(|which| CallError::WhichTenant {
                    service: asked.service_name(),
                    argument: argument.to_owned(),
                    which,
                })?)
            }
        };
        let captured = reach.captured_with(tenant);
        if captured.is_empty() {
            return Ok(Cow::Borrowed(&ready.variables));
        }
        let variables = ready.variables.with_captured(&captured);
        Ok(Cow::Owned(variables.map_err(unrenderable)?))
    }

    /// What a refusal means for the caller, and for what the connection may do.
    async fn refused(
        &self,
        asked: &Asked<'_>,
        used: &Usable,
        refusal: Refusal,
    ) -> Result<CallError, Fault> {
        let need = asked.need();
        let needs_scopes = need.iter().next().is_some();
        if refusal.kind == RefusalKind::ScopeMissing && needs_scopes {
            let reason = self.withdraw(used, &asked.service, &need, &refusal).await?;
            return self.connect_first(asked, reason).await;
        }
        let service = asked.service_name();
        Ok(CallError::Refused { service, refusal })
    }

    /// Why there is no credential, for the caller.
    async fn unusable(&self, asked: &Asked<'_>, unusable: Unusable) -> Result<CallError, Fault> {
        match unusable {
            Unusable::Missing(reason) => self.connect_first(asked, reason).await,
            Unusable::Delayed(wait) => {
                let service = asked.service_name();
                Ok(CallError::Delayed { service, wait })
            }
            Unusable::Fault(fault) => Err(fault),
        }
    }

    /// The link that `caller` needs before `name` can run with these arguments; none when nothing is missing.
    ///
    /// # Errors
    /// [`CallError`] when the tool is unknown, its service not set up, the account unclear, or the store fails.
    pub async fn link_for(
        &self,
        caller: &Caller,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Option<ConnectLink>, CallError> {
        let asked = &self.asked(caller, name, arguments)?;
        let ready = self.ready_for_call(asked)?;
        let Some(reason) = self.missing_before(asked, ready).await? else {
            return Ok(None);
        };
        match self.connect_first(asked, reason).await? {
            CallError::ConnectFirst(link) => Ok(Some(*link)),
            other => Err(other),
        }
    }

    /// What `caller` lacks before `name` can run with these arguments, if anything that connecting mends.
    pub(super) async fn missing_for(
        &self,
        caller: &Caller,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<Option<MissingReason>, CallError> {
        let asked = &self.asked(caller, name, arguments)?;
        let ready = self.ready_for_call(asked)?;
        match self.missing_before(asked, ready).await? {
            Some(MissingReason::WhichAccount(which)) => Err(self.which_account(asked, which)),
            missing => Ok(missing),
        }
    }

    fn asked<'a>(
        &self,
        caller: &'a Caller,
        name: &str,
        arguments: &'a Map<String, Value>,
    ) -> Result<Asked<'a>, CallError> {
        let (service, tool) = self.find_tool(caller, name)?;
        self.check_tool(caller, &service, &tool)?;
        let wanted = Wanted::of(&tool, arguments).map_err(|error| unfit(&error))?;
        Ok(Asked {
            caller,
            service,
            tool,
            wanted,
        })
    }

    fn ready_for_call<'a>(&self, asked: &'a Asked<'_>) -> Result<&'a Ready, CallError> {
        let ready = asked.service.ready();
        ready
            .map(AsRef::as_ref)
            .ok_or_else(|| self.not_configured(&asked.service))
    }

    pub(super) fn find_tool(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<(Service, Arc<Tool>), CallError> {
        let services = self.services();
        if let Some((service, tool)) = services.tool(name) {
            return Ok((service.clone(), Arc::clone(tool)));
        }
        let allowed = services.advertised().filter(|tool| {
            let names = [tool.provider(), tool.product()];
            self.may_run(caller, names, tool.hints().read_only)
        });
        let known = allowed.map(|tool| tool.name());
        let hint = nearest(name, known)
            .map(|near| format!(" Did you mean {near}?"))
            .unwrap_or_default();
        Err(CallError::UnknownTool(format!(
            "There is no tool named {name:?}.{hint} List the tools to see which there are."
        )))
    }

    fn not_configured(&self, service: &Service) -> CallError {
        CallError::NotConfigured(format!(
            "{} is not set up on this gateway, so nobody can connect it yet. Whoever runs Attache can add a client \
             registration for it: see {}.",
            service.provider.name(),
            self.parts.links.connections(),
        ))
    }

    async fn connect_first(
        &self,
        asked: &Asked<'_>,
        reason: MissingReason,
    ) -> Result<CallError, Fault> {
        if let MissingReason::WhichAccount(which) = reason {
            return Ok(self.which_account(asked, which));
        }
        let link = self.connect_link(asked, reason).await?;
        Ok(CallError::ConnectFirst(Box::new(link)))
    }

    fn which_account(&self, asked: &Asked<'_>, which: WhichAccount) -> CallError {
        let (service, person) = (asked.service_name(), &asked.caller.principal.name);
        CallError::WhichAccount {
            sentence: format!(
                "{} Say which one is meant with the argument `account`, or ask {person} to choose one to be used by \
                 default, or to connect another: {}.",
                which.sentence(&service, person),
                self.parts.links.connections(),
            ),
            service,
            which,
        }
    }
}

fn unfit(error: &InvalidArguments) -> CallError {
    CallError::InvalidArguments(error.to_string())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn unrenderable(error: RenderError) -> CallError {
    CallError::InvalidArguments(error.to_string())
}

fn unreachable(asked: &Asked<'_>, error: &UpstreamError, read_only: bool) -> CallError {
    CallError::Unreachable {
        service: asked.service_name(),
        message: error.to_string(),
        may_have_happened: error.request_was_sent() && !read_only,
    }
}

#[cfg(test)]
mod tests;
