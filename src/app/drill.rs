//! A fire drill on the Sandbox: the fault is provoked there for real, an agent's call runs into it, and everything is
//! set right again.
//!
//! Owns the order of the steps. The gateway does what it always does: it is not told that this is a drill.

use std::time::Duration;

use serde_json::Map;

use crate::catalogue::Tool;
use crate::connection::{Connection, Remedy};
use crate::gateway::{
    Actor, CallError, ConnectLink, DisconnectError, Drill, DrillReport, Fault, Gateway,
};
use crate::identity::Caller;
use crate::sandbox::{Control, Endpoint, Fault as Failure, Order, SaveError, Whose};

/// By how much a slow answer is late, in milliseconds.
const LATE_MS: u32 = 3_000;
/// What the drill's 429 asks for, in seconds.
const RETRY_AFTER_S: u32 = 3;
/// How long after the Sandbox is well again the same call may still be put off. Longer than the gateway's first pause.
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);
/// How often the same call is tried meanwhile.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// The Sandbox of this process, and which service it is here.
#[derive(Clone, Debug)]
pub(super) struct SandboxAtHand {
    /// Its orders.
    pub(super) control: Control,
    /// The identifier of its service.
    pub(super) service: String,
}

/// Why a drill did not take place, or broke off. The Sandbox is well again in every case.
#[derive(Debug)]
pub(super) enum DrillError {
    /// There is no connection to practise on.
    ConnectFirst(Box<ConnectLink>),
    /// The gateway could not be asked.
    Call(CallError),
    /// The Sandbox could not be told.
    Sandbox(SaveError),
}

impl From<CallError> for DrillError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::ConnectFirst(link) => Self::ConnectFirst(link),
            error => Self::Call(error),
        }
    }
}

impl From<Fault> for DrillError {
    fn from(fault: Fault) -> Self {
        Self::Call(fault.into())
    }
}

impl From<SaveError> for DrillError {
    fn from(error: SaveError) -> Self {
        Self::Sandbox(error)
    }
}

/// Heals the Sandbox when the drill ends, however it ends.
struct Healed<'a>(&'a Control);

impl Drop for Healed<'_> {
    fn drop(&mut self) {
        self.0.heal();
    }
}

/// A drill under way.
struct Run<'a> {
    gateway: &'a Gateway,
    owner: &'a Caller,
    sandbox: &'a SandboxAtHand,
    tool: String,
    whose: Whose,
    /// The number of the last request of the Sandbox that was told of.
    told: u64,
    report: DrillReport,
}

/// Practises `drill` on the connection of `owner` to the Sandbox.
pub(super) async fn drill(
    gateway: &Gateway,
    owner: &Caller,
    sandbox: &SandboxAtHand,
    drill: Drill,
) -> Result<DrillReport, DrillError> {
    let _healed = Healed(&sandbox.control);
    let mut run = Run::prepare(gateway, owner, sandbox, drill).await?;
    match drill {
        Drill::RevocationDown => run.disconnect_while_revocation_fails().await?,
        Drill::Revoke => run.revoke().await?,
        Drill::Rotate => {
            run.expire().await?;
            run.call().await?;
            run.expire().await?;
            run.call().await?;
            run.count_refresh_tokens();
        }
        Drill::Expire => {
            run.expire().await?;
            run.call().await?;
        }
        Drill::Unavailable
        | Drill::Slow
        | Drill::Throttled
        | Drill::LostAnswer
        | Drill::InvalidGrant => {
            run.fail_at_the_token_endpoint(drill).await?;
            run.call().await?;
            run.heal_and_try_again().await?;
        }
    }
    run.finish().await
}

/// The fault of a token endpoint in a drill, and for how many requests.
fn failure(drill: Drill) -> (Failure, Option<u32>, String) {
    match drill {
        Drill::Slow => {
            let late = Failure::Late { delay_ms: LATE_MS };
            (late, Some(1), format!("answers {} s late", LATE_MS / 1_000))
        }
        Drill::Throttled => {
            let retry_after_s = RETRY_AFTER_S;
            let asked = format!("answers 429 with Retry-After: {retry_after_s}");
            (Failure::Throttled { retry_after_s }, None, asked)
        }
        Drill::LostAnswer => {
            let does = "hands out new tokens once and drops the connection before it has answered";
            (Failure::Lost, Some(1), does.into())
        }
        Drill::InvalidGrant => (
            Failure::Refused,
            Some(1),
            "answers invalid_grant once".into(),
        ),
        _ => (Failure::Unavailable, None, "answers 503".into()),
    }
}

impl<'a> Run<'a> {
    /// Sees that the connection works before anything is broken.
    async fn prepare(
        gateway: &'a Gateway,
        owner: &'a Caller,
        sandbox: &'a SandboxAtHand,
        drill: Drill,
    ) -> Result<Self, DrillError> {
        let service = &sandbox.service;
        let tool = harmless_tool(gateway, service).ok_or_else(|| {
            CallError::UnknownTool(format!(
                "{service} has no tool that only looks and needs nothing, so there is nothing to practise with"
            ))
        })?;
        let no_arguments = Map::new();
        gateway.call_tool(owner, &tool, &no_arguments).await?;
        let connection = connection(gateway, owner, service).await?;
        let whose = Whose::of(&connection.granted_by.client_id, &connection.account.id);
        let report = DrillReport {
            service: service.clone(),
            account: connection.account.label,
            drill,
            for_real: true,
            before: connection.status.word().to_owned(),
            steps: Vec::new(),
            after: String::new(),
            mends: String::new(),
        };
        let told = sandbox.control.seen().last().map_or(0, |last| last.number);
        Ok(Self {
            gateway,
            owner,
            sandbox,
            tool,
            whose,
            told,
            report,
        })
    }

    async fn order(&self, order: Order) -> Result<usize, SaveError> {
        self.sandbox.control.obey(order).await
    }

    async fn expire(&mut self) -> Result<(), SaveError> {
        let whose = self.whose.clone();
        self.order(Order::Expire { whose }).await?;
        self.report
            .step(Actor::Provider, "ends the access token, as of now");
        Ok(())
    }

    async fn revoke(&mut self) -> Result<(), DrillError> {
        let whose = self.whose.clone();
        self.order(Order::Revoke { whose }).await?;
        self.report
            .step(Actor::Person, "takes the access back at the service");
        self.call().await
    }

    async fn fail_at_the_token_endpoint(&mut self, drill: Drill) -> Result<(), SaveError> {
        self.expire().await?;
        let (fault, times, words) = failure(drill);
        let (at, whose) = (Endpoint::Token, self.whose.clone());
        self.order(Order::Fail {
            at,
            fault,
            times,
            whose,
        })
        .await?;
        let words = format!("{words} when the token is to be renewed");
        self.report.step(Actor::Provider, words);
        Ok(())
    }

    /// The agent calls a tool; what the Sandbox saw and what the agent was told is noted.
    async fn call(&mut self) -> Result<(), DrillError> {
        let tool = &self.tool;
        self.report.step(Actor::Agent, format!("calls {tool}"));
        let outcome = self.outcome().await?;
        self.tell_what_was_seen();
        self.report.step(Actor::Agent, outcome.words());
        Ok(())
    }

    async fn outcome(&self) -> Result<Outcome, Fault> {
        let clock = self.gateway.clock();
        let began = clock.now();
        let called = self
            .gateway
            .call_tool(self.owner, &self.tool, &Map::new())
            .await;
        match called {
            Ok(_) => Ok(Outcome::Result {
                took: clock.now().since(began),
            }),
            Err(CallError::Fault(fault)) => Err(fault),
            Err(error) => Ok(Outcome::Told {
                sentence: error.sentence(),
                is_over: matches!(error, CallError::ConnectFirst(_)),
            }),
        }
    }

    fn tell_what_was_seen(&mut self) {
        for seen in self.sandbox.control.seen() {
            if seen.number <= self.told {
                continue;
            }
            self.told = seen.number;
            let answer = match seen.status {
                Some(status) => format!("answers {status}"),
                None => "the answer is lost".to_owned(),
            };
            let line = format!("sees {}: {answer}", seen.request);
            self.report.step(Actor::Provider, line);
        }
    }

    fn count_refresh_tokens(&mut self) {
        let counters = self.sandbox.control.counters();
        let line = format!(
            "has exchanged {} refresh tokens since it started, {} of them a second time",
            counters.refreshed, counters.reuses
        );
        self.report.step(Actor::Provider, line);
    }

    /// The Sandbox is well again, and the agent tries until its call works or a person is needed.
    async fn heal_and_try_again(&mut self) -> Result<(), DrillError> {
        self.order(Order::Heal).await?;
        self.report.step(Actor::Provider, "is well again");
        let clock = self.gateway.clock();
        let healed = clock.now();
        loop {
            let outcome = self.outcome().await?;
            let waited = clock.now().since(healed);
            let goes_on = matches!(&outcome, Outcome::Told { is_over: false, .. });
            if goes_on && waited < RECOVERS_WITHIN {
                tokio::time::sleep(TRY_EVERY).await;
                continue;
            }
            self.tell_what_was_seen();
            let line = format!(
                "calls again, {} s later: {}",
                waited.as_secs(),
                outcome.words()
            );
            self.report.step(Actor::Agent, line);
            return Ok(());
        }
    }

    async fn disconnect_while_revocation_fails(&mut self) -> Result<(), DrillError> {
        let (at, whose) = (Endpoint::Revocation, self.whose.clone());
        self.order(Order::Fail {
            at,
            fault: Failure::Unavailable,
            times: None,
            whose,
        })
        .await?;
        self.report
            .step(Actor::Provider, "answers 503 when access is to be revoked");
        self.disconnect().await?;
        self.call().await?;
        self.order(Order::Heal).await?;
        self.report.step(Actor::Provider, "is well again");
        self.disconnect().await?;
        Ok(())
    }

    async fn disconnect(&mut self) -> Result<(), DrillError> {
        let connection = connection(self.gateway, self.owner, &self.sandbox.service).await?;
        let (gateway, principal) = (self.gateway, &self.owner.principal);
        let receipt = match gateway.disconnect(principal, &connection.id).await {
            Ok(receipt) => receipt,
            Err(DisconnectError::Fault(fault)) => return Err(fault.into()),
            Err(DisconnectError::UnknownConnection | DisconnectError::Damaged) => return Ok(()),
        };
        self.tell_what_was_seen();
        let line = super::control::sentence(&receipt);
        self.report
            .step(Actor::Person, format!("disconnects: {line}"));
        Ok(())
    }

    async fn finish(mut self) -> Result<DrillReport, DrillError> {
        let (gateway, owner, service) = (self.gateway, self.owner, &self.sandbox.service);
        let after = connection(gateway, owner, service).await?;
        let held = self.sandbox.control.grants(&self.whose).await;
        let line = format!("holds {held} grants of this account for this gateway");
        self.report.step(Actor::Provider, line);
        after.status.word().clone_into(&mut self.report.after);
        self.report.mends = match after.status.remedy() {
            Remedy::Nothing => "nothing: it works".to_owned(),
            Remedy::Reconnect => self.link("connect it again").await,
            Remedy::ConnectAnew => {
                self.link("nothing is broken; to use it again, connect it")
                    .await
            }
        };
        Ok(self.report)
    }

    async fn link(&self, words: &str) -> String {
        let (gateway, service) = (self.gateway, &self.sandbox.service);
        match gateway.connect_link_for_service(self.owner, service).await {
            Ok(link) => format!("{words}: {link}"),
            Err(_) => words.to_owned(),
        }
    }
}

/// What the agent got.
enum Outcome {
    Result { took: Duration },
    Told { sentence: String, is_over: bool },
}

impl Outcome {
    fn words(&self) -> String {
        match self {
            Self::Result { took } if took.as_secs() > 0 => {
                format!("gets its result, after {} s", took.as_secs())
            }
            Self::Result { .. } => "gets its result, as if nothing had happened".to_owned(),
            Self::Told { sentence, .. } => format!("is told: {sentence}"),
        }
    }
}

/// A tool that only looks and that needs no arguments.
fn harmless_tool(gateway: &Gateway, service: &str) -> Option<String> {
    let needs_nothing = |tool: &&std::sync::Arc<Tool>| {
        let required = tool.input_schema().get("required");
        let required = required.and_then(serde_json::Value::as_array);
        tool.hints().read_only && required.is_none_or(Vec::is_empty)
    };
    let services = gateway.services();
    let mut tools = services
        .advertised()
        .filter(|tool| tool.provider() == service);
    let found = tools.find(needs_nothing)?;
    Some(found.name().to_owned())
}

/// The person's connection to `service` that agents use first.
async fn connection(
    gateway: &Gateway,
    owner: &Caller,
    service: &str,
) -> Result<Connection, DrillError> {
    let views = gateway.connections(&owner.principal).await?;
    let found = views
        .into_iter()
        .filter(|view| view.service.id() == service)
        .find_map(|view| view.connections.into_iter().next());
    found.map(|view| view.connection).ok_or_else(|| {
        DrillError::Call(CallError::UnknownTool(format!(
            "{service} is not connected any more: someone else ended it meanwhile"
        )))
    })
}
