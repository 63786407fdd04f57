//! The commands about accounts: which there are, and which one is used by default.

use super::run::unknown_service;
use super::{AccountLine, Answer, RefusalKind};
use crate::connection::{ExpiredReason, Status};
use crate::gateway::{ConnectionView, DefaultAccountError, Fault, Gateway, ServiceView};
use crate::identity::Caller;

/// Every account that calls may mean.
pub(super) async fn list(gateway: &Gateway, owner: &Caller) -> Result<Answer, Fault> {
    let views = gateway.connections(&owner.principal).await?;
    let mut lines: Vec<_> = views.iter().flat_map(lines).collect();
    lines.sort_by(|one, other| one.service.cmp(&other.service));
    let damaged = gateway.damaged_connections(&owner.principal).await?;
    let reason = ExpiredReason::Damaged;
    lines.extend(damaged.iter().map(|one| AccountLine {
        service: String::new(),
        account: String::new(),
        workspace: None,
        status: Status::Expired { reason }.word().to_owned(),
        default: false,
        connection: one.connection.to_string(),
    }));
    Ok(Answer::Accounts(lines))
}

fn lines(view: &ServiceView) -> Vec<AccountLine> {
    let line = |(name, found): (String, &ConnectionView)| AccountLine {
        service: view.service.id().to_owned(),
        account: name,
        workspace: found.connection.account.workspace.clone(),
        status: found.connection.status.word().to_owned(),
        default: found.is_default,
        connection: found.connection.id.to_string(),
    };
    view.named_choices().into_iter().map(line).collect()
}

/// Makes `account` the default of `service`, or none.
pub(super) async fn set_default(
    gateway: &Gateway,
    owner: &Caller,
    service: &str,
    account: Option<&str>,
) -> Result<Answer, Fault> {
    let views = gateway.connections(&owner.principal).await?;
    let Some(view) = views.iter().find(|view| view.service.id() == service) else {
        return Ok(unknown_service(gateway, service));
    };
    let chosen = match account {
        Some(account) => choose(gateway, owner, view, account).await,
        None => choose_none(gateway, owner, view).await,
    };
    match chosen {
        Ok(sentence) => Ok(Answer::DefaultAccount(sentence)),
        Err(DefaultAccountError::Fault(fault)) => Err(fault),
        Err(refusal) => {
            let sentence = refusal.sentence(view.service.provider.name(), &owner.principal.name);
            Ok(Answer::refused(RefusalKind::Usage, sentence))
        }
    }
}

async fn choose(
    gateway: &Gateway,
    owner: &Caller,
    view: &ServiceView,
    account: &str,
) -> Result<String, DefaultAccountError> {
    let id = view.find_account(account)?;
    let connection = gateway.set_default_account(&owner.principal, &id).await?;
    Ok(format!(
        "Calls use {} at {} unless they mean another account.",
        connection.account.label,
        view.service.provider.name(),
    ))
}

async fn choose_none(
    gateway: &Gateway,
    owner: &Caller,
    view: &ServiceView,
) -> Result<String, DefaultAccountError> {
    if let Some(default) = view.default() {
        gateway
            .clear_default_account(&owner.principal, &default.id)
            .await?;
    }
    Ok(format!(
        "No account at {} is used by default.",
        view.service.provider.name()
    ))
}
