//! Who waits for a connection to appear.
//!
//! Only a convenience of this process: whoever is woken looks into the store, and a connection that was made elsewhere is
//! found when the call is run again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{CallError, ConnectLink, Fault, Gateway, MissingReason};
use crate::base::PersonId;
use crate::identity::Caller;

/// Wakes those who wait for a person's connections. Costs one entry for each person for whom somebody waits.
#[derive(Default)]
pub(super) struct Arrivals {
    by_person: Mutex<HashMap<PersonId, watch::Sender<()>>>,
}

/// Tells of each change of one person's connections after it was asked for.
pub struct Arriving(watch::Receiver<()>);

impl Arrivals {
    fn of(&self, person: &PersonId) -> Arriving {
        let mut waiting = self
            .by_person
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = waiting.get(person) {
            return Arriving(known.subscribe());
        }
        waiting.retain(|_, known| known.receiver_count() > 0);
        let (sender, receiver) = watch::channel(());
        waiting.insert(person.clone(), sender);
        Arriving(receiver)
    }

    /// Tells all who wait for `person` to look again.
    pub(super) fn announce(&self, person: &PersonId) {
        let waiting = self
            .by_person
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = waiting.get(person) {
            known.send_replace(());
        }
    }
}

impl Arriving {
    /// Waits for the next one; what came since the last wait counts.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Nothing arrives in a gateway that is gone.
            std::future::pending::<()>().await;
        }
    }
}

impl Gateway {
    /// Waits until nothing is missing any more for `caller` to run `tool` with these arguments, or the person has used the
    /// link and not allowed what the tool needs: then nothing is left to wait for. Costs no thread; ends when it is
    /// dropped.
    ///
    /// # Errors
    /// [`CallError`] when the tool is unknown, its service not set up, the account unclear, or the store fails.
    pub async fn until_runnable(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: &Map<String, Value>,
    ) -> Result<(), CallError> {
        let (service, _) = self.find_tool(caller, tool)?;
        let person = caller.principal.id.clone();
        let mut arriving = self.parts.arrivals.of(&person);
        // Boxed, so that a call that waits does not keep the room for looking.
        let mut caller = caller.clone();
        while let Some(missing) = Box::pin(self.missing_for(&caller, tool, arguments)).await? {
            let now = self.parts.clock.now();
            let asked = self.parts.open_tickets.waiting(&person, service.id(), now);
            if asked.is_none() && matches!(missing, MissingReason::MissingScopes(_)) {
                break;
            }
            arriving.next().await;
            caller = self.still_standing(&caller).await?;
        }
        Ok(())
    }

    /// Tells of each change of the connections of `caller`'s person from now on: one was made or disconnected, another is
    /// used by default, or their agents were changed.
    #[must_use]
    pub fn watch_connections(&self, caller: &Caller) -> Arriving {
        self.parts.arrivals.of(&caller.principal.id)
    }

    /// Waits until `caller`'s person has a working connection to each of `services`, as far as they are set up, or `caller`
    /// is nobody any more.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn until_connected(&self, caller: &Caller, services: &[String]) -> Result<(), Fault> {
        let mut arriving = self.parts.arrivals.of(&caller.principal.id);
        while !Box::pin(self.unconnected(caller, services))
            .await?
            .is_empty()
        {
            arriving.next().await;
            if self.caller_now(caller).await?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Waits until every step of `link` is done, or the link is gone.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn until_used(&self, caller: &Caller, link: &ConnectLink) -> Result<(), Fault> {
        let tickets = self.parts.store.tickets();
        let mut arriving = self.parts.arrivals.of(&caller.principal.id);
        while let Ok(Some(record)) = self.set_apart(tickets.get(&link.digest).await)?
            && !record.value.is_spent()
        {
            arriving.next().await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    #[tokio::test]
    async fn those_who_wait_hear_of_their_person_alone() {
        let random = Random::seeded(1);
        let (ana, ben) = (PersonId::new(&random), PersonId::new(&random));
        let arrivals = Arrivals::default();
        let (mut one, mut other) = (arrivals.of(&ana), arrivals.of(&ana));
        let (next, after) = (one.next(), other.next());
        tokio::pin!(next, after);
        assert!(futures::poll!(&mut next).is_pending());
        arrivals.announce(&ben);
        assert!(futures::poll!(&mut next).is_pending());
        arrivals.announce(&ana);
        // Heard by both: by the one who waited already, and by the one who had not begun to.
        next.await;
        after.await;
    }

    #[test]
    fn people_for_whom_nobody_waits_any_more_are_forgotten() {
        let random = Random::seeded(1);
        let arrivals = Arrivals::default();
        for _ in 0..10 {
            drop(arrivals.of(&PersonId::new(&random)));
        }
        assert_eq!(arrivals.by_person.lock().unwrap().len(), 1);
    }
}
