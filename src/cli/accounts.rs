//! `attache accounts`: which accounts calls may use, and which one they use by default.

use clap::{Args, Subcommand};
use serde_json::json;

use super::ask::{Form, ask, print, print_json, unexpected};
use super::{Failure, Places};
use crate::app::control::{AccountLine, Answer, Command};
use crate::config::Environment;

#[derive(Debug, Args)]
pub(super) struct AccountsOptions {
    #[command(subcommand)]
    action: Option<AccountAction>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum AccountAction {
    /// List the accounts that calls may use.
    List,
    /// Choose the account that calls use unless they mean another.
    Default {
        /// The service, as `attache connections` names it.
        service: String,
        /// The account, as the list names it.
        #[arg(required_unless_present = "none")]
        account: Option<String>,
        /// None: calls must say which account they mean.
        #[arg(long, conflicts_with = "account")]
        none: bool,
    },
}

/// `attache accounts`.
pub(super) fn run(options: AccountsOptions, environment: &Environment) -> Result<(), Failure> {
    let command = match options.action.unwrap_or(AccountAction::List) {
        AccountAction::List => Command::Accounts,
        AccountAction::Default {
            service, account, ..
        } => Command::DefaultAccount { service, account },
    };
    let json = options.form.json;
    match ask(options.places, environment, &command, options.form)? {
        Answer::Accounts(accounts) if json => print_json(&accounts),
        Answer::Accounts(accounts) => accounts.iter().try_for_each(|line| print(&words(line))),
        Answer::DefaultAccount(sentence) if json => print_json(&json!({ "message": sentence })),
        Answer::DefaultAccount(sentence) => print(&sentence),
        _ => Err(unexpected()),
    }
}

fn words(line: &AccountLine) -> String {
    let status = match line.status.as_str() {
        "connected" => "",
        "expired" => "  must be connected again",
        "damaged" if line.service.is_empty() => {
            return format!(
                "{:<16} damaged: not even its service can be read; remove it with `attache disconnect --damaged {}`",
                "?", line.connection
            );
        }
        "damaged" => "  damaged: must be connected again",
        other => other,
    };
    let workspace = match &line.workspace {
        Some(workspace) if !line.account.contains(workspace) => format!("  in {workspace}"),
        _ => String::new(),
    };
    let default = if line.default { "  default" } else { "" };
    format!(
        "{:<16} {}{workspace}{default}{status}",
        line.service, line.account
    )
}
