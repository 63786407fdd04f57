//! Crypto-shredding: what was sealed for a person is unreadable once their data key is destroyed.
//!
//! Owns destroying it. Refuses to know why a person goes, and what their records hold.

use super::person::{KeyChange, key_row};
use super::rotation::{Pages, Resealed};
use super::{Inner, OF_A_PERSON};
use crate::base::PersonId;
use crate::store::Store;
use crate::store::backend::Swap;
use crate::store::error::StoreError;

/// What became of a person's data key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shredded {
    /// There was none.
    Nothing,
    /// It was destroyed, and nothing of theirs is left.
    Whole {
        /// What it was called.
        key: String,
    },
    /// It was destroyed. What had to stay was sealed under a new key of theirs before, to be destroyed with the last of it.
    Rest {
        /// What the destroyed key was called.
        key: String,
        /// How many records stay.
        kept: usize,
    },
    /// The master key is being changed, and records of theirs stay: to be asked for again once that is done.
    Later,
}

impl Store {
    /// Destroys the data key of `person`: whatever was sealed with it opens no more, wherever it lies. Records of theirs that
    /// are still in the store are sealed under a new key first. May be repeated.
    ///
    /// A copy of the wrapped key, in a backup or in what the disk has not written over yet, opens with the master key of
    /// now, until that is changed and the old one destroyed.
    ///
    /// # Errors
    /// Those of the store; then it is to be asked for again.
    pub async fn shred(&self, person: &PersonId) -> Result<Shredded, StoreError> {
        let inner = &self.0;
        let Ok(_alone) = inner.keys.changing.try_lock() else {
            return Ok(Shredded::Later);
        };
        if inner.keys.ring().is_changing {
            return Ok(Shredded::Later);
        }
        let row = key_row(person.as_str());
        let Some(wrapped) = inner.find_key_row(&row).await? else {
            return Ok(Shredded::Nothing);
        };
        let key = match inner.keys.unwrap(&row, &wrapped) {
            Ok((keys, _)) => keys.open(&inner.keys.random).current.key_id().to_string(),
            // Nothing opens with it, and nothing ever will.
            Err(error) if error.record().is_some() => String::new(),
            Err(error) => return Err(error),
        };
        inner
            .change_key_row(row.clone(), wrapped, KeyChange::Destroyed)
            .await?;
        inner.wait_for_writes().await?;
        let kept = inner.reseal_person(person).await?;
        if kept > 0 {
            if let Some(wrapped) = inner.find_key_row(&row).await? {
                inner.change_key_row(row, wrapped, KeyChange::Alone).await?;
            }
            return Ok(Shredded::Rest { key, kept });
        }
        inner.destroy_key_row(&row).await?;
        inner.keys.people.forget(person.as_str());
        inner.wait_for_writes().await?;
        inner.remove_what_nothing_opens(person).await?;
        Ok(Shredded::Whole { key })
    }
}

impl Inner {
    /// Seals the person's records under their new key. Answers how many there are that open.
    async fn reseal_person(&self, person: &PersonId) -> Result<usize, StoreError> {
        let mut kept = 0;
        for (key, sealed) in self.rows_of_person(person).await? {
            let outcome = self.reseal(&key, sealed).await?;
            kept += usize::from(outcome != Resealed::Unreadable);
        }
        Ok(kept)
    }

    /// Removes what a write that was under way has left: it was sealed with a key that is gone.
    async fn remove_what_nothing_opens(&self, person: &PersonId) -> Result<(), StoreError> {
        for (key, sealed) in self.rows_of_person(person).await? {
            let opened = self.unseal(&key, &sealed).await;
            if opened.is_err_and(|error| error.record().is_some()) {
                let removed = self.backend.swap(&key, Some(&sealed), None).await?;
                if removed == Swap::Unknown {
                    return Err(StoreError::Unknown { key });
                }
            }
        }
        Ok(())
    }

    async fn rows_of_person(
        &self,
        person: &PersonId,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut found = Vec::new();
        for table in OF_A_PERSON {
            let mut pages = Pages::below(&format!("{table}/{person}"));
            while let Some(rows) = pages.next(&self.backend).await? {
                found.extend(rows);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;
    use crate::store::{MasterKey, Table};

    fn store() -> Store {
        let random = Random::seeded(1);
        Store::memory(MasterKey::generate(&random), random)
    }

    fn table(store: &Store, name: &'static str) -> Table<String> {
        store.table(name)
    }

    async fn raw(store: &Store, key: &str) -> Vec<u8> {
        store.0.backend.get(key).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn what_is_put_back_after_a_person_was_shredded_does_not_open() {
        let store = store();
        let (ana, ben) = (
            PersonId::new(&Random::seeded(1)),
            PersonId::new(&Random::seeded(2)),
        );
        for person in [&ana, &ben] {
            let key = format!("{person}/1");
            table(&store, "cre").create(&key, &key).await.unwrap();
        }
        let key = format!("cre/{ana}/1");
        let stolen = raw(&store, &key).await;
        let record = table(&store, "cre").get(&format!("{ana}/1")).await.unwrap();
        table(&store, "cre").delete(&record.unwrap()).await.unwrap();

        let shredded = store.shred(&ana).await.unwrap();
        assert!(matches!(shredded, Shredded::Whole { .. }), "{shredded:?}");
        assert_eq!(store.shred(&ana).await.unwrap(), Shredded::Nothing);
        let put = store.0.backend.swap(&key, None, Some(&stolen)).await;
        assert_eq!(put, Ok(Swap::Done));
        let error = table(&store, "cre").get(&format!("{ana}/1")).await;
        assert_eq!(error.unwrap_err().record(), Some(key.as_str()));
        let other = table(&store, "cre").get(&format!("{ben}/1")).await.unwrap();
        assert_eq!(other.unwrap().value, format!("{ben}/1"));
    }

    #[tokio::test]
    async fn what_must_stay_is_sealed_anew_and_goes_with_the_last_of_it() {
        let store = store();
        let ana = PersonId::new(&Random::seeded(1));
        let name = format!("{ana}/1");
        let credential = table(&store, "cre")
            .create(&name, &"token".to_owned())
            .await;
        let stolen = raw(&store, &format!("cre/{name}")).await;
        table(&store, "cre")
            .delete(&credential.unwrap())
            .await
            .unwrap();
        table(&store, "tom")
            .create(&name, &"to revoke".to_owned())
            .await
            .unwrap();
        let old_tombstone = raw(&store, &format!("tom/{name}")).await;

        let shredded = store.shred(&ana).await.unwrap();
        assert!(
            matches!(shredded, Shredded::Rest { kept: 1, .. }),
            "{shredded:?}"
        );
        let left = table(&store, "tom").get(&name).await.unwrap().unwrap();
        assert_eq!(left.value, "to revoke");
        store
            .0
            .backend
            .swap(&format!("cre/{name}"), None, Some(&stolen))
            .await
            .unwrap();
        assert!(table(&store, "cre").get(&name).await.is_err());
        store
            .0
            .backend
            .swap(&format!("cre/{name}"), Some(&stolen), None)
            .await
            .unwrap();
        assert!(
            store
                .0
                .unseal(&format!("tom/{name}"), &old_tombstone)
                .await
                .is_err()
        );

        table(&store, "tom").delete(&left).await.unwrap();
        let shredded = store.shred(&ana).await.unwrap();
        assert!(matches!(shredded, Shredded::Whole { .. }), "{shredded:?}");
    }
}
