//! Records that cannot be read: damaged, missing, put back to an earlier state, or put there from outside.
//!
//! Owns telling the operator, and the line between one record's damage and a failure of the store: the first never stops
//! anything that does not need that very record. What is done instead, each home of a kind of record says itself.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use super::{DisconnectError, Gateway};
use crate::base::{ConnectionId, PersonId};
use crate::identity::Principal;
use crate::store::{Listing, Record, StoreError};

/// What has been told to the operator, so that a log is not filled by one record that is read a thousand times.
#[derive(Default)]
pub(super) struct ToldDamage {
    told: Mutex<HashSet<String>>,
    /// When it was last told that the disk is full, by [`Clock::monotonic`](crate::base::Clock).
    full: Mutex<Option<Duration>>,
}

impl ToldDamage {
    /// More than anybody reads; then it is told again.
    const AT_MOST: usize = 10_000;

    fn is_news(&self, error: &StoreError) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= Self::AT_MOST {
            told.clear();
        }
        told.insert(error.to_string())
    }

    fn is_full_news(&self, now: Duration) -> bool {
        const EVERY: Duration = Duration::from_mins(10);
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = full.is_none_or(|last| now.saturating_sub(last) >= EVERY);
        if is_news {
            *full = Some(now);
        }
        is_news
    }

    fn forget(&self, full_key: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let named = format!("`{full_key}`");
        told.retain(|text| !text.contains(&named));
    }
}

/// One record that cannot be read. The operator has been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damaged {
    /// Its full key.
    pub(super) key: String,
    /// What is wrong with it.
    pub(super) error: StoreError,
}

impl Damaged {
    /// # Errors
    /// The error itself, where the store as a whole failed.
    fn of(error: StoreError) -> Result<Self, StoreError> {
        match error.record().map(str::to_owned) {
            Some(key) => Ok(Self { key, error }),
            None => Err(error),
        }
    }

    /// Whether it is a record of ours. The others are the store's own: without the manifest that lists a person's records,
    /// or the key that opens them, nothing of that person can be read or written, and nothing is mended by one of theirs.
    fn is_one_record(&self) -> bool {
        const OURS: [&str; 16] = [
            "per", "idp", "sta", "agt", "ses", "sig", "sia", "con", "cre", "use", "tom", "def",
            "tic", "aut", "evt", "hok",
        ];
        let prefix = self.key.split('/').next().unwrap_or_default();
        OURS.contains(&prefix)
    }
}

/// A connection whose own record cannot be read: nobody knows any more of which service it was, and as which account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedConnection {
    /// Whose it is, as its key says.
    pub person: PersonId,
    /// The connection, as its key says.
    pub connection: ConnectionId,
}

impl DamagedConnection {
    /// The connection that a record's full key names.
    pub(super) fn named_by(full_key: &str) -> Option<Self> {
        let (person, connection) = full_key.strip_prefix("con/")?.split_once('/')?;
        Some(Self {
            person: PersonId::parse(person).ok()?,
            connection: ConnectionId::parse(connection).ok()?,
        })
    }

    /// What it means and what to do, for the person whose it is.
    #[must_use]
    pub fn sentence() -> &'static str {
        "What Attache stored for one of your connections was damaged or changed, so it cannot be read: neither which \
         service it was for, nor as which account. Agents cannot use it. Remove it here, and connect that service again."
    }
}

impl Gateway {
    /// What was read; or, if that one record cannot be read, its damage, which the operator is told of.
    ///
    /// # Errors
    /// [`Fault`] when the store as a whole failed, or what all records of that person depend on.
    pub(super) fn set_apart<T>(
        &self,
        read: Result<T, StoreError>,
    ) -> Result<Result<T, Damaged>, Fault> {
        match read {
            Ok(found) => Ok(Ok(found)),
            Err(error) => {
                let damaged = Damaged::of(error)?;
                self.tell_damage(&damaged.error);
                if damaged.is_one_record() {
                    Ok(Err(damaged))
                } else {
                    Err(damaged.error.into())
                }
            }
        }
    }

    /// The records of one person that can be read, and those that cannot, which the operator is told of.
    ///
    /// # Errors
    /// [`Fault`] when what all records of that person depend on cannot be read.
    pub(super) fn sort_out_own<V>(
        &self,
        listing: Listing<V>,
    ) -> Result<(Vec<Record<V>>, Vec<Damaged>), Fault> {
        let (records, damaged) = self.sort_out(listing);
        match damaged.iter().find(|one| !one.is_one_record()) {
            Some(of_all) => Err(of_all.error.clone().into()),
            None => Ok((records, damaged)),
        }
    }

    /// The records of everybody that can be read, and those that cannot, which the operator is told of.
    pub(super) fn sort_out<V>(&self, listing: Listing<V>) -> (Vec<Record<V>>, Vec<Damaged>) {
        let damaged = listing.damaged.into_iter().filter_map(|error| {
            self.tell_damage(&error);
            Damaged::of(error).ok()
        });
        (listing.records, damaged.collect())
    }

    /// The records of a listing that can be read; of the others the operator is told.
    pub(super) fn readable<V>(&self, listing: Listing<V>) -> Vec<Record<V>> {
        self.sort_out(listing).0
    }

    pub(super) fn tell_damage(&self, error: &StoreError) {
        if self.parts.told_damage.is_news(error) {
            let record = error.record().unwrap_or_default();
            tracing::error!(record, %error, "a stored record cannot be read; everything else goes on");
        }
    }

    /// Tells the operator that the store takes no writes, once in a while.
    pub(super) fn tell_full_disk(&self, fault: &Fault) {
        let now = self.parts.clock.monotonic();
        if self.parts.told_damage.is_full_news(now) {
            tracing::error!(%fault, "what needs no writing goes on; the rest waits");
        }
    }

    /// Makes room where a record cannot be read: for another in its place, or because it must not stay.
    pub(super) async fn discard(&self, damaged: &Damaged) -> Result<(), Fault> {
        if !damaged.is_one_record() {
            return Err(damaged.error.clone().into());
        }
        self.parts.store.discard(&damaged.key).await?;
        self.parts.told_damage.forget(&damaged.key);
        tracing::warn!(
            record = damaged.key,
            "a record that could not be read is removed"
        );
        Ok(())
    }

    /// The connections of a person whose own records cannot be read.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn damaged_connections(
        &self,
        principal: &Principal,
    ) -> Result<Vec<DamagedConnection>, Fault> {
        Ok(self.all_connections_of(&principal.id).await?.1)
    }

    /// Removes a connection whose own record cannot be read, with its credential and what it was used for. Its provider
    /// cannot be told: nobody knows any more which one it was.
    ///
    /// # Errors
    /// [`DisconnectError::UnknownConnection`] when there is no such connection, or it can be read and so be disconnected in
    /// the usual way; [`DisconnectError::Fault`] when the store fails.
    pub async fn remove_damaged_connection(
        &self,
        principal: &Principal,
        id: &ConnectionId,
    ) -> Result<(), DisconnectError> {
        let key = format!("{}/{id}", principal.id);
        let found = self.set_apart(self.parts.store.connections().get(&key).await)?;
        let Err(damaged) = found else {
            return Err(DisconnectError::UnknownConnection);
        };
        self.discard_connection(&key, &damaged).await?;
        self.parts.arrivals.announce(&principal.id);
        tracing::warn!(connection = %id, "a connection that could not be read was removed; its provider was not told");
        Ok(())
    }

    /// Discards the damaged connection record at `key` and what belongs to it. The record itself goes last, so that what is
    /// cut off can be gone on with.
    pub(super) async fn discard_connection(
        &self,
        key: &str,
        damaged: &Damaged,
    ) -> Result<(), Fault> {
        let store = &self.parts.store;
        match self.set_apart(store.credentials().take(key).await)? {
            Ok(_) => {}
            Err(credential) => self.discard(&credential).await?,
        }
        self.forget_use_at(key).await?;
        if let Some(gone) = DamagedConnection::named_by(&damaged.key) {
            self.forget_default_of(&gone).await?;
        }
        self.forget_renewals(key);
        self.discard(damaged).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;

    #[test]
    fn a_connection_is_known_by_the_key_of_its_record() {
        let random = Random::seeded(1);
        let (person, connection) = (PersonId::new(&random), ConnectionId::new(&random));
        let named = DamagedConnection::named_by(&format!("con/{person}/{connection}"));
        assert_eq!(named, Some(DamagedConnection { person, connection }));
        for other in ["con/x/y", "cre/per/con", "con/", ""] {
            assert_eq!(DamagedConnection::named_by(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_the_stores_own_is_no_single_record() {
        let damaged = |key: &str| {
            let key = key.to_owned();
            Damaged::of(StoreError::Damaged { key }).unwrap()
        };
        assert!(damaged("cre/per_1/con_1").is_one_record());
        for of_all in ["man/per_1", "key/per_1", "store/data key", "later/1"] {
            assert!(!damaged(of_all).is_one_record(), "{of_all}");
        }
    }

    #[test]
    fn what_was_told_is_told_again_once_the_record_was_replaced() {
        let told = ToldDamage::default();
        let key = "con/1".to_owned();
        let damaged = StoreError::Damaged { key };
        assert!(told.is_news(&damaged) && !told.is_news(&damaged));
        told.forget("con/2");
        assert!(!told.is_news(&damaged));
        told.forget("con/1");
        assert!(told.is_news(&damaged));
    }
}
