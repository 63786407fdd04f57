//! One tool call, step by step.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::accounts::Wanted;
use super::credentials::{Unusable, Usable};
use super::{CallError, ConnectLink, Fault, Gateway, MissingReason, Ready, Service, WhichAccount};
use crate::catalogue::{
    InvalidArguments, Refusal, RefusalKind, RenderError, Reply, Tool, ToolOutput, nearest,
};
use crate::identity::Caller;
use crate::upstream::{self, UpstreamError};

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

    /// Whether sending it twice does no more than sending it once.
    fn may_be_repeated(&self) -> bool {
        let hints = self.tool.hints();
        hints.read_only || hints.idempotent
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
        self.note_use(&usable.connection, &asked.tool);
        match self.send(asked, ready, &usable).await? {
            Reply::Success(output) => Ok(output),
            Reply::Refused(refusal) if refusal.kind == RefusalKind::TokenInvalid => {
                self.renew_and_repeat(asked, ready, &usable).await
            }
            Reply::Refused(refusal) => Err(self.refused(asked, &usable, refusal).await?),
        }
    }

    /// Goes on after the token, not the call, was refused: nothing has happened yet. Renews the token once, and repeats the
    /// call once where that can do no harm.
    async fn renew_and_repeat(
        &self,
        asked: &Asked<'_>,
        ready: &Ready,
        refused: &Usable,
    ) -> Result<ToolOutput, CallError> {
        let renewed = match self.renew_refused(refused).await {
            Ok(renewed) => renewed,
            Err(unusable) => return Err(self.unusable(asked, unusable).await?),
        };
        // A token that was there already may be as old as the refused one.
        let another = !renewed.is_brand_new();
        if !asked.may_be_repeated() {
            let service = asked.service_name();
            return Err(CallError::RunAgain { service });
        }
        match self.send(asked, ready, &renewed).await? {
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

    /// Sends one request of a tool, and reads what comes back.
    async fn send(
        &self,
        asked: &Asked<'_>,
        ready: &Ready,
        used: &Usable,
    ) -> Result<Reply, CallError> {
        let request = asked
            .tool
            .render(&ready.variables, asked.wanted.arguments())
            .map_err(unrenderable)?;
        let response = upstream::send(&self.parts.egress, request, &used.access_token)
            .await
            .map_err(|error| unreachable(asked, &error))?;
        Ok(asked.tool.read(&response))
    }

    /// What a refusal means for the caller, and for what the connection may do.
    async fn refused(
        &self,
        asked: &Asked<'_>,
        used: &Usable,
        refusal: Refusal,
    ) -> Result<CallError, Fault> {
        let needs_scopes = asked.tool.scopes().iter().next().is_some();
        if refusal.kind == RefusalKind::ScopeMissing && needs_scopes {
            let reason = self
                .withdraw(used, &asked.service, &asked.tool, &refusal)
                .await?;
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
        let (service, tool) = self.find_tool(name)?;
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

    pub(super) fn find_tool(&self, name: &str) -> Result<(Service, Arc<Tool>), CallError> {
        let services = self.services();
        if let Some((service, tool)) = services.tool(name) {
            return Ok((service.clone(), Arc::clone(tool)));
        }
        let known = services.advertised().map(|tool| tool.name());
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

fn unreachable(asked: &Asked<'_>, error: &UpstreamError) -> CallError {
    CallError::Unreachable {
        service: asked.service_name(),
        message: error.to_string(),
        may_have_happened: error.request_was_sent() && !asked.tool.hints().read_only,
    }
}
