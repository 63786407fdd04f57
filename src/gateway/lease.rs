//! What a caller may do now: the lease that their person has given the agent.
//!
//! Owns the one answer to "is this agent still anybody, and may it use this". Every verb that acts for an agent asks here;
//! surfaces ask for what they show.

use std::iter;
use std::sync::Arc;

use super::{CallError, Fault, Gateway, Service};
use crate::base::PersonId;
use crate::catalogue::Tool;
use crate::identity::{Agent, Caller, Narrowing, Outside, Principal};

impl Gateway {
    /// `caller` as they stand now; none when they are nobody any more: the agent was revoked or has expired, or its person
    /// has stopped their agents or is gone.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn caller_now(&self, caller: &Caller) -> Result<Option<Caller>, Fault> {
        if caller.narrowing.is_none() {
            let person = &caller.principal.id;
            let is_there =
                !self.has_stopped_agents(person).await? && self.principal(person).await?.is_some();
            return Ok(is_there.then(|| caller.clone()));
        }
        let found = self.parts.store.agents().get(caller.agent.as_str()).await;
        let agent = self.set_apart(found)?.ok().flatten();
        let agent = agent.filter(|agent| agent.value.person == caller.principal.id);
        match agent {
            Some(agent) => self.caller_of(agent.value).await,
            None => Ok(None),
        }
    }

    /// Waits until `caller` is nobody any more. Costs no thread; ends when it is dropped.
    pub async fn until_nobody(&self, caller: &Caller) {
        let mut arriving = self.watch_connections(caller);
        loop {
            match self.caller_now(caller).await {
                Ok(None) => return,
                Ok(Some(_)) => {}
                Err(fault) => {
                    tracing::error!(%fault, "it could not be seen whether an agent may go on");
                }
            }
            arriving.next().await;
        }
    }

    /// The caller that `agent` is now, if it is anybody.
    pub(super) async fn caller_of(&self, agent: Agent) -> Result<Option<Caller>, Fault> {
        let stopped = self.has_stopped_agents(&agent.person).await?;
        let principal = self.principal(&agent.person).await?;
        if stopped || agent.is_expired(self.parts.clock.now()) {
            return Ok(None);
        }
        Ok(principal.map(|principal| caller(principal, agent)))
    }

    /// Whether `person` has stopped their agents. When that cannot be read, they have.
    pub(super) async fn has_stopped_agents(&self, person: &PersonId) -> Result<bool, Fault> {
        let found = self.parts.store.stopped_agents().get(person.as_str()).await;
        Ok(self.set_apart(found)?.map_or(true, |found| found.is_some()))
    }

    /// Whether `caller` may run a tool of a product of a service, as [`Narrowing::check_tool`].
    #[must_use]
    pub fn may_run(&self, caller: &Caller, names: [&str; 2], read_only: bool) -> bool {
        let now = self.parts.clock.now();
        let narrowing = caller.narrowing.as_ref();
        narrowing.is_none_or(|narrowing| narrowing.check_tool(names, read_only, now).is_ok())
    }

    /// Whether `caller` may use `service` at all.
    #[must_use]
    pub fn may_use(&self, caller: &Caller, service: &Service) -> bool {
        self.check_use(caller, service).is_ok()
    }

    /// The same, with a sentence when not.
    ///
    /// # Errors
    /// [`CallError::Narrowed`].
    pub fn check_use(&self, caller: &Caller, service: &Service) -> Result<(), CallError> {
        let Some(narrowing) = &caller.narrowing else {
            return Ok(());
        };
        let names = iter::once(service.id()).chain(service.product_ids());
        let checked = narrowing.check_service(names, self.parts.clock.now());
        checked.map_err(|outside| narrowed(caller, narrowing, service.provider.name(), outside))
    }

    /// Whether the time of `caller` is not over.
    ///
    /// # Errors
    /// [`CallError::Narrowed`].
    pub fn check_time(&self, caller: &Caller) -> Result<(), CallError> {
        let now = self.parts.clock.now();
        match &caller.narrowing {
            Some(narrowing) if narrowing.until.is_some_and(|until| until <= now) => {
                Err(narrowed(caller, narrowing, "This", Outside::Over))
            }
            _ => Ok(()),
        }
    }

    /// Whether `caller` may run `tool`.
    pub(super) fn check_tool(
        &self,
        caller: &Caller,
        service: &Service,
        tool: &Tool,
    ) -> Result<(), CallError> {
        let Some(narrowing) = &caller.narrowing else {
            return Ok(());
        };
        let (names, read_only) = ([service.id(), tool.product()], tool.hints().read_only);
        let checked = narrowing.check_tool(names, read_only, self.parts.clock.now());
        checked.map_err(|outside| narrowed(caller, narrowing, tool.name(), outside))
    }

    /// `caller` as they stand now.
    ///
    /// # Errors
    /// [`CallError::NotLetIn`] when they are nobody any more.
    pub async fn still_standing(&self, caller: &Caller) -> Result<Caller, CallError> {
        let standing = self.caller_now(caller).await?;
        standing.ok_or(CallError::NotLetIn)
    }
}

/// The caller that `agent` of `principal` is.
pub(super) fn caller(principal: Arc<Principal>, agent: Agent) -> Caller {
    Caller {
        principal,
        agent: agent.id,
        agent_name: agent.name,
        narrowing: Some(Arc::new(agent.narrowing)),
    }
}

fn narrowed(caller: &Caller, narrowing: &Narrowing, what: &str, outside: Outside) -> CallError {
    let person = &caller.principal.name;
    let why = match outside {
        Outside::Service => "is not among them",
        Outside::Changes => "is not one that only looks",
        Outside::Over => "came after that",
    };
    CallError::Narrowed(format!(
        "{what} is not allowed to this agent: {person} has narrowed its token to {}, and this {why}. Nothing was sent. \
         {person} can change that with `attache agents narrow {}`.",
        narrowing.words(),
        caller.agent,
    ))
}
