//! Calls that wait for a connection: their memory, and how soon they go on when it appears (P-07).
//!
//! Every person has several calls under way, each over a connection of its own. First one person connects: that
//! person's calls go on, and nobody else's. Then all the others do. Each answer must name the person who asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use http::header::HeaderValue;
use memchr::memmem;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::Stage;
use crate::browser::Browser;
use crate::call::{Call, Expected, Size, WHOAMI};
use crate::connection::{Answer, Connection, place};
use crate::gateway::{Gateway, Home};
use crate::load::next_id;
use crate::options::Options;
use crate::store::{self, Person, Wanted};
use crate::table;

/// How long the calls are left alone before their memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// What every person's name begins with; a number of four digits follows.
const PERSON: &str = "person-";

/// How many people come back from the API at once, after the first.
const AT_ONCE: usize = 8;

/// A call that waits: whose it is, and its answer with the time of its end.
struct Parked {
    person: usize,
    answer: JoinHandle<anyhow::Result<(Answer, Instant)>>,
}

/// When a person's browser was sent back with the API's answer, and when its page said that it is connected.
#[derive(Clone, Copy)]
struct Connected {
    came_back: Instant,
    told: Instant,
}

pub(super) async fn run(options: &Options, stage: &Stage) -> anyhow::Result<()> {
    let home = Home::new(&options.program, &stage.upstream_url)?;
    let wanted: Vec<_> = (0..options.people)
        .map(|number| Wanted {
            name: format!("{PERSON}{number:04}"),
            connected: false,
        })
        .collect();
    let people: Arc<[Person]> = store::fill(&home, &wanted).await?.into();
    let gateway = home.start()?;
    let mut asked = ask(options, &gateway, &people).await?;
    // Everything that a call leaves behind whether it waits or not is there by now.
    let browsers = try_join_all(asked.iter_mut().map(|first| {
        let link = first.link.clone();
        let person = &people[first.person];
        leave(&gateway, person, link)
    }));
    let mut browsers = browsers.await?;
    let before = gateway.process.resident()?;
    let (address, host) = place(&gateway.url)?;
    let parked: Vec<_> = asked
        .iter()
        .flat_map(|first| first.calls.iter().map(move |call| (first.person, call)))
        .map(|(person, call)| Parked {
            person,
            answer: tokio::spawn(wait(address, host.clone(), call.clone())),
        })
        .collect();
    tokio::time::sleep(SETTLE).await;
    if let Some(early) = parked.iter().position(|call| call.answer.is_finished()) {
        let call = parked.into_iter().nth(early).context("it was there")?;
        let (answer, _) = call.answer.await??;
        println!(
            "\nParked calls (P-07): not measured. This program does not let calls wait; it answered {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        return Ok(());
    }
    let during = gateway.process.resident()?;

    let (mut first, callback) = browsers.remove(0);
    let mut connected = vec![come_back(&mut first, callback).await?];
    let (of_the_first, of_others): (Vec<_>, Vec<_>) =
        parked.into_iter().partition(|call| call.person == 0);
    let first_resumes = resumes(of_the_first, &people, &connected).await?;
    ensure!(
        of_others.iter().all(|call| !call.answer.is_finished()),
        "a connection of one person let the call of another go on"
    );
    let rest: Vec<Connected> = stream::iter(browsers)
        .map(async |(mut browser, callback)| come_back(&mut browser, callback).await)
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    connected.extend(rest);
    let other_resumes = resumes(of_others, &people, &connected).await?;
    print(options, (before, during), &first_resumes, &other_resumes);
    Ok(())
}

/// What one person's agent has been told in the first round.
struct Asked {
    person: usize,
    link: String,
    calls: Vec<Call>,
}

/// The first round of every call: each is told to open a link.
async fn ask(
    options: &Options,
    gateway: &Gateway,
    people: &[Person],
) -> anyhow::Result<Vec<Asked>> {
    let (address, host) = place(&gateway.url)?;
    let mut asked = Vec::new();
    for (number, person) in people.iter().enumerate() {
        let mut connection = Connection::open(address).await?;
        let (mut calls, mut link) = (Vec::new(), String::new());
        for call in 0..options.calls {
            let first = call_of(person, call, &json!({}));
            let answer = connection.send(first.request(next_id(), &host)).await?;
            let answer: Value = serde_json::from_slice(&answer.body)?;
            let result = &answer["result"];
            ensure!(
                result["resultType"] == "input_required",
                "no link: {answer}"
            );
            let (key, request) = result["inputRequests"]
                .as_object()
                .and_then(|requests| requests.iter().next())
                .with_context(|| format!("no input request: {answer}"))?;
            request["params"]["url"]
                .as_str()
                .context("a link")?
                .clone_into(&mut link);
            let mut retry = json!({
                "inputResponses": { key: { "action": "accept" } },
                "requestState": result["requestState"],
            });
            // Every second client wants to be told that it still waits.
            if call % 2 == 1 {
                retry["_meta"] = json!({ "progressToken": format!("{number}-{call}") });
            }
            calls.push(call_of(person, call, &retry));
        }
        asked.push(Asked {
            person: number,
            link,
            calls,
        });
    }
    Ok(asked)
}

fn call_of(person: &Person, call: usize, more: &Value) -> Call {
    let capabilities = json!({ "elicitation": { "url": {} } });
    let arguments = json!({ "call": call });
    // What is expected is looked at here, where it is known who asked.
    let expected = Expected::ToolReply(Size::Small);
    Call::modern(
        WHOAMI,
        &arguments,
        Some(&person.token),
        expected,
        (&capabilities, more),
    )
}

async fn wait(
    address: SocketAddr,
    host: HeaderValue,
    call: Call,
) -> anyhow::Result<(Answer, Instant)> {
    let mut connection = Connection::open(address).await?;
    let answer = connection.send(call.request(next_id(), &host)).await?;
    Ok((answer, Instant::now()))
}

/// A person opens the link and agrees; the browser has not come back yet.
async fn leave(
    gateway: &Gateway,
    person: &Person,
    link: String,
) -> anyhow::Result<(Browser, url::Url)> {
    let sign_in = person.sign_in.as_deref().context("they have a browser")?;
    let mut browser = Browser::sign_in(&gateway.url, sign_in).await?;
    let callback = browser.agree(&link, &person.name).await?;
    Ok((browser, callback))
}

async fn come_back(browser: &mut Browser, callback: url::Url) -> anyhow::Result<Connected> {
    let came_back = Instant::now();
    browser.come_back(callback).await?;
    Ok(Connected {
        came_back,
        told: Instant::now(),
    })
}

/// Waits for the end of `calls`, which must be right; the time of each since its person's browser came back, and since
/// the page said so (zero for those that were quicker).
async fn resumes(
    calls: Vec<Parked>,
    people: &[Person],
    connected: &[Connected],
) -> anyhow::Result<Vec<[Duration; 2]>> {
    let mut times = Vec::new();
    for call in calls {
        let (answer, ended) = call.answer.await??;
        check(&answer, &people[call.person].name)?;
        let connected = connected[call.person];
        times.push([
            ended.saturating_duration_since(connected.came_back),
            ended.saturating_duration_since(connected.told),
        ]);
    }
    Ok(times)
}

/// The answer is a success and names this person and no other.
fn check(answer: &Answer, name: &str) -> anyhow::Result<()> {
    let body = &answer.body;
    let names = |at: usize| body[at..].starts_with(name.as_bytes());
    let mut found = memmem::find_iter(body, PERSON).peekable();
    let right = found.peek().is_some() && found.all(names);
    let failed = memmem::find(body, b"\"isError\":true").is_some();
    if answer.status == StatusCode::OK && right && !failed {
        return Ok(());
    }
    bail!(
        "{name} was answered {}: {}",
        answer.status,
        String::from_utf8_lossy(body)
    )
}

fn print(
    options: &Options,
    (before, during): (u64, u64),
    first: &[[Duration; 2]],
    others: &[[Duration; 2]],
) {
    let calls = options.people * options.calls;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 bytes")]
    let each = during.saturating_sub(before) as f64 / calls as f64 / 1_000.0;
    let row = |what: String, times: &[[Duration; 2]], which: usize| {
        let mut sorted: Vec<_> = times.iter().map(|times| times[which]).collect();
        sorted.sort();
        let at = |hundredths: usize| {
            let last = sorted.len().saturating_sub(1);
            let time = sorted
                .get(last * hundredths / 100)
                .copied()
                .unwrap_or_default();
            format!("{:.2}", table::milliseconds(time))
        };
        vec![what, at(50), at(99), at(100)]
    };
    let rest = format!(
        "the {} calls of all others, {AT_ONCE} people at once",
        others.len()
    );
    let one = format!("the {} calls of the one who connects", first.len());
    let rows = [
        row(format!("{one}, since the browser came back"), first, 0),
        row(format!("{one}, since the page says connected"), first, 1),
        row(format!("{rest}, since the browser came back"), others, 0),
        row(format!("{rest}, since the page says connected"), others, 1),
    ];
    table::print(
        &format!("{calls} parked calls of {} people (P-07)", options.people),
        &["going on", "p50 (ms)", "p99 (ms)", "max (ms)"],
        &rows,
    );
    println!(
        "\nMemory: {:.1} MiB before, {:.1} MiB with all calls waiting: {each:.1} KB for each, its HTTP connection included. \
         No call was lost, and every answer named the person who asked.",
        table::mebibytes(before),
        table::mebibytes(during)
    );
}
