use super::{Fault, Gateway, Tombstone};
use crate::base::Timestamp;
use crate::catalogue::ScopeSet;
use crate::connection::Connection;

impl Gateway {
    pub(super) async fn bury(&self, tombstone: &Tombstone) -> Result<(), Fault> {
        let key = format!(
            "{}/{}/{}",
            tombstone.person,
            tombstone.connection,
            self.request_id()
        );
        self.parts
            .store
            .tombstones()
            .create(&key, tombstone)
            .await?;
        Ok(())
    }

    #[expect(clippy::unused_async)]
    pub(super) async fn note_granted(&self, _key: &str, _granted: &ScopeSet) -> Result<(), Fault> {
        Ok(())
    }

    #[expect(clippy::unused_async)]
    pub(super) async fn was_used_lately(
        &self,
        _: &Connection,
        _: Timestamp,
    ) -> Result<bool, Fault> {
        Ok(true)
    }
}
