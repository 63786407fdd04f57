//! Agents: who may call, and by which token.

use super::{Fault, Gateway};
use crate::base::{AgentId, Secret};
use crate::identity::{Agent, AgentToken, Caller, Principal};
use crate::store::WriteError;
use data_encoding::BASE64URL_NOPAD;

impl Gateway {
    /// Who presents `token`; none when it is nobody's.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn authenticate(&self, token: &AgentToken) -> Result<Option<Caller>, Fault> {
        let found = self.parts.store.agents().get(token.agent.as_str()).await;
        // An agent that cannot be read is nobody: its person adds another.
        let Some(agent) = self.set_apart(found)?.ok().flatten() else {
            return Ok(None);
        };
        if !agent.value.recognises(token) {
            return Ok(None);
        }
        let principal = self.principal(&agent.value.person).await?;
        let principal = principal.filter(|known| self.accepts(known));
        Ok(principal.map(|principal| Caller {
            principal,
            agent: agent.value.id,
            agent_name: agent.value.name,
        }))
    }

    /// The agent that the gateway itself adds for `person`, and its token. The token is derived from the master key
    /// and the person, so that every start prints the same one although nothing but its digest is kept.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    async fn startup_agent(
        &self,
        person: &Principal,
        name: &str,
    ) -> Result<(Caller, Secret), Fault> {
        let token = self.startup_token(person, name);
        let agent = token.agent(person.id.clone(), name, self.parts.clock.now());
        let agents = self.parts.store.agents();
        if let Err(damaged) = self.set_apart(agents.get(agent.id.as_str()).await)? {
            // Everything in it is known: the token is derived, and so is the person.
            self.discard(&damaged).await?;
        }
        match agents.create(agent.id.as_str(), &agent).await {
            Ok(_) | Err(WriteError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let caller = self.authenticate(&token).await?.ok_or(Fault::Contention)?;
        Ok((caller, token.to_secret()))
    }

    /// The person whom `issuer` calls `subject`, added if new, as the caller that the gateway's own agent for them is, and
    /// that agent's token. The token is the
    /// same at every start.
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
        let principal = self.person(issuer, subject, name).await?;
        self.startup_agent(&principal, agent).await
    }

    /// The agents of `person`, the oldest first.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn agents_of(&self, person: &Principal) -> Result<Vec<Agent>, Fault> {
        const AT_MOST: usize = 10_000;
        let listed = self.parts.store.agents().list("", AT_MOST).await?;
        let mut mine: Vec<_> = self
            .readable(listed)
            .into_iter()
            .map(|record| record.value)
            .filter(|agent| agent.person == person.id)
            .collect();
        mine.sort_by_key(|agent| agent.created);
        Ok(mine)
    }

    /// Adds an agent for `person`; returns it with its token, which is kept nowhere.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn add_agent(
        &self,
        person: &Principal,
        name: &str,
    ) -> Result<(Agent, Secret), Fault> {
        let token = AgentToken::new(&self.parts.random);
        let agent = token.agent(person.id.clone(), name, self.parts.clock.now());
        let agents = self.parts.store.agents();
        agents.create(agent.id.as_str(), &agent).await?;
        Ok((agent, token.to_secret()))
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
        let agents = self.parts.store.agents();
        let found = self.set_apart(agents.get(id.as_str()).await)?;
        // One that cannot be read calls no more, and nobody knows whose it was.
        let Some(record) = found.ok().flatten() else {
            return Ok(None);
        };
        if record.value.person != person.id {
            return Ok(None);
        }
        agents.delete(&record).await?;
        Ok(Some(record.value))
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
