//! One stop after the other while calls wait for a refresh: the gateway ends in order, and no refresh is left half done.

use std::sync::Arc;
use std::time::Duration;

use attache::base::Random;
use futures::future::join_all;
use tokio::time::Instant;

use super::figures::Figures;
use super::house::{House, Standing};

/// How many agents call at once.
const CALLERS: usize = 8;

/// The loop.
pub(super) struct Stops {
    house: Arc<House>,
    random: Random,
    figures: Figures,
    /// How long the calls take when nothing happens.
    usual: Duration,
    made: usize,
}

impl Stops {
    pub(super) async fn new(seed: u64) -> Self {
        let house = Arc::new(House::new().await);
        assert!(house.connect().await);
        house.end_access_token().await;
        let began = Instant::now();
        let calls = join_all((0..CALLERS).map(|_| house.call())).await;
        assert_eq!(calls.iter().flatten().count(), CALLERS);
        Self {
            house,
            random: Random::seeded(seed),
            figures: Figures::default(),
            usual: began.elapsed(),
            made: 0,
        }
    }

    /// One stop.
    pub(super) async fn one(&mut self) {
        self.made += 1;
        self.house.end_access_token().await;
        let house = Arc::clone(&self.house);
        let calls = tokio::spawn(async move { join_all((0..CALLERS).map(|_| house.call())).await });
        let [part] = self.random.bytes();
        tokio::time::sleep(self.usual * u32::from(part) / 256).await;
        let began = Instant::now();
        assert_eq!(self.house.stop().await, 0, "it ends in order");
        self.figures.note_stop(began.elapsed());
        for call in calls.await.expect("no assertion failed") {
            match call {
                None => self.figures.count("calls that found nobody"),
                Some(answer) => {
                    assert!(answer.body.is_object(), "no answer: {:#}", answer.body);
                    answer.json();
                    self.figures.count("calls that got their result");
                }
            }
        }
        self.house.restart().await;
        assert_eq!(self.house.standing().await, Standing::Works);
        let counters = self.house.counters();
        assert_eq!(
            counters.sent_again, 0,
            "no refresh was half done: {counters:?}"
        );
        assert_eq!(self.house.grants().await, 1);
    }

    pub(super) fn finish(self) {
        let title = format!("{} stops under load", self.made);
        self.figures.print(&title, &self.house.counters());
    }
}
