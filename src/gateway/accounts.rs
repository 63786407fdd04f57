//! Which of a person's accounts at one service a call uses.
//!
//! The choices are the accounts that are not disconnected. What decides, first to last:
//!
//! 1. the `account` argument of the call: an account's name, its identifier at the provider, or the connection's. What
//!    fits no account is refused with those there are; a disconnected account can be named too, and gets a link;
//! 2. the account rules of the provider file, which compare other arguments with an account's fields;
//! 3. the account that the person has made the default;
//! 4. being the only choice.
//!
//! Where none of them decides, the call is refused with the choices. When an account was connected never decides: who
//! adds a private account must not find that agents have begun to write there.
//!
//! An expired account stays a choice, for the same reason: a call that would have used it gets a link to mend it, and
//! does not slip to another account because the first one needs attention.

mod which_account;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use which_account::{AccountChoice, Unclear, WhichAccount};

use super::{DamagedConnection, Fault, Gateway, MissingReason, Service};
use crate::base::{ConnectionId, PersonId};
use crate::catalogue::{
    ACCOUNT_ARGUMENT, AccountRule, ArgumentProblem, InvalidArguments, Tool, plain, same,
};
use crate::connection::{Connection, Status};
use crate::store::Record;

/// What a call says about the account that it wants to use.
pub(super) struct Wanted<'a> {
    account: Option<String>,
    tenant: Option<String>,
    arguments: Cow<'a, Map<String, Value>>,
}

/// The accounts of a person at a service where there are several to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// What the `account` argument takes, in a fixed order.
    pub names: Vec<String>,
    /// The one of them that is used unless a call means another.
    pub default: Option<String>,
}

/// By service, those alone where a person has several accounts to choose from.
pub type AccountChoices = BTreeMap<String, Accounts>;

impl Wanted<'static> {
    /// No call: whatever the person uses without being asked.
    pub(super) fn anything() -> Self {
        Self {
            account: None,
            tenant: None,
            arguments: Cow::Owned(Map::new()),
        }
    }
}

impl<'a> Wanted<'a> {
    /// Takes the account and the tenant out of what a caller gave: the rest is the tool's. Null and an empty text count as
    /// absent, as many clients send what is optional.
    ///
    /// # Errors
    /// When one of them is neither a text nor a number.
    pub(super) fn of(tool: &Tool, given: &'a Map<String, Value>) -> Result<Self, InvalidArguments> {
        let mut arguments = Cow::Borrowed(given);
        let mut take = |argument: &str| {
            let Some(said) = given.get(argument) else {
                return Ok(None);
            };
            arguments.to_mut().shift_remove(argument);
            let said = match said {
                Value::Null => None,
                said => Some(plain(said).ok_or_else(|| not_a_name(tool, argument))?),
            };
            let said = said.map(|said| said.trim().to_owned());
            Ok(said.filter(|said| !said.is_empty()))
        };
        let account = take(ACCOUNT_ARGUMENT)?;
        let tenant = tool.tenant_argument().map_or(Ok(None), take)?;
        Ok(Self {
            account,
            tenant,
            arguments,
        })
    }

    /// The tenant that the caller names.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The arguments that are the tool's own.
    pub(super) fn arguments(&self) -> &Map<String, Value> {
        &self.arguments
    }
}

fn not_a_name(tool: &Tool, argument: &str) -> InvalidArguments {
    InvalidArguments {
        tool: tool.name().to_owned(),
        problems: vec![ArgumentProblem {
            argument: argument.to_owned(),
            message: "it is a name, which is a text".to_owned(),
        }],
    }
}

impl Gateway {
    /// The connection with which `person` acts at `service` for such a call, or why there is none. It is active; whether
    /// its credential still works is another question.
    pub(super) async fn chosen_connection(
        &self,
        person: &PersonId,
        service: &Service,
        wanted: &Wanted<'_>,
    ) -> Result<Result<Record<Connection>, MissingReason>, Fault> {
        let (mut known, damaged) = self.all_connections_of(person).await?;
        known.retain(|record| record.value.service == service.id());
        if self
            .means_damaged(person, service, &damaged, wanted)
            .await?
        {
            return Ok(Err(MissingReason::Unreadable));
        }
        let chosen = match self.choose(person, service, &known, wanted).await? {
            Ok(chosen) => chosen,
            Err(MissingReason::NotConnected | MissingReason::Disconnected)
                if !damaged.is_empty() =>
            {
                return Ok(Err(MissingReason::Unreadable));
            }
            Err(reason) => return Ok(Err(reason)),
        };
        let record = known.swap_remove(chosen);
        Ok(match record.value.status {
            Status::Active => Ok(record),
            Status::Expired { reason } => Err(MissingReason::Expired(reason)),
            Status::Revoked { .. } => Err(MissingReason::Disconnected),
        })
    }

    /// Whether such a call would use a connection that cannot be read: it names none, and that one is the default. It does
    /// not slip to another account for that.
    async fn means_damaged(
        &self,
        person: &PersonId,
        service: &Service,
        damaged: &[DamagedConnection],
        wanted: &Wanted<'_>,
    ) -> Result<bool, Fault> {
        if damaged.is_empty() || wanted.account.is_some() {
            return Ok(false);
        }
        let default = self.default_account(person, service.id()).await?;
        Ok(default.is_some_and(|default| damaged.iter().any(|one| one.connection == default)))
    }

    /// The account that such a call means, whatever its status, and whether the person has others there; none where
    /// nothing decides.
    pub(super) async fn expected_connection(
        &self,
        person: &PersonId,
        service: &Service,
        wanted: &Wanted<'_>,
    ) -> Result<Option<(Connection, bool)>, Fault> {
        let mut known = self.connections_to(person, service.id()).await?;
        let has_others = known.len() > 1;
        let chosen = self.choose(person, service, &known, wanted).await?;
        Ok(chosen
            .ok()
            .map(|chosen| (known.swap_remove(chosen).value, has_others)))
    }

    async fn choose(
        &self,
        person: &PersonId,
        service: &Service,
        known: &[Record<Connection>],
        wanted: &Wanted<'_>,
    ) -> Result<Result<usize, MissingReason>, Fault> {
        let default = if known.len() > 1 {
            self.default_account(person, service.id()).await?
        } else {
            None
        };
        let known: Vec<_> = known.iter().map(|record| &record.value).collect();
        let rules = service.provider.account_rules();
        let chosen = choose(&known, rules, default.as_ref(), wanted);
        Ok(chosen.map(|chosen| {
            let place = known.iter().position(|one| one.id == chosen.id);
            place.unwrap_or_default()
        }))
    }

    /// Where `person` has several accounts to choose from, and which. Reads the store and asks nobody else.
    ///
    /// # Errors
    /// [`Fault`] when the store fails.
    pub async fn account_choices(&self, person: &PersonId) -> Result<AccountChoices, Fault> {
        let known = self.connections_of(person).await?;
        let mut by_service = BTreeMap::<&str, Vec<&Connection>>::new();
        for connection in known.iter().map(|record| &record.value) {
            if connection.is_choice() {
                let of_service = by_service.entry(&connection.service).or_default();
                of_service.push(connection);
            }
        }
        by_service.retain(|_, choices| choices.len() > 1);
        if by_service.is_empty() {
            return Ok(AccountChoices::new());
        }
        let defaults = self.default_accounts(person).await?;
        let accounts = |(service, choices): (&str, Vec<&Connection>)| {
            let names = names(&choices);
            let default = defaults.get(service);
            let place = choices.iter().position(|one| Some(&one.id) == default);
            let default = place.map(|place| names[place].clone());
            (service.to_owned(), Accounts { names, default })
        };
        Ok(by_service.into_iter().map(accounts).collect())
    }
}

/// The account that a call means. `default` may name one that is not among `known`.
fn choose<'c>(
    known: &[&'c Connection],
    rules: &[AccountRule],
    default: Option<&ConnectionId>,
    wanted: &Wanted<'_>,
) -> Result<&'c Connection, MissingReason> {
    if let Some(said) = &wanted.account {
        return named(known, said);
    }
    let (choices, gone): (Vec<_>, Vec<_>) = known.iter().copied().partition(|one| one.is_choice());
    match (choices.as_slice(), gone.as_slice()) {
        ([], []) => Err(MissingReason::NotConnected),
        ([only], _) | ([], [only]) => Ok(only),
        ([], _) => Err(MissingReason::Disconnected),
        (several, _) => match meant_by_rules(several, rules, wanted.arguments()).as_slice() {
            [one] => Ok(one),
            several => {
                let default = several.iter().find(|one| Some(&one.id) == default);
                default
                    .copied()
                    .ok_or_else(|| WhichAccount::among(several, Unclear::NotSaid))
            }
        },
    }
}

/// The account with this name, among those of use first.
pub(super) fn named<'c>(
    known: &[&'c Connection],
    said: &str,
) -> Result<&'c Connection, MissingReason> {
    let (choices, gone): (Vec<_>, Vec<_>) = known.iter().copied().partition(|one| one.is_choice());
    let equal: fn(&str, &str) -> bool = |one, other| one == other;
    for (among, alike) in [
        (&choices, equal),
        (&choices, same),
        (&gone, equal),
        (&gone, same),
    ] {
        match fitting(among, said, alike).as_slice() {
            [] => {}
            [one] => return Ok(one),
            several => {
                return Err(WhichAccount::among(
                    several,
                    Unclear::Several(said.to_owned()),
                ));
            }
        }
    }
    match (choices.as_slice(), gone.as_slice()) {
        ([], []) => Err(MissingReason::NotConnected),
        ([], _) => Err(MissingReason::Disconnected),
        (choices, _) => Err(WhichAccount::among(
            choices,
            Unclear::Unknown(said.to_owned()),
        )),
    }
}

fn fitting<'c>(
    among: &[&'c Connection],
    said: &str,
    alike: fn(&str, &str) -> bool,
) -> Vec<&'c Connection> {
    let named = names(among).into_iter().zip(among);
    let fits = |(name, one): &(String, &&Connection)| {
        alike(name, said)
            || alike(&one.account.label, said)
            || alike(&one.account.id, said)
            || alike(one.id.as_str(), said)
    };
    named.filter(fits).map(|(_, one)| *one).collect()
}

/// Those that the first rule finds that finds any; all where none does.
fn meant_by_rules<'c>(
    choices: &[&'c Connection],
    rules: &[AccountRule],
    arguments: &Map<String, Value>,
) -> Vec<&'c Connection> {
    let meant = |rule: &AccountRule| -> Vec<_> {
        let means = |one: &&&Connection| rule.means(&one.account, arguments);
        choices.iter().filter(means).copied().collect()
    };
    let mut found = rules.iter().map(meant);
    found
        .find(|found| !found.is_empty())
        .unwrap_or_else(|| choices.to_vec())
}

/// A name for each account that no other of them has: its label, with as much behind it as that takes.
pub(super) fn names(accounts: &[&Connection]) -> Vec<String> {
    let forms: [fn(&Connection) -> String; 3] = [
        |one| one.account.label.clone(),
        |one| match &one.account.workspace {
            Some(workspace) => format!("{} ({workspace})", one.account.label),
            None => one.account.label.clone(),
        },
        |one| format!("{} ({})", one.account.label, one.account.id),
    ];
    let name = |one: &&Connection| {
        let alone = |form: &&fn(&Connection) -> String| {
            let name = form(one);
            let alike = accounts.iter().filter(|other| same(&form(other), &name));
            alike.count() == 1
        };
        let form = forms.iter().find(alone);
        form.map_or_else(|| one.id.to_string(), |form| form(one))
    };
    accounts.iter().map(name).collect()
}

#[cfg(test)]
mod tests;
