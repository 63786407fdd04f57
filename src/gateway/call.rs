//! One tool call, step by step.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::credentials::Usable;
use super::{ConnectLink, Fault, Gateway, MissingReason, Service};
use crate::catalogue::{Refusal, RefusalKind, RenderError, Reply, Tool, ToolOutput, nearest};
use crate::connection::ExpiredReason;
use crate::identity::Caller;
use crate::upstream::{self, UpstreamError};

/// Why a call gave no result, by what the caller can do next.
#[derive(Debug)]
pub enum CallError {
    /// No such tool. The sentence says what to do.
    UnknownTool(String),
    /// The arguments break the tool's schema; names every problem.
    InvalidArguments(String),
    /// The service has no client registration here. The sentence names who can change that.
    NotConfigured(String),
    /// The person must open a link first.
    ConnectFirst(Box<ConnectLink>),
    /// The provider answered, and refused.
    Refused {
        /// The service's name.
        service: String,
        /// What it said.
        refusal: Refusal,
    },
    /// The provider could not be asked, or its answer not be read.
    Unreachable {
        /// The service's name.
        service: String,
        /// What happened, without addresses or secrets.
        message: String,
        /// The request may have taken effect.
        may_have_happened: bool,
    },
    /// Something failed on our side.
    Fault(Fault),
}

impl CallError {
    /// What happened and what to do, for whoever reads it. A fault is told without its cause.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::UnknownTool(sentence)
            | Self::InvalidArguments(sentence)
            | Self::NotConfigured(sentence) => sentence.clone(),
            Self::ConnectFirst(link) => link.sentence.clone(),
            Self::Refused { service, refusal } => {
                let wait = refusal
                    .retry_after
                    .map(|wait| format!(" Try again in {} seconds.", wait.as_secs()))
                    .unwrap_or_default();
                format!("{service} refused: {}{wait}", refusal.message)
            }
            Self::Unreachable {
                service,
                message,
                may_have_happened,
            } => {
                let advice = if *may_have_happened {
                    "It is not known whether the request took effect: check before you run it again."
                } else {
                    "Nothing was changed; try again in a moment."
                };
                format!("{service} could not be reached: {message}. {advice}")
            }
            Self::Fault(fault) => fault.sentence().to_owned(),
        }
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
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
        let (service, tool) = &self.find_tool(name)?;
        tool.check(arguments)
            .map_err(|error| CallError::InvalidArguments(error.to_string()))?;
        let ready = service
            .ready()
            .ok_or_else(|| self.not_configured(service))?;
        let usable = match self
            .usable_credential(&caller.principal.id, service, ready, tool)
            .await?
        {
            Ok(usable) => usable,
            Err(reason) => return Err(self.connect_first(caller, service, tool, reason).await?),
        };
        let request = tool
            .render(&ready.variables, arguments)
            .map_err(unrenderable)?;
        self.note_use(&usable.connection, tool);
        let response = upstream::send(&self.parts.egress, request, &usable.access_token)
            .await
            .map_err(|error| unreachable(service, tool, &error))?;
        match tool.read(&response) {
            Reply::Success(output) => Ok(output),
            Reply::Refused(refusal) => Err(self
                .refused(caller, service, tool, &usable, refusal)
                .await?),
        }
    }

    /// The link that `caller` needs before `name` can run; none when nothing is missing.
    ///
    /// # Errors
    /// [`CallError`] when the tool is unknown, its service not set up, or the store fails.
    pub async fn link_for(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Option<ConnectLink>, CallError> {
        let (service, tool) = &self.find_tool(name)?;
        match self.missing(caller, service, tool).await? {
            None => Ok(None),
            Some(reason) => Ok(Some(
                self.connect_link(caller, service, tool, reason).await?,
            )),
        }
    }

    /// What `caller` lacks before `name` can run, if anything.
    pub(super) async fn missing_for(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Option<MissingReason>, CallError> {
        let (service, tool) = self.find_tool(name)?;
        self.missing(caller, &service, &tool).await
    }

    async fn missing(
        &self,
        caller: &Caller,
        service: &Service,
        tool: &Tool,
    ) -> Result<Option<MissingReason>, CallError> {
        let ready = service
            .ready()
            .ok_or_else(|| self.not_configured(service))?;
        let usable = self
            .usable_credential(&caller.principal.id, service, ready, tool)
            .await?;
        Ok(usable.err())
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
        caller: &Caller,
        service: &Service,
        tool: &Tool,
        reason: MissingReason,
    ) -> Result<CallError, Fault> {
        let link = self.connect_link(caller, service, tool, reason).await?;
        Ok(CallError::ConnectFirst(Box::new(link)))
    }

    /// What a refusal means for the connection and for the caller.
    async fn refused(
        &self,
        caller: &Caller,
        service: &Service,
        tool: &Tool,
        used: &Usable,
        refusal: Refusal,
    ) -> Result<CallError, Fault> {
        match refusal.kind {
            RefusalKind::TokenInvalid => {
                self.expire_refused(used).await?;
                let reason = MissingReason::Expired(ExpiredReason::RefusedByProvider);
                self.connect_first(caller, service, tool, reason).await
            }
            RefusalKind::ScopeMissing if tool.scopes().iter().next().is_some() => {
                let reason = self.withdraw(used, service, tool, &refusal).await?;
                self.connect_first(caller, service, tool, reason).await
            }
            _ => Ok(CallError::Refused {
                service: service.provider.name().to_owned(),
                refusal,
            }),
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn unrenderable(error: RenderError) -> CallError {
    CallError::InvalidArguments(error.to_string())
}

fn unreachable(service: &Service, tool: &Tool, error: &UpstreamError) -> CallError {
    CallError::Unreachable {
        service: service.provider.name().to_owned(),
        message: error.to_string(),
        may_have_happened: error.request_was_sent() && !tool.hints().read_only,
    }
}
