//! Many people at once, doing anything: no answer ever holds another person's data.
//!
//! Everybody is connected to the same provider, whose answers name the account. `ATTACHE_STRANGERS` and
//! `ATTACHE_STRANGERS_STEPS` make it longer: `scripts/strangers`.

use attache::identity::{AgentTerms, Narrowing};
use futures::{StreamExt, stream};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::{agent, id_of, only, principal};
use crate::support::gateway::{TestGateway, gateway_with_acme};
use crate::support::person::Person;
use crate::support::provider::Provider;

#[derive(Clone, Copy, Debug)]
enum Step {
    List,
    Call,
    Things,
    Connections,
    ConnectLink,
    Page,
    Disconnect,
    Connect,
    Narrow,
    Widen,
    Stop,
    Resume,
    NewAgent,
    SignOut,
    /// Somebody else's link, cookie or agent is tried.
    Meddle,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::List),
        8 => Just(Step::Call),
        4 => Just(Step::Things),
        4 => Just(Step::Connections),
        3 => Just(Step::ConnectLink),
        3 => Just(Step::Page),
        1 => Just(Step::Disconnect),
        2 => Just(Step::Connect),
        1 => Just(Step::Narrow),
        2 => Just(Step::Widen),
        1 => Just(Step::Stop),
        2 => Just(Step::Resume),
        1 => Just(Step::NewAgent),
        1 => Just(Step::SignOut),
        2 => Just(Step::Meddle),
    ]
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the test goes on is said where it is run"
)]
fn number(variable: &str, otherwise: usize) -> usize {
    let given = std::env::var(variable).ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

static PROVIDERS_BROWSER: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A name that is found nowhere but in this person's data.
fn name(number: usize) -> String {
    format!("canary{number:04}x")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_ever_holds_what_is_somebody_elses() {
    let people = number("ATTACHE_STRANGERS", 24);
    let per_person = number("ATTACHE_STRANGERS_STEPS", 16);
    let (acme, gateway) = gateway_with_acme().await;
    let mut everybody = Vec::new();
    for number in 0..people {
        let person = gateway.person(&name(number)).await;
        connect(&person, &acme).await;
        everybody.push(person);
    }
    let mut runner = TestRunner::new(Config::default());
    let story = proptest::collection::vec((0..people, steps()), people * per_person);
    let story = story.new_tree(&mut runner).expect("a story").current();
    let answers: Vec<_> = stream::iter(&story)
        .map(|(who, step)| {
            let (everybody, gateway, acme) = (&everybody, &gateway, &acme);
            async move {
                let (person, other) = (&everybody[*who], &everybody[(who + 1) % everybody.len()]);
                let answer = act(*step, person, other, gateway, acme).await;
                (*who, *step, answer)
            }
        })
        .buffer_unordered(12)
        .collect()
        .await;
    let mut mine = 0;
    for (who, step, answer) in &answers {
        let own = name(*who);
        mine += usize::from(answer.contains(&own));
        for found in answer.match_indices("canary").map(|(at, _)| &answer[at..]) {
            assert!(found.starts_with(&own), "{own} got, for {step:?}: {answer}");
        }
    }
    assert!(
        mine > answers.len() / 4,
        "only {mine} of {} answers said anything",
        answers.len()
    );
    assert!(answers.len() == people * per_person);
}

async fn connect(person: &Person, acme: &Provider) -> String {
    let answer = person.call("acme_whoami", json!({})).await.body.to_string();
    let Some(at) = answer.find("http") else {
        return answer;
    };
    let link: String = answer[at..]
        .chars()
        .take_while(|c| !c.is_whitespace() && *c != '"' && *c != ',')
        .collect();
    if !link.contains("/connect/") {
        return answer;
    }
    // The link may be another call's by now, or the person may have signed out: whatever the pages say is looked at too.
    let page = person.open(&link).await;
    if !page.text.contains("name=\"csrf\"") {
        return page.text;
    }
    let path = url::Url::parse(&link).expect("a link").path().to_owned();
    let leaving = person.press(&page, &path).await;
    if !leaving.text.contains("0; url=") {
        return leaving.text;
    }
    // The provider of the tests has one browser: whoever signed in to it last agrees.
    let callback = {
        let _browser = PROVIDERS_BROWSER.lock().await;
        acme.has_account(&person.name)
            .consent(&leaving.destination())
            .await
    };
    person.open(callback.as_str()).await.text
}

async fn act(
    step: Step,
    person: &Person,
    other: &Person,
    gateway: &TestGateway,
    acme: &Provider,
) -> String {
    let parts = gateway.app().gateway();
    let owner = principal(gateway, &person.name).await;
    let text = |answer: crate::support::person::Answer| answer.body.to_string();
    match step {
        Step::List => {
            let sent = person.send("/mcp", "tools/list", None, json!({}), json!({}));
            sent.await.text().await.unwrap()
        }
        Step::Call => text(person.call("acme_whoami", json!({})).await),
        Step::Things => text(person.call("acme_list_things", json!({})).await),
        Step::Connections => text(person.call("attache_connections", json!({})).await),
        Step::ConnectLink => text(person.call("attache_connect", json!({})).await),
        Step::Page => person.open("/connections").await.text,
        Step::Disconnect => {
            let page = person.open("/connections").await;
            if !page.text.contains("/disconnect") {
                return page.text;
            }
            let path = page.disconnect_path();
            let question = person.open(&path).await;
            if !question.text.contains("name=\"csrf\"") {
                return question.text;
            }
            person.press(&question, &path).await.text
        }
        Step::Connect => connect(person, acme).await,
        Step::Narrow => {
            let narrowing = only(&["acme_notes"], false);
            parts
                .narrow_agent(&owner, &id_of(person), &narrowing)
                .await
                .unwrap();
            text(person.call("acme_whoami", json!({})).await)
        }
        Step::Widen => {
            parts
                .narrow_agent(&owner, &id_of(person), &Narrowing::default())
                .await
                .unwrap();
            text(person.call("acme_whoami", json!({})).await)
        }
        Step::Stop => {
            parts.stop_agents(&owner).await.unwrap();
            text(person.call("acme_whoami", json!({})).await)
        }
        Step::Resume => {
            parts.resume_agents(&owner).await.unwrap();
            text(person.call("acme_whoami", json!({})).await)
        }
        Step::NewAgent => {
            let (_, bearer) = agent(gateway, person, AgentTerms::default()).await;
            text(bearer.call("acme_whoami", json!({})).await)
        }
        Step::SignOut => {
            let page = person.open("/connections").await;
            if page.text.contains("name=\"csrf\"") {
                person.press(&page, "/sign-out").await;
            }
            let out = person.open("/connections").await.text;
            let link = parts.create_sign_in_link(&owner).await.unwrap();
            format!("{out}{}", person.open(&link).await.text)
        }
        Step::Meddle => {
            // Their link, opened by somebody else, and their agent, narrowed by somebody else.
            let stolen = person_link(other).await;
            let none = parts
                .narrow_agent(&owner, &id_of(other), &only(&[], true))
                .await
                .unwrap();
            assert!(none.is_none(), "somebody else's agent was narrowed");
            match stolen {
                Some(link) => person.open(&link).await.text,
                None => text(person.call("acme_whoami", json!({})).await),
            }
        }
    }
}

async fn person_link(person: &Person) -> Option<String> {
    let answer = person.call("acme_whoami", json!({})).await.body.to_string();
    let at = answer.find("http")?;
    let link: String = answer[at..]
        .chars()
        .take_while(|c| !c.is_whitespace() && *c != '"')
        .collect();
    link.contains("/connect/").then_some(link)
}
