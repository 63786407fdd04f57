//! The load: as fast as the answers come (closed loop), or at a fixed rate (open loop).
//!
//! Every connection stays open, every request has an id of its own, and every answer is checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use http::header::HeaderValue;
use tokio::sync::{Mutex, mpsc};

use crate::call::Call;
use crate::connection::{Connection, place};
use crate::process::Process;

/// Ids begin here, so that none is part of another or of an answer.
static NEXT_ID: AtomicU64 = AtomicU64::new(1_000_000_000);

/// How long a target is called before it counts.
const WARM_UP: Duration = Duration::from_millis(300);

/// An id that no other request of this process has.
pub(crate) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// A server and what it is asked.
#[derive(Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    host: HeaderValue,
    calls: Arc<[Call]>,
    choice: Choice,
}

/// Which of its calls a target is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Connection number n sends call number n, and begins anew after the last.
    OwnOfConnection,
    /// Any, each time.
    Uniform,
    /// Half the time one of the first hundredth, otherwise any.
    HalfOfOneInAHundred,
}

impl Choice {
    /// The place of the call to be sent with this id, which decides; none for the connection's own.
    fn pick(self, id: u64, calls: usize) -> Option<usize> {
        let among = match self {
            Self::OwnOfConnection => return None,
            Self::HalfOfOneInAHundred if mixed(!id) % 2 == 0 => calls.div_ceil(100),
            Self::Uniform | Self::HalfOfOneInAHundred => calls,
        };
        usize::try_from(mixed(id) % among as u64).ok()
    }
}

/// SplitMix64: numbers that follow each other become unrelated ones.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Answers in a second.
    pub(crate) rate: f64,
    /// Half of the answers came within this time.
    pub(crate) p50: Duration,
    /// 99 of 100 answers came within this time.
    pub(crate) p99: Duration,
    /// The time that the server spent on a core for 1,000 calls.
    pub(crate) cpu_of_1000: Duration,
    /// Bytes of memory that the server holds afterwards.
    pub(crate) resident: u64,
}

impl Target {
    pub(crate) fn new(url: &str, calls: Vec<Call>) -> anyhow::Result<Self> {
        ensure!(!calls.is_empty(), "nothing to call");
        let (address, host) = place(url)?;
        Ok(Self {
            address,
            host,
            calls: calls.into(),
            choice: Choice::OwnOfConnection,
        })
    }

    /// The same target, asked for its calls in another way.
    pub(crate) fn choosing(&self, choice: Choice) -> Self {
        Self {
            choice,
            ..self.clone()
        }
    }

    async fn worker(&self, number: usize) -> anyhow::Result<Worker> {
        Ok(Worker {
            connection: Connection::open(self.address).await?,
            host: self.host.clone(),
            calls: Arc::clone(&self.calls),
            choice: self.choice,
            own: number % self.calls.len(),
            latencies: histogram()?,
        })
    }

    async fn workers(&self, connections: usize) -> anyhow::Result<Vec<Worker>> {
        try_join_all((0..connections).map(|number| self.worker(number))).await
    }
}

/// Microseconds to a minute, to three digits.
fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

struct Worker {
    connection: Connection,
    host: HeaderValue,
    calls: Arc<[Call]>,
    choice: Choice,
    own: usize,
    latencies: Histogram<u64>,
}

impl Worker {
    async fn call(&mut self) -> anyhow::Result<()> {
        let id = next_id();
        let place = self.choice.pick(id, self.calls.len());
        let call = &self.calls[place.unwrap_or(self.own)];
        let request = call.request(id, &self.host);
        let answer = self.connection.send(request).await?;
        if call.is_answered_by(id, answer.status, &answer.body) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&answer.body);
        let shown: String = text.chars().take(600).collect();
        bail!("a wrong answer ({}): {shown}", answer.status)
    }

    /// Calls as fast as answers come, until `end`. A call counts when it began after `from` and ended before `end`.
    async fn call_until(mut self, from: Instant, end: Instant) -> anyhow::Result<Histogram<u64>> {
        loop {
            let begin = Instant::now();
            if begin >= end {
                return Ok(self.latencies);
            }
            self.call().await?;
            let now = Instant::now();
            if begin >= from && now <= end {
                self.latencies.record(micros(now - begin))?;
            }
        }
    }

    /// Calls once for each arrival that it gets hold of. The time counts from the arrival, not from when there was a
    /// connection for it: a server that stalls does not thereby get fewer calls to answer.
    async fn call_for_each(mut self, arrivals: Arrivals) -> anyhow::Result<Histogram<u64>> {
        loop {
            let next = arrivals.lock().await.recv().await;
            let Some(arrival) = next else {
                return Ok(self.latencies);
            };
            self.call().await?;
            self.latencies.record(micros(arrival.elapsed()))?;
        }
    }
}

type Arrivals = Arc<Mutex<mpsc::UnboundedReceiver<Instant>>>;

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// Calls `target` over so many connections for `time`, as fast as the answers come.
pub(crate) async fn closed(
    target: &Target,
    server: &Process,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Measured> {
    let workers = target.workers(connections).await?;
    let from = Instant::now() + WARM_UP;
    let end = from + time;
    let load = workers
        .into_iter()
        .map(|worker| tokio::spawn(worker.call_until(from, end)))
        .collect::<Vec<_>>();
    tokio::time::sleep_until(from.into()).await;
    let before = server.cpu()?;
    tokio::time::sleep_until(end.into()).await;
    let spent = server.cpu()?.saturating_sub(before);
    finish(load, server, spent, time).await
}

/// Calls `target` so often in a second, evenly, for `time`.
pub(crate) async fn open(
    target: &Target,
    server: &Process,
    rate: f64,
    time: Duration,
) -> anyhow::Result<Measured> {
    const CONNECTIONS: usize = 64;
    let workers = target.workers(CONNECTIONS).await?;
    let (arrive, arrivals) = mpsc::unbounded_channel();
    let arrivals: Arrivals = Arc::new(Mutex::new(arrivals));
    let load = workers
        .into_iter()
        .map(|worker| tokio::spawn(worker.call_for_each(Arc::clone(&arrivals))))
        .collect::<Vec<_>>();
    let before = server.cpu()?;
    let start = Instant::now();
    // On a thread of its own: the timers of the runtime are no finer than a millisecond.
    let pace = move || {
        for number in 0_u32.. {
            let due = start + Duration::from_secs_f64(f64::from(number) / rate);
            if due >= start + time {
                return;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if arrive.send(due).is_err() {
                return;
            }
        }
    };
    tokio::task::spawn_blocking(pace).await?;
    let spent = server.cpu()?.saturating_sub(before);
    finish(load, server, spent, time).await
}

type Load = Vec<tokio::task::JoinHandle<anyhow::Result<Histogram<u64>>>>;

async fn finish(
    load: Load,
    server: &Process,
    cpu: Duration,
    time: Duration,
) -> anyhow::Result<Measured> {
    let mut all = histogram()?;
    for worker in load {
        all.add(worker.await??)?;
    }
    ensure!(!all.is_empty(), "no answer came");
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 calls")]
    let calls = all.len() as f64;
    Ok(Measured {
        rate: calls / time.as_secs_f64(),
        p50: Duration::from_micros(all.value_at_quantile(0.5)),
        p99: Duration::from_micros(all.value_at_quantile(0.99)),
        cpu_of_1000: cpu.div_f64(calls / 1_000.0),
        resident: server.resident()?,
    })
}
