use super::{Fault, Gateway};
use crate::base::Timestamp;
use crate::catalogue::ScopeSet;
use crate::connection::Connection;

impl Gateway {
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
