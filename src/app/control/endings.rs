//! The commands that end something: connections, one or many, and people.

use super::run::unknown_service;
use super::{Answer, Departed, PersonRow, ReceiptLine, RefusalKind, keys};
use crate::base::{ConnectionId, PersonId};
use crate::connection::{AtProvider, Connection, Status};
use crate::gateway::{
    DisconnectError, Ended, EndedAll, Fault, Gateway, Obstacle, Receipt, RemovePersonError,
    Revoking,
};
use crate::identity::{Caller, Principal};
use crate::store::StoreError;

/// Ends every connection of `owner` to one service.
pub(super) async fn disconnect(
    gateway: &Gateway,
    owner: &Caller,
    service: &str,
) -> Result<Answer, Fault> {
    let mut mine = gateway
        .connections_without_service(&owner.principal)
        .await?;
    for view in gateway.connections(&owner.principal).await? {
        mine.extend(view.connections.into_iter().map(|found| found.connection));
    }
    mine.retain(|connection| connection.service == service);
    if mine.is_empty() && gateway.services().find(service).is_none() {
        return Ok(unknown_service(gateway, service));
    }
    let mut done = Vec::new();
    for connection in mine.iter().filter(|connection| is_worth_ending(connection)) {
        match gateway.disconnect(&owner.principal, &connection.id).await {
            Ok(receipt) => done.push(line(&receipt)),
            Err(DisconnectError::Fault(fault)) => return Err(fault),
            // Gone in the meantime: what was wanted.
            Err(DisconnectError::UnknownConnection) => {}
            Err(DisconnectError::Damaged) => done.push(damaged_line(connection.id.as_str())),
        }
    }
    if done.is_empty() {
        let damaged = gateway.damaged_connections(&owner.principal).await?;
        let besides = if damaged.is_empty() {
            ""
        } else {
            ". A connection of yours cannot be read, though, and may be the one: `attache connections` names it"
        };
        let sentence =
            format!("{service} is not connected, so there is nothing to disconnect{besides}");
        return Ok(Answer::refused(RefusalKind::Failed, sentence));
    }
    Ok(Answer::Disconnected(done))
}

/// Ends every connection, or those of one person, or those to one service.
pub(super) async fn disconnect_all(
    gateway: &Gateway,
    owner: &Caller,
    person: Option<&str>,
    service: Option<&str>,
) -> Result<Answer, Fault> {
    let person = match person {
        None => None,
        Some(wanted) => match find_person(gateway, wanted).await? {
            Ok(person) => Some(person),
            Err(refused) => return Ok(refused),
        },
    };
    let done = gateway
        .disconnect_all(&owner.principal, person.as_ref(), service)
        .await?;
    if done.ended.is_empty() && done.unreadable.is_empty() {
        let sentence = "nothing of that is connected, so there is nothing to disconnect";
        return Ok(Answer::refused(RefusalKind::Failed, sentence));
    }
    let lines = lines(gateway, &done, Unreadable::Stays).await?;
    Ok(Answer::Disconnected(lines))
}

/// Everybody whom the gateway knows.
pub(super) async fn people(gateway: &Gateway) -> Result<Answer, Fault> {
    let people = gateway.people().await?;
    let rows = people.into_iter().map(|line| PersonRow {
        id: line.id.to_string(),
        damaged: line.person.is_none(),
        damaged_connections: line.damaged,
        connections: line.connections,
        role: line.role.map(|role| role.word().to_owned()),
        subject: line
            .person
            .as_ref()
            .map_or_else(String::new, |person| person.subject.clone()),
        name: line
            .person
            .as_ref()
            .map_or_else(String::new, |person| person.name.clone()),
        issuer: line.person.map_or_else(String::new, |person| person.issuer),
    });
    Ok(Answer::People(rows.collect()))
}

/// Removes a person with everything of theirs.
pub(super) async fn remove_person(
    gateway: &Gateway,
    owner: &Caller,
    person: &str,
) -> Result<Answer, Fault> {
    let id = match find_person(gateway, person).await? {
        Ok(id) => id,
        Err(refused) => return Ok(refused),
    };
    let departure = match gateway.remove_person(&owner.principal, &id).await {
        Ok(departure) => departure,
        Err(RemovePersonError::Fault(fault)) => return Err(fault),
        Err(RemovePersonError::UnknownPerson) => return Ok(unknown_person(person)),
        Err(RemovePersonError::IsOneself) => {
            let sentence = "this is the person of this machine, whom every start adds again: use `attache disconnect \
                            --all`, and delete the data folder";
            return Ok(Answer::refused(RefusalKind::Failed, sentence));
        }
    };
    let name = departure
        .person
        .map_or_else(|| id.to_string(), |gone| gone.name);
    Ok(Answer::PersonRemoved(Departed {
        name,
        records: departure.records,
        key: keys::shredding(&departure.key, departure.at),
        connections: lines(gateway, &departure.connections, Unreadable::Goes).await?,
        unreadable: departure.unreadable,
    }))
}

/// The person with this identifier or, if there is just one, this name.
pub(super) async fn find_person(
    gateway: &Gateway,
    wanted: &str,
) -> Result<Result<PersonId, Answer>, Fault> {
    if let Ok(id) = PersonId::parse(wanted) {
        return Ok(Ok(id));
    }
    let people = gateway.people().await?;
    let named: Vec<&Principal> = people
        .iter()
        .filter_map(|line| line.person.as_ref())
        .filter(|person| person.name == wanted)
        .collect();
    Ok(match named.as_slice() {
        [] => Err(unknown_person(wanted)),
        [one] => Ok(one.id.clone()),
        many => {
            let ids: Vec<_> = many.iter().map(|person| person.id.to_string()).collect();
            let sentence = format!(
                "{} people are called {wanted}; say which: {}",
                many.len(),
                ids.join(", ")
            );
            Err(Answer::refused(RefusalKind::Usage, sentence))
        }
    })
}

pub(super) fn unknown_person(wanted: &str) -> Answer {
    let sentence = format!("there is no person `{wanted}`; `attache people` lists those there are");
    Answer::refused(RefusalKind::Usage, sentence)
}

/// Whether there is anything to end, here or at the provider.
fn is_worth_ending(connection: &Connection) -> bool {
    match connection.status {
        Status::Active | Status::Expired { .. } => true,
        Status::Revoked { .. } => connection.status.is_being_revoked(),
    }
}

/// What becomes of connections whose records cannot be read.
#[derive(Clone, Copy)]
enum Unreadable {
    /// They are left as they are.
    Stays,
    /// They are destroyed with their person.
    Goes,
}

/// Removes a connection of `owner` whose record cannot be read.
pub(super) async fn remove_damaged(
    gateway: &Gateway,
    owner: &Caller,
    connection: &str,
) -> Result<Answer, Fault> {
    let unknown = || {
        let sentence = format!(
            "you have no connection `{connection}` that cannot be read; `attache connections` lists those there are"
        );
        Answer::refused(RefusalKind::Usage, sentence)
    };
    let Ok(id) = ConnectionId::parse(connection) else {
        return Ok(unknown());
    };
    match gateway
        .remove_damaged_connection(&owner.principal, &id)
        .await
    {
        Ok(()) => Ok(Answer::Disconnected(vec![damaged_line(id.as_str())])),
        Err(DisconnectError::UnknownConnection | DisconnectError::Damaged) => Ok(unknown()),
        Err(DisconnectError::Fault(fault)) => Err(fault),
    }
}

/// The connection that the error of its record names.
fn connection_in(error: &StoreError) -> &str {
    let key = error.record().unwrap_or_default();
    key.rsplit('/').next().unwrap_or_default()
}

fn without_receipt(connection: &str, at_provider: &str, sentence: String) -> ReceiptLine {
    ReceiptLine {
        person: None,
        connection: connection.to_owned(),
        service: String::new(),
        account: String::new(),
        at_provider: at_provider.to_owned(),
        answers_until: None,
        manual_url: None,
        sentence,
    }
}

fn left_line(error: &StoreError) -> ReceiptLine {
    let connection = connection_in(error);
    let sentence = format!(
        "A connection was left as it is, since it cannot be read: {error}. No agent can use it; its person can remove it \
         on the Connections page."
    );
    without_receipt(connection, FAILED, sentence)
}

fn damaged_line(connection: &str) -> ReceiptLine {
    let sentence = format!(
        "The connection {connection}, which could not be read, is removed. Nobody knows any more which service it was for, \
         so that service was not told: remove Attache in the account settings there."
    );
    without_receipt(connection, NOT_TOLD, sentence)
}

async fn lines(
    gateway: &Gateway,
    done: &EndedAll,
    what: Unreadable,
) -> Result<Vec<ReceiptLine>, Fault> {
    let people = gateway.people().await?;
    let name = |ended: &Ended| {
        let mut known = people.iter().filter_map(|line| line.person.as_ref());
        let known = known.find(|person| person.id == ended.person);
        known.map_or_else(|| ended.person.to_string(), |person| person.name.clone())
    };
    let mut lines: Vec<_> = done
        .ended
        .iter()
        .map(|ended| ReceiptLine {
            person: Some(name(ended)),
            ..ended_line(ended)
        })
        .collect();
    lines.extend(done.unreadable.iter().map(|error| match what {
        Unreadable::Stays => left_line(error),
        Unreadable::Goes => damaged_line(connection_in(error)),
    }));
    Ok(lines)
}

/// [`ReceiptLine::at_provider`] of what was not disconnected.
const FAILED: &str = "failed";
/// [`ReceiptLine::at_provider`] of what was removed without its provider being told.
const NOT_TOLD: &str = "not_told";

fn ended_line(ended: &Ended) -> ReceiptLine {
    match &ended.outcome {
        Ok(receipt) => line(receipt),
        Err(fault) => {
            tracing::error!(%fault, connection = %ended.connection.id, "a connection could not be disconnected");
            let (service, account) = (&ended.connection.service, &ended.connection.account.label);
            ReceiptLine {
                person: None,
                connection: ended.connection.id.to_string(),
                service: service.clone(),
                account: account.clone(),
                at_provider: FAILED.to_owned(),
                answers_until: None,
                manual_url: None,
                sentence: format!(
                    "{service} as {account} may still be connected. {}",
                    fault.sentence()
                ),
            }
        }
    }
}

fn line(receipt: &Receipt) -> ReceiptLine {
    let at_provider = match receipt.at_provider {
        AtProvider::Confirmed => "confirmed",
        AtProvider::Pending => "pending",
        AtProvider::Unsupported => "unsupported",
        AtProvider::GaveUp => "gave_up",
    };
    let end = receipt.revoking.and_then(|revoking| revoking.answers_until);
    ReceiptLine {
        person: None,
        connection: receipt.connection.to_string(),
        service: receipt.service.clone(),
        account: receipt.account.clone(),
        at_provider: at_provider.to_owned(),
        answers_until: end.map(|end| end.to_string()),
        manual_url: receipt.manual_url.clone(),
        sentence: sentence(receipt),
    }
}

/// What a disconnect did, for the person at the terminal.
pub(in crate::app) fn sentence(receipt: &Receipt) -> String {
    let (name, account) = (&receipt.service_name, &receipt.account);
    let there = match &receipt.manual_url {
        Some(url) => format!("at {url}"),
        None => format!("in the account settings of {name}"),
    };
    let at_provider = match (receipt.at_provider, &receipt.revoking) {
        (AtProvider::Confirmed, _) => {
            format!("The old sign-in is dead: {name} does not accept it any more.")
        }
        (AtProvider::Pending, Some(revoking)) => still_revoking(name, revoking),
        (AtProvider::Unsupported, _) => {
            format!("{name} cannot be told so: remove the access there, {there}.")
        }
        (AtProvider::GaveUp | AtProvider::Pending, _) => {
            format!("{name} never confirmed it: remove the access there, {there}.")
        }
    };
    format!("{name} is disconnected as {account}. {at_provider}")
}

fn still_revoking(name: &str, revoking: &Revoking) -> String {
    let obstacle = match revoking.obstacle {
        Obstacle::NotConfirmed => {
            format!("{name} has not confirmed yet that the access is ended; it is asked again")
        }
        Obstacle::StillAnswers => {
            format!(
                "{name} says that the access is ended, and the old sign-in was not seen refused yet; it is tried again"
            )
        }
        Obstacle::NotSetUp => {
            format!("{name} is not set up here any more; it is told as soon as it is set up again")
        }
        Obstacle::SetUpAnew => {
            format!(
                "{name} is set up here with another registration; it is told as soon as the old one is back"
            )
        }
    };
    let end = match (revoking.obstacle, revoking.answers_until) {
        (Obstacle::StillAnswers, Some(end)) => {
            format!(" It ends by itself at {end} at the latest.")
        }
        _ => String::new(),
    };
    format!(
        "Revoking: {obstacle}.{end} Until then, and no longer than until {}, one sealed copy of the sign-in is kept for \
         that alone.",
        revoking.kept_until
    )
}
