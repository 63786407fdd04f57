//! Agents: who is let in with which token, what a narrowed one may do, and what stops all of them.

mod attempts;
mod changes;
mod commands;
mod matrix;
mod startup;
mod strangers;

use std::collections::BTreeSet;
use std::time::Duration;

use attache::base::AgentId;
use attache::identity::{Agent, AgentTerms, Narrowing, Principal};
use serde_json::json;
use std::sync::Arc;

use crate::support::gateway::TestGateway;
use crate::support::person::Person;
use crate::support::provider::Provider;

/// The person whom [`TestGateway::person`] knows by this name.
async fn principal(gateway: &TestGateway, name: &str) -> Arc<Principal> {
    let person = gateway.app().gateway().person("attache:test", name, name);
    person.await.expect("a store")
}

/// Another agent of `owner`, on these terms.
async fn agent(gateway: &TestGateway, owner: &Person, terms: AgentTerms) -> (Agent, Person) {
    let principal = principal(gateway, &owner.name).await;
    let parts = gateway.app().gateway();
    let added = parts.add_agent(&principal, "Another", terms).await;
    let (agent, token) = added.expect("a store");
    let person = Person::new(&owner.name, &gateway.origin(), token.expose());
    (agent, person)
}

/// The agent whose token `person` bears.
fn id_of(person: &Person) -> AgentId {
    let token = attache::identity::AgentToken::parse(person.token());
    token.expect("a token").agent
}

fn only(services: &[&str], read_only: bool) -> Narrowing {
    let services: BTreeSet<_> = services.iter().map(ToString::to_string).collect();
    Narrowing {
        services: (!services.is_empty()).then_some(services),
        read_only,
        until: None,
    }
}

fn narrowed_to(narrowing: Narrowing) -> AgentTerms {
    AgentTerms {
        narrowing,
        ..AgentTerms::default()
    }
}

fn expires_in(gateway: &TestGateway, span: Duration) -> AgentTerms {
    AgentTerms {
        expires: Some(gateway.clock().now() + span),
        ..AgentTerms::default()
    }
}

/// Connects acme as this person.
async fn connected(gateway: &TestGateway, acme: &Provider, name: &str) -> Person {
    let person = gateway.person(name).await;
    let link = person.call("acme_whoami", json!({})).await.link();
    person.connect(&link, acme).await.assert_connected();
    person
}
