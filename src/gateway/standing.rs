//! How people stand here: their role, and that all their sessions end at once.

use super::{Fault, Gateway};
use crate::base::{PersonId, Random};
use crate::gateway::fault::ATTEMPTS;
use crate::identity::{Role, Standing};
use crate::store::WriteError;
use data_encoding::HEXLOWER;

/// Why somebody's role was not changed.
#[derive(Debug)]
pub enum RoleError {
    /// There is no such person.
    UnknownPerson,
    /// Groups of the issuer say who is an administrator.
    GroupsDecide,
    /// Something failed on our side.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for RoleError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Gateway {
    /// How a person stands. Who never was given a role is a member; and so is, with every session over, whose standing cannot
    /// be read.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn standing(&self, person: &PersonId) -> Result<Option<Standing>, Fault> {
        let found = self.parts.store.standings().get(person.as_str()).await;
        Ok(match self.set_apart(found)? {
            Ok(Some(record)) => Some(record.value),
            Ok(None) => Some(Standing::default()),
            Err(_) => None,
        })
    }

    /// Gives a person a role.
    ///
    /// # Errors
    /// [`RoleError`].
    pub async fn set_role(&self, person: &PersonId, role: Role) -> Result<(), RoleError> {
        if self.groups_decide_roles() {
            return Err(RoleError::GroupsDecide);
        }
        if self.principal(person).await?.is_none() {
            return Err(RoleError::UnknownPerson);
        }
        self.stand(person, Some(role)).await?;
        tracing::info!(%person, role = role.word(), "somebody was given a role");
        Ok(())
    }

    /// Ends all sessions of a person, on every computer, from this moment on. Answers how many there were.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn sign_out_everywhere(&self, person: &PersonId) -> Result<usize, Fault> {
        let random = &self.parts.random;
        self.change_standing(person, |standing| Standing {
            epoch: epoch(random),
            ..standing
        })
        .await?;
        // From here on none of them is accepted; what follows only tidies up.
        let sessions = self.parts.store.sessions();
        let mut ended = 0;
        for session in self.readable(sessions.list("", usize::MAX).await?) {
            if session.value.person == *person {
                match sessions.delete(&session).await {
                    Ok(()) => ended += 1,
                    Err(WriteError::Conflict) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        tracing::info!(%person, ended, "somebody was signed out everywhere");
        Ok(ended)
    }

    /// The standing with which a person comes in: with this role, or the one that they have.
    pub(super) async fn stand(
        &self,
        person: &PersonId,
        role: Option<Role>,
    ) -> Result<Standing, Fault> {
        self.change_standing(person, |standing| Standing {
            role: role.unwrap_or(standing.role),
            ..standing
        })
        .await
    }

    /// Writes what `change` makes of a standing, unless it is the same. One that cannot be read is made anew, with an epoch that
    /// no session bears.
    async fn change_standing(
        &self,
        person: &PersonId,
        change: impl Fn(Standing) -> Standing,
    ) -> Result<Standing, Fault> {
        let standings = self.parts.store.standings();
        for _ in 0..ATTEMPTS {
            let found = self.set_apart(standings.get(person.as_str()).await)?;
            let written = match found {
                Ok(Some(record)) => {
                    let changed = change(record.value.clone());
                    if changed == record.value {
                        return Ok(changed);
                    }
                    standings.replace(&record, &changed).await
                }
                Ok(None) => {
                    let changed = change(Standing::default());
                    if changed == Standing::default() {
                        return Ok(changed);
                    }
                    standings.create(person.as_str(), &changed).await
                }
                Err(damaged) => {
                    self.discard(&damaged).await?;
                    let anew = Standing {
                        epoch: epoch(&self.parts.random),
                        ..Standing::default()
                    };
                    standings.create(person.as_str(), &change(anew)).await
                }
            };
            match written {
                Ok(record) => return Ok(record.value),
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }
}

fn epoch(random: &Random) -> String {
    HEXLOWER.encode(&random.bytes::<16>())
}
