//! People: found by who vouches for them, or added when they are seen for the first time.

use std::sync::Arc;

use super::{Fault, Gateway};
use crate::base::PersonId;
use crate::identity::Principal;
use crate::store::WriteError;

impl Gateway {
    /// The person whom `issuer` calls `subject`, added if new.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn person(
        &self,
        issuer: &str,
        subject: &str,
        name: &str,
    ) -> Result<Arc<Principal>, Fault> {
        let store = &self.parts.store;
        let index = store.index(&[issuer, subject]);
        if let Some(known) = store.person_index().get(&index).await?
            && let Some(principal) = self.principal(&known.value).await?
        {
            return Ok(principal);
        }
        let principal = Principal {
            id: PersonId::new(&self.parts.random),
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            name: name.to_owned(),
        };
        // The person first, the way to them second: a cut in between leaves an orphan, never a dangling index.
        store
            .people()
            .create(principal.id.as_str(), &principal)
            .await?;
        match store.person_index().create(&index, &principal.id).await {
            Ok(_) => Ok(Arc::new(principal)),
            Err(WriteError::Conflict) => {
                let winner = store
                    .person_index()
                    .get(&index)
                    .await?
                    .ok_or(Fault::Contention)?;
                self.principal(&winner.value)
                    .await?
                    .ok_or(Fault::Contention)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The person with this identifier.
    pub(super) async fn principal(&self, id: &PersonId) -> Result<Option<Arc<Principal>>, Fault> {
        let record = self.parts.store.people().get(id.as_str()).await?;
        Ok(record.map(|record| Arc::new(record.value)))
    }
}
