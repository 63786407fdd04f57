//! Agents: who may call, and by which token.

use super::{Fault, Gateway};
use crate::base::{AgentId, Secret};
use crate::identity::{AgentToken, Caller, Principal};
use crate::store::WriteError;
use data_encoding::BASE64URL_NOPAD;

impl Gateway {
    /// Who presents `token`; none when it is nobody's.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn authenticate(&self, token: &AgentToken) -> Result<Option<Caller>, Fault> {
        let Some(agent) = self.parts.store.agents().get(token.agent.as_str()).await? else {
            return Ok(None);
        };
        if !agent.value.recognises(token) {
            return Ok(None);
        }
        let principal = self.principal(&agent.value.person).await?;
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
    pub async fn startup_agent(
        &self,
        person: &Principal,
        name: &str,
    ) -> Result<(Caller, Secret), Fault> {
        let token = self.startup_token(person, name);
        let agent = token.agent(person.id.clone(), name, self.parts.clock.now());
        match self
            .parts
            .store
            .agents()
            .create(agent.id.as_str(), &agent)
            .await
        {
            Ok(_) | Err(WriteError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        let caller = self.authenticate(&token).await?.ok_or(Fault::Contention)?;
        Ok((caller, token.to_secret()))
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
