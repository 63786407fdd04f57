//! What an administrator does about people, and what commands cannot do where people sign in with an issuer.

use super::endings::{find_person, unknown_person};
use super::{Answer, Command, RefusalKind};
use crate::gateway::{Fault, Gateway, RemovePersonError, RoleError};
use crate::identity::{Caller, Role};

/// A command that stands for somebody in a browser, where nobody signs in but with the issuer.
pub(super) fn refused_where_people_sign_in(gateway: &Gateway, command: &Command) -> Option<Answer> {
    let issuer = gateway.issuer_name()?;
    let sentence = match command {
        Command::Open => format!(
            "people sign in here with {issuer}, and there are no one-time links; go to {}",
            gateway.links().sign_in_page()
        ),
        Command::Connect { .. } => format!(
            "people sign in here with {issuer} and connect their own accounts; go to {}",
            gateway.links().connections()
        ),
        _ => return None,
    };
    Some(Answer::refused(RefusalKind::Failed, sentence))
}

/// Gives a person a role.
pub(super) async fn set_role(gateway: &Gateway, person: &str, role: Role) -> Result<Answer, Fault> {
    let id = match find_person(gateway, person).await? {
        Ok(id) => id,
        Err(refused) => return Ok(refused),
    };
    match gateway.set_role(&id, role).await {
        Ok(()) => {
            let article = match role {
                Role::Admin => "an",
                Role::Member => "a",
            };
            let sentence = format!("{person} is {article} {} from now on.", role.word());
            Ok(Answer::PersonChanged(sentence))
        }
        Err(RoleError::UnknownPerson) => Ok(unknown_person(person)),
        Err(RoleError::GroupsDecide) => {
            let sentence = "the groups of the issuer say who is an administrator, at each sign-in, since admin_groups is \
                            set; change the groups there, or remove admin_groups";
            Ok(Answer::refused(RefusalKind::Failed, sentence))
        }
        Err(RoleError::Fault(fault)) => Err(fault),
    }
}

/// Ends all sessions of a person.
pub(super) async fn sign_out(gateway: &Gateway, person: &str) -> Result<Answer, Fault> {
    let id = match find_person(gateway, person).await? {
        Ok(id) => id,
        Err(refused) => return Ok(refused),
    };
    if !gateway.people().await?.iter().any(|line| line.id == id) {
        return Ok(unknown_person(person));
    }
    let ended = gateway.sign_out_everywhere(&id).await?;
    let sessions = if ended == 1 { "session" } else { "sessions" };
    let sentence = format!("{person} is signed out everywhere: {ended} {sessions} ended.");
    Ok(Answer::PersonChanged(sentence))
}

/// Ends what a person reaches this gateway with; they and their connections stay.
pub(super) async fn cut_off(
    gateway: &Gateway,
    owner: &Caller,
    person: &str,
) -> Result<Answer, Fault> {
    let id = match find_person(gateway, person).await? {
        Ok(id) => id,
        Err(refused) => return Ok(refused),
    };
    match gateway.cut_off_person(&owner.principal, &id).await {
        Ok(cut) => Ok(Answer::PersonChanged(format!(
            "{} is signed out everywhere ({} sessions), and no agent of theirs can call any more ({} agents, links and \
             requests went). Their connections stay, unused; `attache people remove` without --keep-connections revokes \
             and destroys them.",
            cut.name, cut.sessions, cut.records
        ))),
        Err(RemovePersonError::UnknownPerson) => Ok(unknown_person(person)),
        Err(RemovePersonError::IsOneself) => {
            let sentence = "this is the person of this machine, whom every start adds again";
            Ok(Answer::refused(RefusalKind::Failed, sentence))
        }
        Err(RemovePersonError::Fault(fault)) => Err(fault),
    }
}
