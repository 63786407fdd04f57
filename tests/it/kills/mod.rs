//! The gateway is killed at any moment, and stopped under load: nothing that anybody was told is lost, no refresh token is
//! used a second time but for the one announced replay, and nothing is shown as active that is dead.
//!
//! `scripts/kills` runs the same loops in full. Every loop prints its seed; `ATTACHE_TEST_SEED` repeats its choices.

mod figures;
mod house;
mod rounds;
mod stops;

use crate::support::environment;
use rounds::Rounds;
use stops::Stops;

/// More kills than this are the full form, which takes its time.
const IN_CI: usize = 12;

/// How many disconnects the gateway finishes by itself in the full form, some minutes each.
const WAITS: usize = 2;

/// The choices of a run that names no seed.
const USUAL_SEED: u64 = 0x5eed;

#[tokio::test]
async fn kills_lose_nothing_that_anybody_was_told() {
    let (kills, _) = environment::kills_and_stops();
    let seed = environment::seed().unwrap_or(USUAL_SEED);
    println!("seed {seed}");
    let waits = if kills > IN_CI { WAITS } else { 0 };
    let mut rounds = Rounds::new(seed, waits).await;
    for _ in 0..kills {
        rounds.one().await;
    }
    rounds.finish().await;
}

#[tokio::test]
async fn stops_under_load_leave_no_refresh_half_done() {
    let (_, stops) = environment::kills_and_stops();
    let seed = environment::seed().unwrap_or(USUAL_SEED);
    println!("seed {seed}");
    let mut loops = Stops::new(seed).await;
    for _ in 0..stops {
        loops.one().await;
    }
    loops.finish();
}
