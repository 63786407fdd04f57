//! The commands about agents: which there are, what they may do, and until when.

use std::time::Duration;

use super::command::NarrowingWords;
use super::{AgentLine, Answer, ClientLine, NarrowingLine, NewAgent, RefusalKind};
use crate::base::{AgentId, Timestamp};
use crate::gateway::{AgentView, Fault, Gateway};
use crate::identity::{AgentKind, AgentTerms, Caller, Client, Narrowing, Sighting};

/// How a new agent is wanted, as it was typed.
pub(super) struct Wanted<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) expires: Option<&'a str>,
    pub(super) narrowing: NarrowingWords,
}

/// Every agent of the person.
pub(super) async fn list(gateway: &Gateway, owner: &Caller) -> Result<Answer, Fault> {
    let agents = gateway.agents_of(&owner.principal).await?;
    let now = gateway.clock().now();
    let is_stopped = agents.stopped.is_some();
    let lines = agents.agents.iter().map(|view| line(view, is_stopped, now));
    Ok(Answer::Agents(lines.collect()))
}

fn line(view: &AgentView, is_stopped: bool, now: Timestamp) -> AgentLine {
    let AgentView {
        agent,
        seen,
        is_over,
    } = view;
    let said = seen.latest().map(Client::kind);
    let kind = agent.kind.or(said).unwrap_or_default();
    let state = match (agent.is_expired(now), is_stopped, is_over) {
        (true, ..) => "expired",
        (_, true, _) => "stopped",
        (.., true) => "over",
        _ => "active",
    };
    let text = |moment: Timestamp| moment.to_string();
    AgentLine {
        id: agent.id.to_string(),
        name: agent.name.clone(),
        created: text(agent.created),
        state: state.to_owned(),
        kind: kind.id().to_owned(),
        kind_name: kind.name().to_owned(),
        startup: agent.startup,
        first_seen: seen.first_seen.map(text),
        last_used: seen.last_used.map(text),
        expires: agent.expires.map(text),
        narrowing: narrowing_line(&agent.narrowing),
        clients: seen.clients.iter().map(client_line).collect(),
    }
}

fn narrowing_line(narrowing: &Narrowing) -> Option<NarrowingLine> {
    let services = narrowing.services.as_ref();
    (!narrowing.is_none()).then(|| NarrowingLine {
        services: services.map(|services| services.iter().cloned().collect()),
        read_only: narrowing.read_only,
        until: narrowing.until.map(|until| until.to_string()),
        words: narrowing.words(),
    })
}

fn client_line(seen: &Sighting) -> ClientLine {
    ClientLine {
        name: seen.client.name.clone(),
        version: seen.client.version.clone(),
        revision: seen.client.revision.clone(),
        first: seen.first.to_string(),
        last: seen.last.to_string(),
    }
}

/// A new agent.
pub(super) async fn add(
    gateway: &Gateway,
    owner: &Caller,
    name: &str,
    wanted: Wanted<'_>,
) -> Result<Answer, Fault> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        let sentence = "an agent needs a name of 1 to 100 characters, by which you will know it";
        return Ok(Answer::refused(RefusalKind::Usage, sentence));
    }
    let terms = match terms(gateway, wanted) {
        Ok(terms) => terms,
        Err(sentence) => return Ok(Answer::refused(RefusalKind::Usage, sentence)),
    };
    let (agent, token) = gateway.add_agent(&owner.principal, name, terms).await?;
    Ok(Answer::NewAgent(NewAgent {
        id: agent.id.to_string(),
        name: agent.name,
        mcp_url: gateway.links().mcp(),
        token,
    }))
}

fn terms(gateway: &Gateway, wanted: Wanted<'_>) -> Result<AgentTerms, String> {
    let now = gateway.clock().now();
    let kind = wanted.kind.map(|id| {
        let known = || AgentKind::ids().collect::<Vec<_>>().join(", ");
        AgentKind::parse(id)
            .ok_or_else(|| format!("there is no kind of agent `{id}`; there are {}", known()))
    });
    let expires = wanted.expires.map(|text| moment(text, now));
    Ok(AgentTerms {
        kind: kind.transpose()?,
        expires: expires.transpose()?,
        narrowing: narrowing(gateway, wanted.narrowing)?,
    })
}

fn narrowing(gateway: &Gateway, words: NarrowingWords) -> Result<Narrowing, String> {
    let until = words.until.map(|text| moment(&text, gateway.clock().now()));
    let services = words.services;
    let narrowing = Narrowing {
        services: (!services.is_empty()).then(|| services.into_iter().collect()),
        read_only: words.read_only,
        until: until.transpose()?,
    };
    match gateway.check_narrowing(&narrowing) {
        Ok(()) => Ok(narrowing),
        Err(error) => Err(error.to_string()),
    }
}

/// The moment that `text` names: `90d`, `12h` or `30min` from `now`, the end of the day `2027-01-31`, or a moment as RFC
/// 3339; all in UTC.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    const DAY: u64 = 86_400;
    let wrong = || {
        format!(
            "`{text}` is no time; write it like 90d, 12h, 30min, 2027-01-31 or 2027-01-31T18:00:00Z"
        )
    };
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "d" => Some(DAY),
        "w" => Some(7 * DAY),
        "h" => Some(3_600),
        "min" => Some(60),
        _ => None,
    };
    let moment = match seconds {
        Some(seconds) => {
            let number: u64 = number.parse().map_err(|_| wrong())?;
            now + Duration::from_secs(number.checked_mul(seconds).ok_or_else(wrong)?)
        }
        None => Timestamp::parse(text)
            .or_else(|| {
                Some(Timestamp::parse(&format!("{text}T00:00:00Z"))? + Duration::from_secs(DAY))
            })
            .ok_or_else(wrong)?,
    };
    if moment <= now {
        return Err(format!("`{text}` is past; it is {now}"));
    }
    Ok(moment)
}

/// An agent is narrowed to this and nothing else.
pub(super) async fn narrow(
    gateway: &Gateway,
    owner: &Caller,
    id: &str,
    words: NarrowingWords,
) -> Result<Answer, Fault> {
    let narrowing = match narrowing(gateway, words) {
        Ok(narrowing) => narrowing,
        Err(sentence) => return Ok(Answer::refused(RefusalKind::Usage, sentence)),
    };
    let Ok(agent) = AgentId::parse(id) else {
        return Ok(unknown(id));
    };
    let narrowed = gateway
        .narrow_agent(&owner.principal, &agent, &narrowing)
        .await?;
    let Some(agent) = narrowed else {
        return Ok(unknown(id));
    };
    Ok(Answer::AgentsChanged(if narrowing.is_none() {
        format!("{} may do everything that you can.", agent.name)
    } else {
        format!("{} is narrowed to {}.", agent.name, narrowing.words())
    }))
}

/// An agent's token is worth nothing any more.
pub(super) async fn revoke(gateway: &Gateway, owner: &Caller, id: &str) -> Result<Answer, Fault> {
    let Ok(agent) = AgentId::parse(id) else {
        return Ok(unknown(id));
    };
    if agent == owner.agent {
        let sentence = format!(
            "this agent is Attache's own: every start adds it again, so it cannot be revoked. `attache agents narrow {id}` \
             limits what it may do, `attache agents stop` stops it with all others, and `attache keys rotate` with a \
             restart changes its token"
        );
        return Ok(Answer::refused(RefusalKind::Failed, sentence));
    }
    let revoked = gateway.revoke_agent(&owner.principal, &agent).await?;
    Ok(revoked.map_or_else(|| unknown(id), |agent| Answer::Revoked(agent.name)))
}

/// Every agent of the person is stopped.
pub(super) async fn stop(gateway: &Gateway, owner: &Caller) -> Result<Answer, Fault> {
    gateway.stop_agents(&owner.principal).await?;
    let sentence =
        "All your agents are stopped: their tokens open nothing until `attache agents resume`.";
    Ok(Answer::AgentsChanged(sentence.to_owned()))
}

/// The agents of the person are let in again.
pub(super) async fn resume(gateway: &Gateway, owner: &Caller) -> Result<Answer, Fault> {
    gateway.resume_agents(&owner.principal).await?;
    let sentence = "Your agents are let in again, each as far as it was before.";
    Ok(Answer::AgentsChanged(sentence.to_owned()))
}

fn unknown(id: &str) -> Answer {
    let sentence = format!("you have no agent `{id}`; `attache agents` lists those there are");
    Answer::refused(RefusalKind::Usage, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_span_a_day_or_a_moment() {
        let now = Timestamp::parse("2026-11-23T06:00:00Z").unwrap();
        for (text, expected) in [
            ("90d", "2027-02-21T06:00:00Z"),
            ("2w", "2026-12-07T06:00:00Z"),
            ("12h", "2026-11-23T18:00:00Z"),
            ("30min", "2026-11-23T06:30:00Z"),
            ("2026-11-23", "2026-11-24T00:00:00Z"),
            ("2027-01-31T18:00:00Z", "2027-01-31T18:00:00Z"),
        ] {
            assert_eq!(moment(text, now).unwrap().to_string(), expected, "{text}");
        }
        for wrong in [
            "",
            "d",
            "-1d",
            "90",
            "90 d",
            "0d",
            "tomorrow",
            "2026-11-22",
            "2026-13-01",
            "99999999999999999999d",
            "18446744073709551615w",
        ] {
            assert!(moment(wrong, now).is_err(), "{wrong}");
        }
    }
}
