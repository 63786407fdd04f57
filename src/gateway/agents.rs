//! Agents: who may call, and by which token.

use super::lease::caller;
use super::{Fault, Gateway};
use crate::base::{AgentId, PersonId, Secret, Timestamp};
use crate::catalogue::nearest;
use crate::identity::{
    Agent, AgentTerms, AgentToken, AgentsStopped, Caller, Narrowing, Principal, Sightings,
};
use crate::store::{Record, WriteError};
use data_encoding::BASE64URL_NOPAD;

use super::fault::ATTEMPTS;

/// The agents of one person, as their person sees them.
#[derive(Clone, Debug)]
pub struct Agents {
    /// Since when all of them are stopped.
    pub stopped: Option<Timestamp>,
    /// Each of them, the oldest first.
    pub agents: Vec<AgentView>,
}

/// One agent, as its person sees it.
#[derive(Clone, Debug)]
pub struct AgentView {
    /// The agent.
    pub agent: Agent,
    /// Who was seen with its token.
    pub seen: Sightings,
    /// It has expired, or its time is over.
    pub is_over: bool,
}

/// A narrowing that names what is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no service `{asked}` on this gateway{hint}; it has {known}")]
pub struct NarrowingError {
    asked: String,
    hint: String,
    known: String,
}

impl Gateway {
    /// Who presents `token`; none when it is nobody's. Whoever has had a token once learns nothing else: that an agent is
    /// unknown, expired, stopped or revoked is one answer.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn authenticate(&self, token: &AgentToken) -> Result<Option<Caller>, Fault> {
        let found = self.parts.store.agents().get(token.agent.as_str()).await;
        // An agent that cannot be read is nobody: its person adds another.
        let agent = self.set_apart(found)?.ok().flatten();
        let Some(agent) = agent.filter(|agent| agent.value.recognises(token)) else {
            return Ok(None);
        };
        let caller = self.caller_of(agent.value).await?;
        Ok(caller.filter(|caller| self.accepts(&caller.principal)))
    }

    /// The agent that the gateway itself adds for `person`, and its token. The token is derived from the master key
    /// and the person, so that every start prints the same one although nothing but its digest is kept. Once the master key
    /// has been changed, the next start makes another, which takes the place of this one with all that is known of it.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    async fn startup_agent(
        &self,
        person: &std::sync::Arc<Principal>,
        is_new: bool,
        name: &str,
    ) -> Result<(Caller, Secret), Fault> {
        let token = self.startup_token(person, name);
        let fresh = Agent {
            startup: true,
            ..token.agent(person.id.clone(), name, self.parts.clock.now())
        };
        // Where nobody gets in by it, there is no token either.
        let fresh = if self.accepts(person) {
            fresh
        } else {
            fresh.without_token()
        };
        let agents = self.parts.store.agents();
        let known = match self.set_apart(agents.get(fresh.id.as_str()).await)? {
            Ok(known) => known,
            Err(damaged) => {
                // Everything in it is known but what it was narrowed to: the token is derived, and so is the person.
                self.discard(&damaged).await?;
                None
            }
        };
        let agent = match known {
            Some(known) => self.startup_agent_again(known, fresh).await?,
            None => self.first_startup_agent(fresh, is_new).await?,
        };
        Ok((caller(person.clone(), agent), token.to_secret()))
    }

    /// The start-up agent that is there already, with the token as it must be.
    async fn startup_agent_again(
        &self,
        known: Record<Agent>,
        fresh: Agent,
    ) -> Result<Agent, Fault> {
        let agent = Agent {
            startup: true,
            token_digest: fresh.token_digest,
            ..known.value.clone()
        };
        if agent != known.value {
            let replaced = self.parts.store.agents().replace(&known, &agent).await;
            unless_another_did(replaced)?;
        }
        Ok(agent)
    }

    /// A start-up agent that was not there: on the terms of the one whose token was derived from another master key, which
    /// goes.
    async fn first_startup_agent(&self, fresh: Agent, is_new: bool) -> Result<Agent, Fault> {
        let agents = self.parts.store.agents();
        let former = if is_new {
            Vec::new()
        } else {
            self.former_startup_agents(&fresh).await?
        };
        let agent = match former.first() {
            Some(former) => fresh.on(former.value.terms()),
            None => fresh,
        };
        unless_another_did(agents.create(agent.id.as_str(), &agent).await)?;
        for one in former {
            unless_another_did(agents.delete(&one).await)?;
            self.forget_sightings(&one.value).await?;
            tracing::info!(agent = %one.value.id, "the token of a start-up agent was derived from another master key: it is worth nothing any more");
        }
        Ok(agent)
    }

    /// Those that were added in place of `fresh` while the master key was another.
    async fn former_startup_agents(&self, fresh: &Agent) -> Result<Vec<Record<Agent>>, Fault> {
        let everyone = self.parts.store.agents().list("", usize::MAX).await?;
        let mut former = self.readable(everyone);
        former.retain(|one| {
            let agent = &one.value;
            let is_same = agent.person == fresh.person && agent.name == fresh.name;
            agent.startup && is_same && agent.id != fresh.id
        });
        Ok(former)
    }

    /// The person whom `issuer` calls `subject`, added if new, as the caller that the gateway's own agent for them is, and
    /// that agent's token. The token is the same at every start; it opens nothing where [`Gateway::accepts`] says no.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn startup_caller(
        &self,
        issuer: &str,
        subject: &str,
        name: &str,
        agent: &str,
    ) -> Result<(Caller, Secret), Fault> {
        // Somebody new has no agent of before, and so nothing need be looked through.
        let is_new = matches!(self.find_person(issuer, subject).await, Ok(None));
        let principal = self.person(issuer, subject, name).await?;
        self.startup_agent(&principal, is_new, agent).await
    }

    /// The agents of `person`, with who was seen with each.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn agents_of(&self, person: &Principal) -> Result<Agents, Fault> {
        let listed = self.parts.store.agents().list("", usize::MAX).await?;
        let now = self.parts.clock.now();
        let mut agents = Vec::new();
        for record in self.readable(listed) {
            let agent = record.value;
            if agent.person == person.id {
                let ends = [agent.expires, agent.narrowing.until];
                agents.push(AgentView {
                    seen: self.sightings_of(&agent).await?,
                    is_over: ends.into_iter().flatten().any(|end| end <= now),
                    agent,
                });
            }
        }
        agents.sort_by_key(|view| view.agent.created);
        Ok(Agents {
            stopped: self.agents_stopped_since(person).await?,
            agents,
        })
    }

    /// Adds an agent for `person`; returns it with its token, which is kept nowhere.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn add_agent(
        &self,
        person: &Principal,
        name: &str,
        terms: AgentTerms,
    ) -> Result<(Agent, Secret), Fault> {
        let token = AgentToken::new(&self.parts.random);
        let agent = token.agent(person.id.clone(), name, self.parts.clock.now());
        let agent = agent.on(terms);
        let agents = self.parts.store.agents();
        agents.create(agent.id.as_str(), &agent).await?;
        Ok((agent, token.to_secret()))
    }

    /// Whether everything that a narrowing names is there.
    ///
    /// # Errors
    /// [`NarrowingError`] names the first that is not.
    pub fn check_narrowing(&self, narrowing: &Narrowing) -> Result<(), NarrowingError> {
        let services = self.services();
        let mut named = narrowing.services.iter().flatten();
        let Some(asked) = named.find(|id| services.named(id).is_none()) else {
            return Ok(());
        };
        let known: Vec<_> = services
            .iter()
            .flat_map(|service| std::iter::once(service.id()).chain(service.product_ids()))
            .collect();
        let hint = nearest(asked, known.iter().copied());
        Err(NarrowingError {
            asked: asked.chars().take(64).collect(),
            hint: hint
                .map(|near| format!(" (did you mean {near}?)"))
                .unwrap_or_default(),
            known: known.join(", "),
        })
    }

    /// Narrows an agent of `person` to this and nothing else, from its next request on. None when `person` has no such
    /// agent.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn narrow_agent(
        &self,
        person: &Principal,
        id: &AgentId,
        narrowing: &Narrowing,
    ) -> Result<Option<Agent>, Fault> {
        let agents = self.parts.store.agents();
        for _ in 0..ATTEMPTS {
            let Some(known) = self.agent_of(person, id).await? else {
                return Ok(None);
            };
            let agent = Agent {
                narrowing: narrowing.clone(),
                ..known.value.clone()
            };
            match agents.replace(&known, &agent).await {
                Ok(_) => {
                    self.parts.arrivals.announce(&person.id);
                    return Ok(Some(agent));
                }
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Revokes an agent of `person`: its token is worth nothing from the next request on. None when `person` has no
    /// such agent.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn revoke_agent(
        &self,
        person: &Principal,
        id: &AgentId,
    ) -> Result<Option<Agent>, Fault> {
        for _ in 0..ATTEMPTS {
            let Some(known) = self.agent_of(person, id).await? else {
                return Ok(None);
            };
            match self.end_agent(&known).await {
                Ok(()) => {
                    self.forget_sightings(&known.value).await?;
                    self.parts.arrivals.announce(&person.id);
                    return Ok(Some(known.value));
                }
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Makes an agent's token worth nothing. A client that comes with access tokens of its issuer would be added again: its
    /// record stays and says that it is over.
    async fn end_agent(&self, known: &Record<Agent>) -> Result<(), WriteError> {
        let agents = self.parts.store.agents();
        if !known.value.of_client {
            return agents.delete(known).await;
        }
        let over = Agent {
            expires: Some(self.parts.clock.now()),
            ..known.value.clone()
        };
        agents.replace(known, &over).await.map(drop)
    }

    /// Stops every agent of `person`, until [`Gateway::resume_agents`]: their tokens are nobody's meanwhile, and calls that
    /// wait end.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn stop_agents(&self, person: &Principal) -> Result<(), Fault> {
        let since = self.parts.clock.now();
        let stopped = self.parts.store.stopped_agents();
        let known = self.set_apart(stopped.get(person.id.as_str()).await)?;
        if let Err(damaged) = &known {
            self.discard(damaged).await?;
        }
        if matches!(known, Ok(None) | Err(_)) {
            let record = AgentsStopped { since };
            unless_another_did(stopped.create(person.id.as_str(), &record).await)?;
        }
        self.parts.arrivals.announce(&person.id);
        Ok(())
    }

    /// Lets the agents of `person` in again.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn resume_agents(&self, person: &Principal) -> Result<(), Fault> {
        let taken = self
            .parts
            .store
            .stopped_agents()
            .take(person.id.as_str())
            .await;
        if let Err(damaged) = self.set_apart(taken)? {
            self.discard(&damaged).await?;
        }
        self.parts.arrivals.announce(&person.id);
        Ok(())
    }

    async fn agents_stopped_since(&self, person: &Principal) -> Result<Option<Timestamp>, Fault> {
        let found = self
            .parts
            .store
            .stopped_agents()
            .get(person.id.as_str())
            .await;
        Ok(match self.set_apart(found)? {
            Ok(found) => found.map(|record| record.value.since),
            Err(_) => Some(self.parts.clock.now()),
        })
    }

    /// Forgets what is kept of the agents of somebody who is gone, besides the agents themselves.
    pub(super) async fn forget_agents_of(&self, person: &PersonId) -> Result<(), Fault> {
        self.forget_sightings_of(person).await?;
        let taken = self
            .parts
            .store
            .stopped_agents()
            .take(person.as_str())
            .await;
        if let Err(damaged) = self.set_apart(taken)? {
            self.discard(&damaged).await?;
        }
        self.parts.arrivals.announce(person);
        Ok(())
    }

    async fn agent_of(
        &self,
        person: &Principal,
        id: &AgentId,
    ) -> Result<Option<Record<Agent>>, Fault> {
        let found = self.set_apart(self.parts.store.agents().get(id.as_str()).await)?;
        // One that cannot be read calls no more, and nobody knows whose it was.
        let found = found.ok().flatten();
        Ok(found.filter(|record| record.value.person == person.id))
    }

    fn startup_token(&self, person: &Principal, name: &str) -> AgentToken {
        let derive = |part: &str| {
            self.parts
                .store
                .sub_key(&format!("start-up agent {part}|{}|{name}", person.id))
        };
        let mut id = [0; 16];
        id.copy_from_slice(&derive("id").as_bytes()[..16]);
        let secret = Secret::new(BASE64URL_NOPAD.encode(derive("secret").as_bytes()));
        AgentToken::from_parts(AgentId::from_bytes(id), secret)
    }
}

/// Another process did the same at the same time: that is as good.
fn unless_another_did<T>(written: Result<T, WriteError>) -> Result<(), Fault> {
    match written {
        Ok(_) | Err(WriteError::Conflict) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
