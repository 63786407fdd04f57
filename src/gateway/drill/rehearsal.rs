//! A drill on a real connection: the fault goes through the decisions that the gateway takes when it is real, and nothing
//! is sent or written.

use std::time::Duration;

use super::{Actor, Drill, DrillReport};
use crate::base::{Secret, Timestamp};
use crate::catalogue::{RefreshRules, Revocation, Rotation};
use crate::connection::{
    Connection, Credential, ExpiredReason, Remedy, RevokedReason, Status, Tombstone,
};
use crate::gateway::renewal::Verdict;
use crate::gateway::{CallError, Fault, Gateway, MissingReason};
use crate::identity::Principal;
use crate::oauth::{TokenError, TokenReply};

/// What a throttling provider asks for in a rehearsal.
const ASKED_FOR: Duration = Duration::from_secs(30);

/// Why nothing could be rehearsed.
#[derive(Debug)]
pub enum RehearsalError {
    /// There is no such service.
    UnknownService,
    /// Nobody has set the service up.
    NotSetUp,
    /// The person has never connected it.
    NotConnected,
    /// Something failed on our side.
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for RehearsalError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Gateway {
    /// What `drill` would come to for the connection of `principal` to `service`. Sends nothing and changes nothing.
    ///
    /// # Errors
    /// [`RehearsalError`].
    pub async fn rehearse(
        &self,
        principal: &Principal,
        service: &str,
        drill: Drill,
    ) -> Result<DrillReport, RehearsalError> {
        let services = self.services();
        let service = services
            .find(service)
            .ok_or(RehearsalError::UnknownService)?;
        let ready = service.ready().ok_or(RehearsalError::NotSetUp)?;
        let connections = self.connections_to(&principal.id, service.id()).await?;
        let connection = connections
            .into_iter()
            .map(|record| record.value)
            .max_by_key(|connection| (connection.is_active(), connection.since))
            .ok_or(RehearsalError::NotConnected)?;
        let credential = self.credential(&connection).await?;
        let scene = Scene {
            service: service.provider.name(),
            person: &principal.name,
            connection: &connection,
            rules: &ready.oauth.refresh,
            revocation: &ready.oauth.revocation,
            now: self.parts.clock.now(),
        };
        Ok(scene.rehearse(drill, credential.map(|record| record.value)))
    }
}

/// Whose connection it is, where, and by which rules.
struct Scene<'a> {
    service: &'a str,
    person: &'a str,
    connection: &'a Connection,
    rules: &'a RefreshRules,
    revocation: &'a Revocation,
    now: Timestamp,
}

impl Scene<'_> {
    fn rehearse(&self, drill: Drill, credential: Option<Credential>) -> DrillReport {
        let mut report = DrillReport {
            service: self.connection.service.clone(),
            account: self.connection.account.label.clone(),
            drill,
            for_real: false,
            before: self.connection.status.word().to_owned(),
            steps: Vec::new(),
            after: String::new(),
            mends: String::new(),
        };
        let after = match (self.connection.status, credential) {
            (Status::Active, Some(credential)) => {
                self.tell_what_is_there(&mut report, &credential);
                match drill {
                    Drill::RevocationDown => self.disconnect(&mut report),
                    _ => self.refuse_the_access_token(&mut report, drill, &credential),
                }
            }
            (status, _) => {
                report.step(Actor::Agent, self.told(status));
                status
            }
        };
        after.word().clone_into(&mut report.after);
        report.mends = match after.remedy() {
            Remedy::Nothing => "nothing: it works, or does again by itself".to_owned(),
            Remedy::Reconnect => format!("{} connects it again", self.person),
            Remedy::ConnectAnew => {
                format!("nothing is broken; {} may connect it anew", self.person)
            }
        };
        report
    }

    fn tell_what_is_there(&self, report: &mut DrillReport, credential: &Credential) {
        let access = match (credential.expires, credential.remaining(self.now)) {
            (Some(end), Some(left)) => {
                let minutes = left.as_secs() / 60;
                format!("holds an access token that ends at {end}, in {minutes} minutes")
            }
            _ => "holds an access token; nobody said when it ends".to_owned(),
        };
        report.step(Actor::Gateway, access);
        let rules = self.rules;
        if credential.refresh_token.is_none() {
            report.step(Actor::Gateway, "holds no refresh token");
            return;
        }
        let ends = credential.refresh_token_ends(rules, self.connection.since);
        let ends = ends.map_or_else(
            || "holds a refresh token without a known end".to_owned(),
            |end| format!("holds a refresh token that ends at {end}"),
        );
        report.step(Actor::Gateway, ends);
        let replaced = match rules.rotates {
            Rotation::Always => "replaces a refresh token each time it is used",
            Rotation::Maybe => "may replace a refresh token when it is used",
            Rotation::Never => "keeps a refresh token as it is",
        };
        let once = match (rules.single_use, rules.reuse_grace) {
            (false, _) => "and takes it again".to_owned(),
            (true, None) => "and takes it once".to_owned(),
            (true, Some(grace)) => format!("and takes it again within {} s", grace.as_secs()),
        };
        report.step(
            Actor::Provider,
            format!("{replaced}, {once}, as its file says"),
        );
    }

    /// A call finds out that the access token is not accepted, and it has to be renewed.
    fn refuse_the_access_token(
        &self,
        report: &mut DrillReport,
        drill: Drill,
        credential: &Credential,
    ) -> Status {
        report.step(
            Actor::Provider,
            "would refuse the access token at the next call",
        );
        if credential.refresh_token.is_none() || !self.rules.supported {
            report.step(Actor::Gateway, "has nothing to renew it with");
            return self.end(report, ExpiredReason::RefusedByProvider);
        }
        match drill {
            Drill::Rotate => {
                let next = match self.ask(report, credential, Ok(self.reply())) {
                    Asked::Renewed(next) => next,
                    Asked::Status(status) => return status,
                };
                report.step(Actor::Provider, "would refuse that one as well, later");
                self.settle(report, &next, Ok(self.reply()))
            }
            Drill::Expire => self.settle(report, credential, Ok(self.reply())),
            Drill::Slow => {
                let deadline = crate::oauth::TOKEN_REQUEST_DEADLINE.as_secs();
                let line = format!("would answer late, within the {deadline} s that it is given");
                report.step(Actor::Provider, line);
                self.settle(report, credential, Ok(self.reply()))
            }
            Drill::Unavailable => self.settle(report, credential, Err(unavailable(503, None))),
            Drill::Throttled => {
                let error = unavailable(429, Some(ASKED_FOR));
                self.settle(report, credential, Err(error))
            }
            Drill::LostAnswer => self.lose_the_answer(report, credential),
            // Taken back by the person, or refused for a reason of its own: the provider says the same.
            Drill::Revoke | Drill::InvalidGrant | Drill::RevocationDown => {
                self.settle(report, credential, Err(invalid_grant()))
            }
        }
    }

    /// Announces a token request and takes `outcome` for its answer.
    fn ask(
        &self,
        report: &mut DrillReport,
        credential: &Credential,
        outcome: Result<TokenReply, TokenError>,
    ) -> Asked {
        let Ok(announced) = credential.announce("rehearsal", self.rules, self.now) else {
            report.step(
                Actor::Gateway,
                "sends nothing: the refresh token was sent twice before, and no answer came",
            );
            return Asked::Status(self.end(report, ExpiredReason::InterruptedRefresh));
        };
        report.step(
            Actor::Gateway,
            "notes what it is about to do, and sends the refresh token",
        );
        match &outcome {
            Ok(_) => report.step(Actor::Provider, "would give a new access token"),
            Err(error) => report.step(Actor::Provider, format!("would fail: {error}")),
        }
        let granted = self.connection.since;
        match Verdict::on(outcome, &announced, self.rules, granted, self.now) {
            Verdict::Renewed { renewal, .. } => {
                let replaced = renewal.refresh_token.is_some();
                let next = announced.renewed(renewal, self.now);
                report.step(
                    Actor::Gateway,
                    if replaced {
                        "keeps both new tokens before it uses them"
                    } else {
                        "keeps the new access token, and the refresh token that it has"
                    },
                );
                report.step(
                    Actor::Agent,
                    "gets its result; a call that changes something is told to run again",
                );
                Asked::Renewed(next)
            }
            Verdict::Ended(reason) => Asked::Status(self.end(report, reason)),
            Verdict::Later { wait, .. } => Asked::Status(self.put_off(report, credential, wait)),
            Verdict::Lost => Asked::Status(self.put_off(report, credential, None)),
        }
    }

    /// Asks, and answers how the connection stands then.
    fn settle(
        &self,
        report: &mut DrillReport,
        credential: &Credential,
        outcome: Result<TokenReply, TokenError>,
    ) -> Status {
        match self.ask(report, credential, outcome) {
            Asked::Renewed(_) => Status::Active,
            Asked::Status(status) => status,
        }
    }

    /// The provider acts, and its answer never arrives. Whether it takes the refresh token again decides.
    fn lose_the_answer(&self, report: &mut DrillReport, credential: &Credential) -> Status {
        let Ok(announced) = credential.announce("rehearsal", self.rules, self.now) else {
            return self.settle(report, credential, Err(invalid_grant()));
        };
        report.step(
            Actor::Gateway,
            "notes what it is about to do, and sends the refresh token",
        );
        report.step(
            Actor::Provider,
            "would hand out new tokens, and the answer would be lost",
        );
        report.step(
            Actor::Gateway,
            "tries the old access token, which is refused, and sends the refresh token once more: the one replay",
        );
        let takes_it = !self.rules.single_use || self.rules.reuse_grace.is_some();
        let answer = if takes_it {
            Ok(self.reply())
        } else {
            Err(invalid_grant())
        };
        self.settle(report, &announced, answer)
    }

    /// What the token endpoint gives when all is well, by the provider's rules.
    fn reply(&self) -> TokenReply {
        let replaces = self.rules.rotates == Rotation::Always;
        TokenReply {
            captured: std::collections::BTreeMap::new(),
            access_token: Secret::new("rehearsal"),
            refresh_token: replaces.then(|| Secret::new("rehearsal")),
            expires_in: None,
            refresh_expires_in: None,
            scopes: None,
        }
    }

    fn end(&self, report: &mut DrillReport, reason: ExpiredReason) -> Status {
        let ended = self.connection.clone().expire(reason, self.now);
        let status = ended.map_or(self.connection.status, |ended| ended.status);
        report.step(
            Actor::Gateway,
            "ends the connection, and asks the provider no more",
        );
        report.step(Actor::Agent, self.told(status));
        status
    }

    fn put_off(
        &self,
        report: &mut DrillReport,
        credential: &Credential,
        asked: Option<Duration>,
    ) -> Status {
        let first = Duration::from_secs(5);
        let wait = asked.unwrap_or_default().max(first);
        let line = format!(
            "keeps the connection, leaves the token endpoint alone for {} s, longer each time, and asks again by itself",
            wait.as_secs()
        );
        report.step(Actor::Gateway, line);
        let service = self.service.to_owned();
        let told = CallError::Delayed { service, wait }.sentence();
        report.step(Actor::Agent, format!("is told: {told}"));
        let left = credential.remaining(self.now).unwrap_or_default();
        if !left.is_zero() {
            let line = format!(
                "would go on with an access token that is still accepted; this one has {} minutes left",
                left.as_secs() / 60
            );
            report.step(Actor::Gateway, line);
        }
        Status::Active
    }

    fn disconnect(&self, report: &mut DrillReport) -> Status {
        let reason = RevokedReason::DisconnectedByUser;
        let revoked = self.connection.clone().disconnect(reason, self.now);
        let status = revoked.map_or(self.connection.status, |revoked| revoked.status);
        report.step(
            Actor::Person,
            "disconnects: nothing here can use the connection from that moment",
        );
        match self.revocation {
            Revocation::Unsupported { manual_url } => {
                let line = match manual_url {
                    Some(url) => format!("cannot be told at all; the receipt names {url}"),
                    None => "cannot be told at all, and the receipt says so".to_owned(),
                };
                report.step(Actor::Provider, line);
            }
            Revocation::Request(_) => {
                report.step(
                    Actor::Provider,
                    "would answer 503, and still hold the access",
                );
                let days = Tombstone::KEPT.as_secs() / 86_400;
                let line = format!(
                    "keeps one sealed copy of the tokens for the revocation alone, and tries again until it is proven, \
                     {days} days at most; the receipt says that it is revoking"
                );
                report.step(Actor::Gateway, line);
            }
        }
        report.step(Actor::Agent, self.told(status));
        status
    }

    /// What an agent is told when the connection stands so.
    fn told(&self, status: Status) -> String {
        let reason = match status {
            Status::Active => return "gets its result".to_owned(),
            Status::Expired { reason } => MissingReason::Expired(reason),
            Status::Revoked { .. } => MissingReason::Disconnected,
        };
        let sentence = reason.sentence(self.service, self.person);
        format!("is told: {sentence} With it comes a link to connect.")
    }
}

/// What asking came to.
enum Asked {
    Renewed(Credential),
    Status(Status),
}

fn invalid_grant() -> TokenError {
    TokenError::Refused {
        status: 400,
        error: Some("invalid_grant".to_owned()),
        description: None,
    }
}

fn unavailable(status: u16, retry_after: Option<Duration>) -> TokenError {
    TokenError::Unavailable {
        status,
        retry_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ConnectionId, PersonId, Random};
    use crate::catalogue::{Account, ScopeSet};
    use crate::connection::GrantedBy;

    const NOON: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn connection(status: Status) -> Connection {
        let random = Random::seeded(3);
        serde_json::from_value(serde_json::json!({
            "id": ConnectionId::new(&random),
            "person": PersonId::new(&random),
            "service": "acme",
            "account": Account { id: "1".into(), label: "ana".into(), workspace: None },
            "granted_by": GrantedBy {
                issuer: None,
                token_endpoint: "https://acme.example/token".into(),
                client_id: "c".into(),
            },
            "requested": ScopeSet::default(),
            "granted": ScopeSet::default(),
            "status": status,
            "since": NOON,
        }))
        .unwrap()
    }

    fn credential(refresh_token: bool) -> Credential {
        Credential {
            access_token: Secret::new("a1"),
            refresh_token: refresh_token.then(|| Secret::new("r1")),
            obtained: NOON,
            expires: Some(NOON + Duration::from_hours(1)),
            refresh_expires: None,
            generation: 1,
            intent: None,
        }
    }

    const STRICT: RefreshRules = RefreshRules {
        supported: true,
        rotates: Rotation::Always,
        single_use: true,
        reuse_grace: None,
        ends_access_token: false,
        idle_ttl: None,
        absolute_ttl: None,
    };

    fn rehearse(
        drill: Drill,
        rules: &RefreshRules,
        status: Status,
        credential: Option<Credential>,
    ) -> DrillReport {
        let (connection, revocation) = (
            connection(status),
            Revocation::Unsupported { manual_url: None },
        );
        let scene = Scene {
            service: "Acme",
            person: "Ana",
            connection: &connection,
            rules,
            revocation: &revocation,
            now: NOON,
        };
        scene.rehearse(drill, credential)
    }

    fn after(drill: Drill, rules: &RefreshRules, refresh_token: bool) -> String {
        let credential = Some(credential(refresh_token));
        rehearse(drill, rules, Status::Active, credential).after
    }

    #[test]
    fn the_rules_of_the_provider_decide_what_a_fault_comes_to() {
        let grace = RefreshRules {
            reuse_grace: Some(Duration::from_mins(1)),
            ..STRICT
        };
        let lenient = RefreshRules {
            single_use: false,
            ..STRICT
        };
        let none = RefreshRules {
            supported: false,
            ..STRICT
        };
        let table = [
            (Drill::Expire, "connected"),
            (Drill::Rotate, "connected"),
            (Drill::Revoke, "expired"),
            (Drill::Unavailable, "connected"),
            (Drill::Slow, "connected"),
            (Drill::Throttled, "connected"),
            (Drill::LostAnswer, "expired"),
            (Drill::InvalidGrant, "expired"),
            (Drill::RevocationDown, "disconnected"),
        ];
        for (drill, expected) in table {
            assert_eq!(after(drill, &STRICT, true), expected, "{drill:?}");
            let without = if drill == Drill::RevocationDown {
                "disconnected"
            } else {
                "expired"
            };
            assert_eq!(after(drill, &STRICT, false), without, "{drill:?}");
            assert_eq!(after(drill, &none, true), without, "{drill:?}");
        }
        assert_eq!(after(Drill::LostAnswer, &grace, true), "connected");
        assert_eq!(after(Drill::LostAnswer, &lenient, true), "connected");
    }

    #[test]
    fn a_token_that_was_sent_twice_is_not_sent_a_third_time() {
        let twice = credential(true)
            .announce("x", &STRICT, NOON)
            .and_then(|once| once.announce("x", &STRICT, NOON))
            .unwrap();
        let report = rehearse(Drill::Expire, &STRICT, Status::Active, Some(twice));
        let steps: Vec<_> = report.steps.iter().map(|step| step.what.as_str()).collect();
        assert!(
            steps.iter().any(|step| step.starts_with("sends nothing")),
            "{steps:#?}"
        );
        let told = "A renewal was cut off";
        assert!(steps.iter().any(|step| step.contains(told)), "{steps:#?}");
        assert_eq!(report.after, "expired");
    }

    #[test]
    fn what_has_ended_already_stays_so() {
        let reason = ExpiredReason::RefreshTokenTooOld;
        let expired = Status::Expired { reason };
        let report = rehearse(Drill::Unavailable, &STRICT, expired, None);
        assert_eq!(
            (report.before.as_str(), report.after.as_str()),
            ("expired", "expired")
        );
        assert!(report.steps[0].what.contains(reason.sentence()));
        assert!(!report.for_real && report.mends.contains("Ana"));
    }
}
