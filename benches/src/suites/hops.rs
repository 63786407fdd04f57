//! Ways to read on another thread than the one that asks: the runtime's threads for what blocks, or a small pool.
//!
//! What is read is in sled's cache, so that what is measured is the way there and back.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::{two, whole};
use crate::options::Options;
use crate::table;

const KEYS: u32 = 10_000;
const POOL: usize = 4;
const AT_ONCE: [usize; 2] = [1, 16];

#[derive(Clone, Copy)]
enum Way {
    Here,
    Blocking,
    Pool,
}

struct Order {
    key: u32,
    answer: oneshot::Sender<usize>,
}

struct Reader {
    db: sled::Db,
    pool: mpsc::Sender<Order>,
}

pub(super) async fn run(options: &Options) -> anyhow::Result<()> {
    let folder = TempDir::with_prefix("attache-bench-")?;
    let db = sled::Config::new().path(folder.path()).open()?;
    for key in 0..KEYS {
        db.insert(key.to_be_bytes(), vec![7; 600])?;
    }
    let reader = Arc::new(Reader {
        pool: pool(&db),
        db,
    });
    let ways = [
        ("where it is asked for", Way::Here),
        ("`spawn_blocking`", Way::Blocking),
        ("a pool of four threads", Way::Pool),
    ];
    let mut rates = vec![Vec::new(); ways.len()];
    for _ in 0..options.rounds {
        for (which, (_, way)) in ways.iter().enumerate() {
            let mut of_way = Vec::new();
            for at_once in AT_ONCE {
                of_way.push(rate(&reader, *way, at_once, options.time()).await?);
            }
            rates[which].push(of_way);
        }
    }
    let rows: Vec<_> = ways
        .iter()
        .zip(rates)
        .map(|((name, _), rounds)| {
            let median = |which: usize| table::median(rounds.iter().map(|round| round[which]));
            vec![(*name).to_owned(), two(1e6 / median(0)), whole(median(1))]
        })
        .collect();
    table::print(
        "Reading a record that sled has in memory",
        &["where", "one at a time (us)", "16 at once (reads/s)"],
        &rows,
    );
    Ok(())
}

async fn rate(
    reader: &Arc<Reader>,
    way: Way,
    at_once: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let end = Instant::now() + time;
    let tasks = (0..at_once).map(|_| {
        let reader = Arc::clone(reader);
        tokio::spawn(async move {
            let mut read = 0_u32;
            while Instant::now() < end {
                reader.read(way, read % KEYS).await?;
                read += 1;
            }
            anyhow::Ok(read)
        })
    });
    let read = try_join_all(tasks).await?;
    let read = read.into_iter().sum::<anyhow::Result<u32>>()?;
    Ok(f64::from(read) / time.as_secs_f64())
}

impl Reader {
    async fn read(&self, way: Way, key: u32) -> anyhow::Result<usize> {
        Ok(match way {
            Way::Here => look(&self.db, key),
            Way::Blocking => {
                let db = self.db.clone();
                spawn_blocking(move || look(&db, key)).await?
            }
            Way::Pool => {
                let (answer, answered) = oneshot::channel();
                self.pool.send(Order { key, answer })?;
                answered.await?
            }
        })
    }
}

fn look(db: &sled::Db, key: u32) -> usize {
    db.get(key.to_be_bytes())
        .ok()
        .flatten()
        .map_or(0, |value| value.to_vec().len())
}

fn pool(db: &sled::Db) -> mpsc::Sender<Order> {
    let (orders, queue) = mpsc::channel::<Order>();
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..POOL {
        let (db, queue) = (db.clone(), Arc::clone(&queue));
        thread::spawn(move || {
            loop {
                let next = queue.lock().expect("no reader panics").recv();
                let Ok(Order { key, answer }) = next else {
                    return;
                };
                let _ = answer.send(look(&db, key));
            }
        });
    }
    orders
}
