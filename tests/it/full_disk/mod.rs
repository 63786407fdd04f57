//! A disk that fills up under a gateway, and is freed again: reading goes on, nothing is begun that could not be kept, and
//! no restart is needed.
//!
//! `scripts/full-disk` runs the same loop in full.

mod cycles;
mod disk;
mod start;

use crate::support::environment;
use cycles::Cycles;
use disk::SmallDisk;

#[tokio::test]
async fn filling_and_freeing_the_disk_loses_no_refresh_token_and_needs_no_restart() {
    let Some(disk) = SmallDisk::of(24).await else {
        return;
    };
    let mut cycles = Cycles::on(disk).await;
    for _ in 0..environment::fills() {
        cycles.one().await;
    }
    cycles.finish().await;
}
