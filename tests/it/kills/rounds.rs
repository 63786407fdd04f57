//! One kill after the other: something is begun, the gateway is killed at a moment that matters, it starts again on the
//! same folder, and the next look at the connection must be in order.

use std::sync::Arc;
use std::time::Duration;

use attache::base::Random;
use attache::sandbox::{self, Counters, Endpoint, Fault, Order, Whose};
use futures::future::join_all;
use tokio::time::Instant;

use super::figures::Figures;
use super::house::{House, Standing};

/// How many agents call at once when a token has to be renewed.
const CALLERS: usize = 4;

/// By how much the Sandbox's answer is late when the kill is to fall between its work and its answer.
const LATE: Duration = Duration::from_millis(30);

/// What is under way when the gateway is killed.
#[derive(Clone, Copy, Debug)]
enum Doing {
    Connect,
    Refresh,
    Disconnect,
}

/// A moment to kill at.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after it began.
    After(Duration),
    /// So long after the request that matters has reached the Sandbox.
    Asked(Duration),
    /// So long after the Sandbox has done what it was asked, before its answer arrives.
    Done(Duration),
}

/// What those who asked saw before the gateway was gone.
#[derive(Debug)]
enum Seen {
    /// The page of a completed connection, the results of all calls, the receipt.
    Whole,
    /// Less.
    Cut,
}

/// The loop.
pub(super) struct Rounds {
    house: Arc<House>,
    random: Random,
    figures: Figures,
    /// How long each takes when nothing happens.
    usual: [Duration; 3],
    kills: usize,
    /// How many more disconnects are left to the gateway to finish.
    waits: usize,
    /// The number of the last request at the Sandbox before the round.
    last_seen: u64,
}

impl Doing {
    const ALL: [Self; 3] = [Self::Connect, Self::Refresh, Self::Disconnect];

    /// How many requests that matter have reached the Sandbox, and how many it has carried out.
    fn progress(self, counters: &Counters) -> (u64, u64) {
        match self {
            Self::Connect => (counters.token_requests, counters.redeemed),
            Self::Refresh => (counters.refresh_requests, counters.refreshed),
            Self::Disconnect => (counters.revocation_requests, counters.revoked),
        }
    }

    fn endpoint(self) -> Endpoint {
        match self {
            Self::Connect | Self::Refresh => Endpoint::Token,
            Self::Disconnect => Endpoint::Revocation,
        }
    }

    /// A receipt says that the access is gone: nothing stands in the way.
    fn believe(receipt: &str) {
        let confirmed = receipt.contains("data-at-provider=\"confirmed\"");
        assert!(confirmed, "the Sandbox can revoke: {receipt}");
    }

    async fn perform(self, house: &House) -> Seen {
        let whole = match self {
            Self::Connect => house.connect().await,
            Self::Refresh => {
                let calls = join_all((0..CALLERS).map(|_| house.call())).await;
                calls.iter().flatten().count() == CALLERS
            }
            Self::Disconnect => match house.disconnect().await {
                None => false,
                Some(receipt) => {
                    Self::believe(&receipt.text);
                    true
                }
            },
        };
        if whole { Seen::Whole } else { Seen::Cut }
    }
}

impl Rounds {
    pub(super) async fn new(seed: u64, waits: usize) -> Self {
        let mut rounds = Self {
            house: Arc::new(House::new().await),
            random: Random::seeded(seed),
            figures: Figures::default(),
            usual: [Duration::ZERO; 3],
            kills: 0,
            waits,
            last_seen: 0,
        };
        for (at, doing) in Doing::ALL.into_iter().enumerate() {
            rounds.prepare(doing).await;
            let began = Instant::now();
            let outcome = doing.perform(&rounds.house).await;
            let is_whole = matches!(outcome, Seen::Whole);
            assert!(is_whole, "{doing:?} without a kill");
            rounds.usual[at] = began.elapsed();
        }
        println!("without a kill: {:?} take {:?}", Doing::ALL, rounds.usual);
        rounds
    }

    /// One kill.
    pub(super) async fn one(&mut self) {
        let at = self.kills % Doing::ALL.len();
        let doing = Doing::ALL[at];
        self.kills += 1;
        self.prepare(doing).await;
        let before = self.house.counters();
        let moment = self.moment(self.usual[at]);
        self.last_seen = self
            .house
            .control()
            .seen()
            .last()
            .map_or(0, |seen| seen.number);
        let seen = self.cut(doing, moment, &before).await;
        let when_killed = self.house.counters();
        self.house.order(Order::Heal).await;
        self.house.restart().await;
        let interrupted =
            when_killed.refresh_requests > before.refresh_requests && matches!(seen, Seen::Cut);
        if interrupted {
            self.figures.count("refreshes interrupted");
        }
        match doing {
            Doing::Connect => self.after_connect(seen).await,
            Doing::Refresh => self.after_refresh(interrupted).await,
            Doing::Disconnect => self.after_disconnect(seen).await,
        }
        let now = self.house.counters();
        assert!(
            now.reuses - before.reuses <= u64::from(interrupted),
            "{doing:?} {moment:?}: a refresh token was used again without need: {now:?}"
        );
        assert!(now.most_sent <= 2, "one replay and no more: {now:?}");
    }

    /// Brings the connection to where the next round begins.
    async fn prepare(&mut self, doing: Doing) {
        let wanted = match doing {
            Doing::Connect => Standing::NotConnected,
            Doing::Refresh | Doing::Disconnect => Standing::Works,
        };
        let standing = self.house.standing().await;
        if standing != wanted {
            match wanted {
                Standing::NotConnected => {
                    let seen = Doing::Disconnect.perform(&self.house).await;
                    assert!(matches!(seen, Seen::Whole), "nothing stands in the way");
                }
                _ => assert!(self.house.connect().await, "nothing stands in the way"),
            }
            assert_eq!(self.house.standing().await, wanted);
        }
        if matches!(doing, Doing::Refresh) {
            self.house.end_access_token().await;
        }
    }

    fn moment(&self, usual: Duration) -> Moment {
        let [kind, high, low] = self.random.bytes();
        let part = |whole: Duration| whole * u32::from(u16::from_be_bytes([high, low])) / 65_536;
        match kind % 3 {
            0 => Moment::After(part(usual * 5 / 4)),
            1 => Moment::Asked(part(LATE / 2)),
            _ => Moment::Done(part(LATE)),
        }
    }

    /// Begins, and kills at `moment`, or when all is over if that is before.
    async fn cut(&mut self, doing: Doing, moment: Moment, before: &Counters) -> Seen {
        if let Moment::Done(_) = moment {
            let late = Fault::Late {
                delay_ms: u32::try_from(LATE.as_millis()).expect("small"),
            };
            let order = Order::Fail {
                at: doing.endpoint(),
                fault: late,
                times: Some(1),
                whose: Whose::default(),
            };
            self.house.order(order).await;
        }
        let mut counters = self.house.control().watch();
        let (asked, done) = doing.progress(before);
        let moment = async move {
            let rest = match moment {
                Moment::After(rest) => rest,
                Moment::Asked(rest) => {
                    let seen = counters.wait_for(|now| doing.progress(now).0 > asked);
                    seen.await.expect("the Sandbox runs");
                    rest
                }
                Moment::Done(rest) => {
                    let seen = counters.wait_for(|now| doing.progress(now).1 > done);
                    seen.await.expect("the Sandbox runs");
                    rest
                }
            };
            tokio::time::sleep(rest).await;
        };
        let house = Arc::clone(&self.house);
        let mut work = tokio::spawn(async move { doing.perform(&house).await });
        tokio::select! {
            () = moment => {
                self.house.kill();
                work.await
            }
            seen = &mut work => {
                self.house.kill();
                seen
            }
        }
        .expect("no assertion failed")
    }

    async fn after_connect(&mut self, seen: Seen) {
        match (seen, self.house.standing().await) {
            (Seen::Whole, Standing::Works) => {
                self.figures.count("connects acknowledged, and they work");
            }
            (Seen::Cut, Standing::Works) => {
                self.figures
                    .count("connects cut, and they work all the same");
            }
            (Seen::Cut, Standing::NotConnected) => {
                self.figures.count("connects cut, clean");
                self.house.forget_what_nobody_was_told_of().await;
                return;
            }
            other => panic!("after a connect: {other:?}"),
        }
        assert_eq!(self.house.grants().await, 1);
    }

    async fn after_refresh(&mut self, interrupted: bool) {
        match self.house.standing().await {
            Standing::Works => {
                self.figures.count("refreshes: recovered");
                assert_eq!(self.house.grants().await, 1);
            }
            Standing::ExpiredShown => {
                assert!(interrupted, "expired without cause");
                self.figures.count("refreshes: expired, shown");
                let before = self.house.counters().token_requests;
                assert_eq!(self.house.standing().await, Standing::ExpiredShown);
                let after = self.house.counters().token_requests;
                assert_eq!(after, before, "what has ended is not tried again");
                if self.house.grants().await > 0 {
                    self.figures
                        .count("refreshes: expired here, alive at the Sandbox");
                    self.house.forget_what_nobody_was_told_of().await;
                }
            }
            Standing::NotConnected => panic!("a connection was lost"),
        }
    }

    async fn after_disconnect(&mut self, seen: Seen) {
        match (seen, self.house.standing().await) {
            (Seen::Whole, Standing::NotConnected) => {
                self.figures.count("disconnects with a receipt");
                assert_eq!(self.house.grants().await, 0, "the receipt said so");
            }
            (Seen::Cut, Standing::NotConnected) => self.see_the_disconnect_through().await,
            (Seen::Cut, Standing::Works) => {
                self.figures.count("disconnects cut before they began");
                assert_eq!(self.house.grants().await, 1);
            }
            other => panic!("after a disconnect: {other:?}"),
        }
    }

    fn seen_in_this_round(&self) -> Vec<sandbox::Seen> {
        let mut seen = self.house.control().seen();
        seen.retain(|one| one.number > self.last_seen);
        seen
    }

    /// A disconnect that was cut in the middle: the Sandbox had heard of it; or the gateway goes on with it by itself,
    /// within a few minutes, for which there is time a few times only; or the person presses the button once more.
    async fn see_the_disconnect_through(&mut self) {
        if self.house.grants().await == 0 {
            self.figures
                .count("disconnects cut after the Sandbox had revoked");
        } else if self.waits > 0 {
            self.waits -= 1;
            assert!(
                self.house.is_revoked().await,
                "it was never finished: the page says {}, the Sandbox saw {:#?}",
                self.house.card().await,
                self.seen_in_this_round()
            );
            self.figures
                .count("disconnects cut, and finished by the gateway itself");
        } else {
            let seen = Doing::Disconnect.perform(&self.house).await;
            assert!(matches!(seen, Seen::Whole), "nothing stands in the way");
            assert_eq!(self.house.grants().await, 0, "the receipt said so");
            self.figures
                .count("disconnects cut, and finished when asked again");
        }
    }

    /// Disconnects in order, and prints the figures.
    pub(super) async fn finish(mut self) {
        self.prepare(Doing::Disconnect).await;
        let seen = Doing::Disconnect.perform(&self.house).await;
        assert!(matches!(seen, Seen::Whole));
        assert_eq!(self.house.grants().await, 0);
        let counters = self.house.counters();
        let title = format!("{} kills", self.kills);
        self.figures.print(&title, &counters);
        let interrupted = self.figures.of("refreshes interrupted");
        assert!(counters.reuses <= interrupted as u64, "{counters:?}");
    }
}
