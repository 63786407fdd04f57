//! The commands about the store as a whole.

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::gateway::{Fault, Gateway};
use crate::store::Report;

/// What a look at the store found, and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreReport {
    /// Whether nothing is wrong.
    pub whole: bool,
    /// What was done, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<String>,
    /// What was found, after that.
    #[serde(flatten)]
    pub report: Report,
}

pub(super) async fn verify(gateway: &Gateway) -> Result<Answer, Fault> {
    let report = gateway.verify_store().await?;
    Ok(answer(Vec::new(), report))
}

pub(super) async fn repair(gateway: &Gateway) -> Result<Answer, Fault> {
    let (done, report) = gateway.repair_store().await?;
    for line in &done {
        tracing::warn!("the store was repaired: {line}");
    }
    Ok(answer(done, report))
}

fn answer(done: Vec<String>, report: Report) -> Answer {
    Answer::Store(StoreReport {
        whole: report.is_whole(),
        done,
        report,
    })
}
