//! One tool call, step by step.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::credentials::{Unusable, Usable};
use super::{ConnectLink, Fault, Gateway, MissingReason, Ready, Service};
use crate::base::Secret;
use crate::catalogue::{Refusal, RefusalKind, RenderError, Reply, Tool, ToolOutput, nearest};
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
    /// The credential has to be renewed, and the provider does not do it now. Nothing was sent; the connection stays.
    Delayed {
        /// The service's name.
        service: String,
        /// When it makes sense to call again.
        wait: Duration,
    },
    /// The provider refused the credential before it did anything; it is renewed by now. The call is not one to be
    /// repeated unasked.
    RunAgain {
        /// The service's name.
        service: String,
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
            Self::Delayed { service, wait } => format!(
                "{service} does not renew the connection at the moment, so nothing was sent to it. The connection stays: \
                 try again in {} seconds.",
                wait.as_secs().max(1)
            ),
            Self::RunAgain { service } => format!(
                "{service} no longer accepted the connection's access token and has not run this. The token has been \
                 renewed: run the same call again."
            ),
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
        let person = &caller.principal.id;
        let usable = match self.usable_credential(person, service, ready, tool).await {
            Ok(usable) => usable,
            Err(unusable) => return Err(self.unusable(caller, service, tool, unusable).await?),
        };
        self.note_use(&usable.connection, tool);
        let first = self
            .send(service, ready, tool, arguments, &usable.access_token)
            .await?;
        let refusal = match first {
            Reply::Success(output) => return Ok(output),
            Reply::Refused(refusal) => refusal,
        };
        if refusal.kind != RefusalKind::TokenInvalid {
            return Err(self
                .refused(caller, service, tool, &usable, refusal)
                .await?);
        }
        // The token, not the call, was refused: nothing has happened yet.
        let renewed = match self.renew_refused(&usable).await {
            Ok(renewed) => renewed,
            Err(unusable) => return Err(self.unusable(caller, service, tool, unusable).await?),
        };
        if !tool.hints().read_only && !tool.hints().idempotent {
            let service = service.provider.name().to_owned();
            return Err(CallError::RunAgain { service });
        }
        let second = self
            .send(service, ready, tool, arguments, &renewed.access_token)
            .await?;
        match second {
            Reply::Success(output) => Ok(output),
            Reply::Refused(refusal) if refusal.kind == RefusalKind::TokenInvalid => {
                let reason = self.end_refused(&renewed).await?;
                Err(self.connect_first(caller, service, tool, reason).await?)
            }
            Reply::Refused(refusal) => Err(self
                .refused(caller, service, tool, &renewed, refusal)
                .await?),
        }
    }

    /// Sends one request of a tool, and reads what comes back.
    async fn send(
        &self,
        service: &Service,
        ready: &Ready,
        tool: &Tool,
        arguments: &Map<String, Value>,
        access_token: &Secret,
    ) -> Result<Reply, CallError> {
        let request = tool
            .render(&ready.variables, arguments)
            .map_err(unrenderable)?;
        let response = upstream::send(&self.parts.egress, request, access_token)
            .await
            .map_err(|error| unreachable(service, tool, &error))?;
        Ok(tool.read(&response))
    }

    /// What a refusal means for the caller, and for what the connection may do.
    async fn refused(
        &self,
        caller: &Caller,
        service: &Service,
        tool: &Tool,
        used: &Usable,
        refusal: Refusal,
    ) -> Result<CallError, Fault> {
        if refusal.kind == RefusalKind::ScopeMissing && tool.scopes().iter().next().is_some() {
            let reason = self.withdraw(used, service, tool, &refusal).await?;
            return self.connect_first(caller, service, tool, reason).await;
        }
        Ok(CallError::Refused {
            service: service.provider.name().to_owned(),
            refusal,
        })
    }

    /// Why there is no credential, for the caller.
    async fn unusable(
        &self,
        caller: &Caller,
        service: &Service,
        tool: &Tool,
        unusable: Unusable,
    ) -> Result<CallError, Fault> {
        match unusable {
            Unusable::Missing(reason) => self.connect_first(caller, service, tool, reason).await,
            Unusable::Delayed(wait) => Ok(CallError::Delayed {
                service: service.provider.name().to_owned(),
                wait,
            }),
            Unusable::Fault(fault) => Err(fault),
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
        let person = &caller.principal.id;
        Ok(self.missing_before(person, service, ready, tool).await?)
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
