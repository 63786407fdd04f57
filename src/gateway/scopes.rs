//! What connections may do: which scopes were granted, needed and used, and what changes that.

use super::credentials::{Usable, record_key};
use super::fault::ATTEMPTS;
use super::{Fault, Gateway, MissingReason, Service};
use crate::base::Timestamp;
use crate::catalogue::{Refusal, ScopeRequirement, ScopeSet};
use crate::connection::{Connection, Usage};
use crate::store::WriteError;

/// How the scopes of one connection stand.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    /// What was granted, each with its use.
    pub granted: Vec<GrantedScope>,
    /// What was asked for, or granted once, and is not granted now, as far as tools need it.
    pub refused: ScopeSet,
    /// What other tools need and nobody has asked for yet.
    pub unasked: ScopeSet,
    /// What to ask for so that only what is used stays; none when there is nothing to give up.
    pub less: Option<ScopeSet>,
}

/// One granted scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedScope {
    /// The scope, as the provider spells it.
    pub scope: String,
    /// The day on which a call last needed it.
    pub last_needed: Option<Timestamp>,
    /// How it is needed.
    pub need: Need,
}

/// How a granted scope is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it the account cannot be named, or the connection not be kept.
    Always,
    /// A call needed it in the last 30 days.
    Used,
    /// Tools need it, and none was called yet.
    Waiting,
    /// Tools need it, and none was called for 30 days.
    Idle,
    /// No tool needs it.
    Never,
}

impl Need {
    /// In a word, for commands.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Used => "used",
            Self::Waiting => "not_used_yet",
            Self::Idle => "idle",
            Self::Never => "not_needed",
        }
    }
}

impl Scopes {
    /// How the scopes of `connection` stand at `now`.
    #[must_use]
    pub(super) fn of(
        service: &Service,
        connection: &Connection,
        usage: Option<&Usage>,
        now: Timestamp,
    ) -> Self {
        let plan = service.provider.scope_plan();
        let granted = &connection.granted;
        let missing = plan.missing(granted);
        let refused = plan.refused(&connection.requested, granted);
        let scopes: Vec<_> = granted
            .iter()
            .map(|scope| GrantedScope {
                scope: scope.to_owned(),
                last_needed: usage.and_then(|usage| usage.last_needed(scope)),
                need: need(service, connection, usage, scope, now),
            })
            .collect();
        Self {
            less: less(service, connection, &scopes),
            granted: scopes,
            unasked: missing.difference(&refused),
            refused,
        }
    }
}

fn need(
    service: &Service,
    connection: &Connection,
    usage: Option<&Usage>,
    scope: &str,
    now: Timestamp,
) -> Need {
    let plan = service.provider.scope_plan();
    let granted = &connection.granted;
    // Whoever allowed it lately has had no time to use it, and of the time before the ledger nothing is known.
    let is_watched = |usage: &Usage| {
        let watched_since = usage.since.max(connection.since);
        now.since(watched_since) >= Usage::RECENT
    };
    if plan.used_always(granted).contains(scope) {
        Need::Always
    } else if usage.is_some_and(|usage| usage.is_recent(scope, now)) {
        Need::Used
    } else if !plan.needed(granted).contains(scope) {
        Need::Never
    } else if usage.is_some_and(is_watched) {
        Need::Idle
    } else {
        Need::Waiting
    }
}

/// What to ask for so that nothing idle stays. Only what was asked for can be given up by asking for less, and asking
/// for nothing at all means something else at every provider.
fn less(service: &Service, connection: &Connection, scopes: &[GrantedScope]) -> Option<ScopeSet> {
    let plan = service.provider.scope_plan();
    let is_spare = |line: &GrantedScope| {
        let was_asked_for = connection.requested.contains(&line.scope);
        was_asked_for && matches!(line.need, Need::Idle | Need::Never)
    };
    if !connection.is_active() || !scopes.iter().any(is_spare) {
        return None;
    }
    let kept: ScopeSet = scopes
        .iter()
        .filter(|line| matches!(line.need, Need::Always | Need::Used | Need::Waiting))
        .map(|line| line.scope.as_str())
        .collect();
    let less = plan.with_tools(&kept, []);
    (!plan.is_nothing(&less)).then_some(less)
}

impl Gateway {
    /// How the scopes of one connection stand.
    pub(super) async fn scopes_of(
        &self,
        service: &Service,
        connection: &Connection,
    ) -> Result<Scopes, Fault> {
        let usage = self.usage(connection).await?;
        let now = self.parts.clock.now();
        Ok(Scopes::of(service, connection, usage.as_ref(), now))
    }

    /// The provider has said which scopes the credential at `key` has now: in the reply to a refresh (RFC 6749
    /// section 6). An empty set says nothing: providers send one where they mean "as before".
    pub(super) async fn note_granted(&self, key: &str, scopes: &ScopeSet) -> Result<(), Fault> {
        if scopes.is_empty() {
            return Ok(());
        }
        self.change_granted(key, |_| scopes.clone()).await
    }

    /// The provider refused a call with this `need` for a scope that had been granted: it is not granted any more, unless the connection
    /// was made anew meanwhile. Returns what the person is told.
    pub(super) async fn withdraw(
        &self,
        used: &Usable,
        service: &Service,
        need: &ScopeRequirement,
        refusal: &Refusal,
    ) -> Result<MissingReason, Fault> {
        let key = record_key(&used.connection);
        let current = self.stored_credential(&key).await?.ok().flatten();
        if current.is_some_and(|now| now.value.access_token == used.access_token) {
            let plan = service.provider.scope_plan();
            let withdrawn = self.change_granted(&key, |granted| {
                granted.difference(&plan.behind(need, granted))
            });
            match withdrawn.await {
                // The next call that is refused finds the same.
                Err(fault) if fault.is_full_disk() => self.tell_full_disk(&fault),
                withdrawn => withdrawn?,
            }
        }
        let implied = service.provider.implications();
        Ok(MissingReason::ScopesWithdrawn {
            scopes: need.missing(&ScopeSet::default(), implied),
            said: refusal.message.clone(),
        })
    }

    async fn change_granted(
        &self,
        key: &str,
        change: impl Fn(&ScopeSet) -> ScopeSet,
    ) -> Result<(), Fault> {
        let connections = self.parts.store.connections();
        for _ in 0..ATTEMPTS {
            let found = self.set_apart(connections.get(key).await)?;
            let Some(record) = found.ok().flatten() else {
                return Ok(());
            };
            let granted = change(&record.value.granted);
            if !record.value.is_active() || granted == record.value.granted {
                return Ok(());
            }
            let changed = Connection {
                granted,
                ..record.value.clone()
            };
            match connections.replace(&record, &changed).await {
                Ok(_) => {
                    let (before, now) = (&record.value.granted, &changed.granted);
                    tracing::info!(connection = %changed.id, %before, %now, "other scopes than before");
                    return Ok(());
                }
                Err(WriteError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contention)
    }
}

#[cfg(test)]
mod tests;
