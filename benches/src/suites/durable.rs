//! What a durable write costs, beside the same engine synced by hand (P-10).
//!
//! The plain side has neither seals nor types nor manifests: it inserts the bytes, flushes sled, and syncs sled's log.
//! Alone, the two sides write in turn, one write each; with many writers, each side has a part of every round.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{iter, thread};

use anyhow::anyhow;
use attache::base::Random;
use attache::store::{MasterKey, Record, Settings, Store, Table};
use futures::future::try_join_all;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{two, whole};
use crate::options::Options;
use crate::table;

/// How many writes of each side are timed alone, in each round.
const ALONE: usize = 200;

/// How many write at once.
const WRITERS: [usize; 3] = [8, 16, 32];

/// About as long as a credential.
const VALUE: usize = 500;

pub(super) async fn run(options: &Options) -> anyhow::Result<()> {
    let folder = TempDir::with_prefix("attache-bench-")?;
    let plain = Plain::open(&folder.path().join("plain"))?;
    let random = Random::System;
    let settings = Settings::new(folder.path().join("data"));
    let store = Store::open(&settings, MasterKey::generate(&random), random).await?;
    let sides = [
        Side::Plain(&plain),
        Side::Store("bench", &store),
        Side::Store("cre", &store),
    ];
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        alone.push(p50_alone(&sides).await?);
        let mut rates = Vec::new();
        for writers in WRITERS {
            let mut of_sides = Vec::new();
            for side in &sides {
                of_sides.push(side.rate(writers, options.time()).await?);
            }
            rates.push(of_sides);
        }
        together.push(rates);
    }
    store.close().await;
    print(&alone, &together);
    Ok(())
}

fn print(alone: &[Vec<f64>], together: &[Vec<Vec<f64>>]) {
    let names = [
        "sled, flushed and synced by hand",
        "**Attache**, a record that no manifest lists",
        "**Attache**, a record of a person, in a manifest",
    ];
    let rows: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(side, name)| {
            let ratio = |of: &Vec<f64>| of[side] / of[0];
            let mut row = vec![
                (*name).to_owned(),
                format!("{:.3}", table::median(alone.iter().map(|of| of[side]))),
                two(table::median(alone.iter().map(ratio))),
            ];
            for writers in 0..WRITERS.len() {
                let rates = || together.iter().map(|round| &round[writers]);
                row.push(whole(table::median(rates().map(|of| of[side]))));
                row.push(two(table::median(rates().map(ratio))));
            }
            row
        })
        .collect();
    table::print(
        "Durable writes (P-10)",
        &[
            "what",
            "p50 alone (ms)",
            "vs plain",
            "8 writers (writes/s)",
            "vs plain",
            "16 writers",
            "vs plain",
            "32 writers",
            "vs plain",
        ],
        &rows,
    );
}

/// Milliseconds, for each side.
async fn p50_alone(sides: &[Side<'_>]) -> anyhow::Result<Vec<f64>> {
    let mut writers = Vec::new();
    for side in sides {
        writers.push((side.writer("alone").await?, Vec::new()));
    }
    for number in 0..ALONE {
        for (writer, times) in &mut writers {
            let begun = Instant::now();
            writer.write(number).await?;
            times.push(table::milliseconds(begun.elapsed()));
        }
    }
    let medians = writers
        .into_iter()
        .map(|(_, times)| table::median(times.into_iter()));
    Ok(medians.collect())
}

enum Side<'a> {
    Plain(&'a Plain),
    /// The table's prefix, which decides whether a manifest lists it.
    Store(&'static str, &'a Store),
}

enum Writer<'a> {
    Plain(&'a Plain, String),
    Store(Table<String>, Record<String>),
}

impl<'a> Side<'a> {
    async fn writer(&self, name: &str) -> anyhow::Result<Writer<'a>> {
        Ok(match self {
            Self::Plain(plain) => Writer::Plain(plain, name.to_owned()),
            Self::Store(prefix, store) => {
                let table: Table<String> = store.table(prefix);
                let key = format!("per_{name}/con_{name}");
                let record = match table.get(&key).await? {
                    Some(record) => record,
                    None => table.create(&key, &String::new()).await?,
                };
                Writer::Store(table, record)
            }
        })
    }

    /// Writes in a second, by so many at once.
    async fn rate(&self, writers: usize, time: Duration) -> anyhow::Result<f64> {
        let mut all = Vec::new();
        for number in 0..writers {
            all.push(self.writer(&format!("{number:04}")).await?);
        }
        let end = Instant::now() + time;
        let written = try_join_all(all.into_iter().map(async |mut writer| {
            let mut written = 0_u32;
            while Instant::now() < end {
                writer.write(0).await?;
                written += 1;
            }
            anyhow::Ok(written)
        }));
        let written: u32 = written.await?.into_iter().sum();
        Ok(f64::from(written) / time.as_secs_f64())
    }
}

impl Writer<'_> {
    async fn write(&mut self, number: usize) -> anyhow::Result<()> {
        let value = format!("{number:0VALUE$}");
        match self {
            Self::Plain(plain, key) => plain.write(key, value).await,
            Self::Store(table, record) => {
                *record = table.replace(record, &value).await?;
                Ok(())
            }
        }
    }
}

/// sled, one thread that writes for all who wait, and one flush and sync for what came in together.
struct Plain {
    queue: mpsc::Sender<Order>,
}

struct Order {
    key: String,
    value: String,
    answer: oneshot::Sender<()>,
}

impl Plain {
    fn open(folder: &Path) -> anyhow::Result<Self> {
        let db = sled::Config::new().path(folder).open()?;
        let log = File::open(folder.join("db"))?;
        let (queue, orders) = mpsc::channel::<Order>();
        let write = move |batch: &[Order]| -> anyhow::Result<()> {
            for order in batch {
                db.insert(order.key.as_bytes(), order.value.as_bytes())?;
            }
            db.flush()?;
            log.sync_data()?;
            Ok(())
        };
        thread::spawn(move || {
            while let Ok(first) = orders.recv() {
                let batch: Vec<_> = iter::once(first).chain(orders.try_iter()).collect();
                if write(&batch).is_err() {
                    return;
                }
                for order in batch {
                    let _ = order.answer.send(());
                }
            }
        });
        Ok(Self { queue })
    }

    async fn write(&self, key: &str, value: String) -> anyhow::Result<()> {
        let (answer, answered) = oneshot::channel();
        let order = Order {
            key: key.to_owned(),
            value,
            answer,
        };
        let sent = self.queue.send(order);
        sent.map_err(|_| anyhow!("sled does not write any more"))?;
        Ok(answered.await?)
    }
}
