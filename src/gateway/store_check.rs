//! Looking at the store as a whole, and putting right what can be.

use super::{Fault, Gateway};
use crate::store::Report;

impl Gateway {
    /// Looks at every record, and changes nothing.
    ///
    /// # Errors
    /// [`Fault`] when the store fails as a whole.
    pub async fn verify_store(&self) -> Result<Report, Fault> {
        Ok(self.parts.store.verify().await?)
    }

    /// Has what is wrong forgotten, removed or made anew. Answers with a line for each thing done, and with a second look.
    ///
    /// # Errors
    /// [`Fault`] when the store fails as a whole.
    pub async fn repair_store(&self) -> Result<(Vec<String>, Report), Fault> {
        let store = &self.parts.store;
        let mut lines = Vec::new();
        loop {
            let report = store.verify().await?;
            let done = store.repair(&report).await?;
            if done.is_empty() {
                return Ok((lines, report));
            }
            lines.extend(done);
        }
    }
}
