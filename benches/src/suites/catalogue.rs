//! What the catalogue costs: loading the provider files of the release and a thousand more; writing the requests of a call;
//! reading replies of 10 KB, 100 KB and 1 MB.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use attache::catalogue::{
    Answer, Catalogue, Next, Reply, Source, Tool, Variables, embedded, starter,
};
use http::Response;
use serde_json::{Value, json};

use super::two;
use crate::options::Options;
use crate::table;

/// How many files are generated.
const GENERATED: usize = 1_000;

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let own = embedded();
    let generated = generated()?;
    let mut rows = Vec::new();
    for (what, sources) in [
        ("the files of the release", own),
        ("1,000 generated files", generated),
    ] {
        let mut times = Vec::new();
        let mut tools = 0;
        for _ in 0..options.rounds {
            let (time, loaded) = load(sources.clone())?;
            times.push(table::milliseconds(time));
            tools = loaded;
        }
        let median = table::median(times);
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 files")]
        let each = median / sources.len() as f64;
        rows.push(vec![
            what.to_owned(),
            sources.len().to_string(),
            tools.to_string(),
            two(median),
            two(each),
        ]);
    }
    table::print(
        "Loading the catalogue (P-08)",
        &["what", "files", "tools", "ms", "ms per file"],
        &rows,
    );
    requests_and_replies(options)
}

/// One call of a tool: from the arguments to the request, and from the reply to the output.
fn requests_and_replies(options: &Options) -> anyhow::Result<()> {
    let catalogue =
        Catalogue::load(None).map_err(|problems| anyhow!("{} problems", problems.len()))?;
    let mut rows = Vec::new();
    for (name, what) in [
        ("github_create_issue", "a JSON body"),
        ("gmail_send_message", "a mail message"),
        ("linear_create_issue", "a GraphQL operation"),
        ("jira_add_comment", "Markdown as a document tree"),
    ] {
        let (tool, variables) = find(&catalogue, name)?;
        let times =
            (0..options.rounds * 20).map(|_| Ok(microseconds(call(tool, &variables, None)?.0)));
        let median = table::median(times.collect::<anyhow::Result<Vec<_>>>()?);
        rows.push(vec![format!("{name}: {what}"), two(median)]);
    }
    table::print("Writing the request of a call", &["what", "\u{b5}s"], &rows);

    let mut rows = Vec::new();
    for (name, what, reply) in [
        (
            "github_list_issues",
            "picked fields of JSON",
            issues as fn(usize) -> Vec<u8>,
        ),
        ("gitlab_get_file", "raw text", text),
        (
            "google_docs_get_document",
            "a document as Markdown",
            document,
        ),
    ] {
        let (tool, variables) = find(&catalogue, name)?;
        for (size, words) in [(10_000, "10 KB"), (100_000, "100 KB"), (1_000_000, "1 MB")] {
            let body = reply(size);
            let mut bytes = 0;
            let mut times = Vec::new();
            for _ in 0..options.rounds {
                let (_, read, output) = call(tool, &variables, Some(&body))?;
                times.push(microseconds(read));
                bytes = output;
            }
            rows.push(vec![
                format!("{name}: {what}"),
                words.to_owned(),
                two(table::median(times)),
                bytes.to_string(),
            ]);
        }
    }
    table::print(
        "Reading the reply of a call",
        &["what", "reply", "\u{b5}s", "bytes passed on"],
        &rows,
    );
    Ok(())
}

fn find<'c>(catalogue: &'c Catalogue, name: &str) -> anyhow::Result<(&'c Tool, Variables)> {
    let (provider, tool) = catalogue.tool(name).context("a tool of the release")?;
    let variables = provider.resolve(&std::collections::BTreeMap::new());
    let variables = variables.map_err(|problems| anyhow!("{} problems", problems.len()))?;
    let captured = [(
        "cloud_id".to_owned(),
        "11223344-a1b2-3b33-c444-def123456789".to_owned(),
    )];
    let variables = variables
        .with_captured(&captured.into_iter().collect())
        .unwrap_or(variables);
    Ok((tool, variables))
}

/// How long the first request took to write, how long its reply took to read, and how long the output is.
fn call(
    tool: &Tool,
    variables: &Variables,
    body: Option<&[u8]>,
) -> anyhow::Result<(Duration, Duration, usize)> {
    let begun = Instant::now();
    let mut run = tool.begin(variables, tool.example(), String::new())?;
    let Next::Send(requests, _) = run.next() else {
        anyhow::bail!("{} sends nothing", tool.name());
    };
    let written = begun.elapsed();
    let (Some(body), Some(outgoing)) = (body, requests.first()) else {
        return Ok((written, Duration::ZERO, 0));
    };
    let response = Response::builder()
        .header("content-type", "text/plain; charset=utf-8")
        .body(body.to_vec())?;
    let begun = Instant::now();
    run.answer(vec![Answer {
        to: outgoing.id,
        response,
    }]);
    let output = match run.next() {
        Next::Done(Reply::Success(output)) => output.text.len(),
        Next::Done(Reply::Refused(refusal)) => {
            anyhow::bail!("{} refuses what it is to read: {}", tool.name(), refusal.message)
        }
        Next::Send(..) | Next::Wait(_) => anyhow::bail!("{} is not done", tool.name()),
    };
    Ok((written, begun.elapsed(), output))
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000_000.0
}

/// A page of issues as GitHub answers it, with all that nobody picks.
fn issues(size: usize) -> Vec<u8> {
    let issue = json!({
        "number": 1, "title": "Crash on start", "state": "open", "user": {"login": "octocat", "url": "https://x".repeat(12)},
        "labels": [{"name": "bug", "description": "Something is not working".repeat(3)}], "body": "It crashes. ".repeat(20),
        "reactions": {"url": "https://x".repeat(20), "total_count": 0}, "created_at": "2026-01-07T12:44:33Z",
    });
    let count = size / issue.to_string().len();
    Value::Array(vec![issue; count.max(1)])
        .to_string()
        .into_bytes()
}

fn text(size: usize) -> Vec<u8> {
    "let line = \"of some code\";\n"
        .repeat(size / 28)
        .into_bytes()
}

fn document(size: usize) -> Vec<u8> {
    let paragraph = json!({"paragraph": {"elements": [{"textRun": {"content": "Some words in a paragraph.\n", "textStyle": {"bold": true}}}]}});
    let count = size / paragraph.to_string().len();
    let content = json!({"body": {"content": vec![paragraph; count]}});
    let tab = json!({"tabProperties": {"tabId": "t.0", "title": "T"}, "documentTab": content});
    json!({"documentId": "1", "title": "T", "tabs": [tab]})
        .to_string()
        .into_bytes()
}

fn load(sources: Vec<Source>) -> anyhow::Result<(Duration, usize)> {
    let begun = Instant::now();
    let catalogue = Catalogue::from_sources(sources)
        .map_err(|problems| anyhow!("{} problems in the files", problems.len()))?;
    let time = begun.elapsed();
    let tools = catalogue.providers().iter().map(|it| it.tools().len());
    Ok((time, tools.sum()))
}

/// Files as `attache new-provider` writes them, each with two tools.
fn generated() -> anyhow::Result<Vec<Source>> {
    (0..GENERATED)
        .map(|number| starter(&format!("p{number}")).context("a starting file"))
        .collect()
}
