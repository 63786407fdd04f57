//! Tombstones: tokens that nothing here uses any more, and that their provider must still take back.
//!
//! Owns the way of a token from the credential into its tombstone; from there on it is `gateway/last_rites.rs`. Refuses to
//! know who wanted it revoked, and which page tells of it.
//!
//! What holds at every moment, also when the process is cut off between any two steps:
//!
//! 1. A note `revoke/{person}/{connection}` is due before anything is changed. Whoever follows it asks the records, so a
//!    note without a cause does nothing.
//! 2. A token is in the tombstone before its credential is deleted, by compare and swap on the very credential that was
//!    read. If a renewal got in between, the newer tokens are read and buried as well. So no token that was stored is
//!    ever lost, and none can be used by a call once its connection is revoked.
//! 3. A connection is settled before its tombstones go: one that says "confirmed" had every token of its tombstones
//!    proven dead, by the provider's word and by a call with the access token that was refused, or by its own lifetime.
//! 4. Tokens that a working connection holds are never revoked, not even if an earlier tombstone has the same; and where a
//!    revocation takes the whole grant along, nothing is revoked while the same account is connected anew.
//! 5. A tombstone is kept for 30 days at most.

use std::time::Duration;

use data_encoding::HEXLOWER;

use super::credentials::record_key;
use super::damage::Damaged;
use super::fault::ATTEMPTS;
use super::last_rites::Asking;
use super::services::NotReady;
use super::upkeep::Task;
use super::{Fault, Gateway, Ready};
use crate::base::Timestamp;
use crate::catalogue::{Revocation, RevocationReach};
use crate::connection::{AtProvider, Connection, Credential, Tombstone, TombstoneReason};
use crate::store::{Record, WriteError};

/// How long a credential without a working connection is left alone: its connection may be written in this moment.
const GRACE: Duration = Duration::from_mins(1);
/// How long a sign-in has from the token reply until its connection is stored: the account call is in between.
const SIGN_IN: Duration = Duration::from_mins(5);

impl Gateway {
    /// Takes tokens that could not be kept, to have them revoked: those of a renewal whose connection was disconnected or
    /// replaced meanwhile. A disconnected connection waits for them too, and is being revoked again if it was settled.
    pub(super) async fn bury(&self, mut tombstone: Tombstone) -> Result<(), Fault> {
        if tombstone.is_empty() {
            return Ok(());
        }
        let key = format!("{}/{}", tombstone.person, tombstone.connection);
        let connection = self.set_apart(self.parts.store.connections().get(&key).await)?;
        let connection = connection.ok().flatten();
        let is_disconnected = connection.is_some_and(|found| !found.value.status.is_connected());
        if is_disconnected {
            tombstone.reason = TombstoneReason::Disconnected;
        }
        self.note_revocation(&key, self.parts.clock.now() + GRACE)
            .await?;
        self.create_tombstone(&key, &tombstone).await?;
        self.change_connection(&key, Connection::doubt).await
    }

    /// Buries what `new` is about to replace, as far as it can be revoked without harm to `new`. Must be done before it is
    /// replaced. An access token alone that ends by itself is not worth it.
    pub(super) async fn bury_superseded(
        &self,
        connection: &Connection,
        old: &Credential,
        new: &Credential,
    ) -> Result<(), Fault> {
        let now = self.parts.clock.now();
        let key = record_key(connection);
        // As it is stored, it still says who granted the old one.
        let holder = self.set_apart(self.parts.store.connections().get(&key).await)?;
        let Some(holder) = holder.ok().flatten() else {
            return Ok(());
        };
        let tombstone = Tombstone::of(&holder.value, old, TombstoneReason::Superseded, now)
            .without_those_of(new);
        let ends_by_itself =
            tombstone.refresh_token.is_none() && tombstone.access_expires.is_some();
        let is_harmless = match self
            .services()
            .granting(&tombstone.service, &tombstone.granted_by)
        {
            Ok((_, ready)) => reach(&ready) == RevocationReach::Token,
            Err(NotReady::SetUpAnew) => true,
            Err(NotReady::NotSetUp) => false,
        };
        if tombstone.is_empty() || ends_by_itself || !is_harmless {
            return Ok(());
        }
        self.note_revocation(&key, now + GRACE).await?;
        self.create_tombstone(&key, &tombstone).await
    }

    /// Leaves word that the tombstones and the credential at `key` must be looked at.
    pub(super) async fn note_revocation(&self, key: &str, at: Timestamp) -> Result<(), Fault> {
        let task = Task::Revoke(key.to_owned()).to_string();
        Ok(self.parts.store.note_due(at, &task).await?)
    }

    /// Leaves word about a credential that is about to be stored for `connection`: if it is cut off before the connection
    /// itself is, the credential goes.
    pub(super) async fn note_unfinished(&self, connection: &Connection) -> Result<(), Fault> {
        let later = self.parts.clock.now() + GRACE;
        self.note_revocation(&record_key(connection), later).await
    }

    /// Buries the tokens of a sign-in before it is known whether they can be kept: if it is cut off, or fails, they are
    /// revoked. Returns where.
    pub(super) async fn bury_in_advance(&self, mut tombstone: Tombstone) -> Result<String, Fault> {
        let later = self.parts.clock.now() + SIGN_IN;
        tombstone.next = Some(later);
        let key = format!("{}/{}", tombstone.person, tombstone.connection);
        self.note_revocation(&key, later).await?;
        self.create_tombstone(&key, &tombstone).await?;
        Ok(key)
    }

    /// The tokens that were buried in advance are in use now.
    pub(super) async fn exhume(&self, key: &str) -> Result<(), Fault> {
        let (tombstones, damaged) = self.tombstones_at(key).await?;
        for damaged in &damaged {
            self.discard(damaged).await?;
        }
        for tombstone in tombstones {
            match self.parts.store.tombstones().delete(&tombstone).await {
                Ok(()) | Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Moves the credential of a connection into a tombstone, and whatever a renewal puts in its place meanwhile.
    pub(super) async fn bury_credential(
        &self,
        connection: &Connection,
        reason: TombstoneReason,
    ) -> Result<(), Fault> {
        let credentials = self.parts.store.credentials();
        let mut buried: Option<Credential> = None;
        for _ in 0..ATTEMPTS {
            let key = record_key(connection);
            let record = match self.stored_credential(&key).await? {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(()),
                Err(damaged) => return self.lose(&key, &damaged).await,
            };
            let now = self.parts.clock.now();
            let mut tombstone = Tombstone::of(connection, &record.value, reason, now);
            if let Some(buried) = &buried {
                tombstone = tombstone.without_those_of(buried);
            }
            if !tombstone.is_empty() {
                self.create_tombstone(&record_key(connection), &tombstone)
                    .await?;
            }
            match credentials.delete(&record).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Conflict) => buried = Some(record.value),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    /// Tokens that cannot be read cannot be revoked: their connection is settled as one that was given up, before what is
    /// left of them goes.
    async fn lose(&self, key: &str, damaged: &Damaged) -> Result<(), Fault> {
        self.settle(key, AtProvider::GaveUp).await?;
        self.discard(damaged).await
    }

    /// The tombstones of one connection, and those that cannot be read.
    pub(super) async fn tombstones_at(
        &self,
        key: &str,
    ) -> Result<(Vec<Record<Tombstone>>, Vec<Damaged>), Fault> {
        let tombstones = self.parts.store.tombstones();
        let listed = tombstones.list(&format!("{key}/"), usize::MAX).await?;
        Ok(self.sort_out(listed))
    }

    /// Goes on with what was begun for the connection at `key`, from whatever state it is in.
    pub(super) async fn go_on_revoking(&self, key: &str, asking: Asking) -> Result<(), Fault> {
        self.bury_left_over(key).await?;
        self.lay_to_rest(key, asking).await
    }

    /// Buries a credential that no working connection holds. One that was made after its connection was disconnected may
    /// be of a new sign-in, whose connection is written next: that is looked at again later.
    pub(super) async fn bury_left_over(&self, key: &str) -> Result<(), Fault> {
        let connection = self.set_apart(self.parts.store.connections().get(key).await)?;
        let Ok(connection) = connection else {
            // Its person removes it, and then its credential goes.
            return Ok(());
        };
        let connection = connection.map(|record| record.value);
        let credential = match self.stored_credential(key).await? {
            Ok(Some(credential)) => credential,
            Ok(None) => return Ok(()),
            Err(damaged) => {
                let is_in_use = connection.is_some_and(|found| found.status.is_connected());
                return if is_in_use {
                    Ok(())
                } else {
                    self.lose(key, &damaged).await
                };
            }
        };
        let generation = credential.value.generation;
        let may_be_new = connection
            .as_ref()
            .is_none_or(|connection| !connection.has_had(generation));
        let grace = credential.value.obtained + GRACE;
        match connection {
            Some(connection) if connection.status.is_connected() => Ok(()),
            _ if may_be_new && grace > self.parts.clock.now() => {
                self.note_revocation(key, grace).await
            }
            Some(connection) => {
                let reason = if connection.status.is_being_revoked() {
                    TombstoneReason::Disconnected
                } else {
                    TombstoneReason::Superseded
                };
                self.bury_credential(&connection, reason).await
            }
            None => self.forget_orphan(key, &credential).await,
        }
    }

    /// A credential whose connection was never written, or is gone: its tokens are in a tombstone already
    /// ([`Gateway::bury_in_advance`]), which knows whom they came from.
    async fn forget_orphan(&self, key: &str, record: &Record<Credential>) -> Result<(), Fault> {
        tracing::warn!(key, "a credential without a connection is deleted");
        match self.parts.store.credentials().delete(record).await {
            Ok(()) | Err(WriteError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes the status of the connection at `key`, if there is one and the change is legal.
    pub(super) async fn change_connection<E>(
        &self,
        key: &str,
        change: impl Fn(Connection) -> Result<Connection, E>,
    ) -> Result<(), Fault> {
        let connections = self.parts.store.connections().finishing();
        for _ in 0..ATTEMPTS {
            let found = self.set_apart(connections.get(key).await)?;
            let Some(record) = found.ok().flatten() else {
                return Ok(());
            };
            let Ok(changed) = change(record.value.clone()) else {
                return Ok(());
            };
            match connections.replace(&record, &changed).await {
                Ok(_) => return Ok(()),
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }

    async fn create_tombstone(&self, key: &str, tombstone: &Tombstone) -> Result<(), Fault> {
        let number = HEXLOWER.encode(&self.parts.random.bytes::<16>());
        let tombstones = self.parts.store.tombstones().finishing();
        tombstones
            .create(&format!("{key}/{number}"), tombstone)
            .await?;
        Ok(())
    }
}

pub(super) fn reach(ready: &Ready) -> RevocationReach {
    match &ready.oauth.revocation {
        Revocation::Request(request) => request.reach,
        Revocation::Unsupported { .. } => RevocationReach::default(),
    }
}
