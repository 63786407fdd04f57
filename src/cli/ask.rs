//! The commands that ask for something and end: how they are written, and how their answers are shown.

use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::arguments::{arguments, words};
use super::{Failure, Places, local};
use crate::app::control::{Answer, Command, ConnectionLine, NewAgent, ReceiptLine, Refusal};
use crate::base::secret::for_sealing as shown_once;
use crate::config::{Environment, Options};
use crate::identity::Role;

#[derive(Debug, Args)]
pub(super) struct ConnectionsOptions {
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

/// How results are shown.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Form {
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ConnectOptions {
    /// The service, as `attache connections` names it.
    service: String,
    #[command(flatten)]
    places: Places,
    /// Only print the link.
    #[arg(long)]
    no_browser: bool,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(super) struct DisconnectOptions {
    /// The service, as `attache connections` names it.
    #[arg(required_unless_present_any = ["all", "damaged"])]
    service: Option<String>,
    /// Disconnect everything of everybody, or less with --service and --person.
    #[arg(long, conflicts_with = "service")]
    all: bool,
    /// With --all: to this service alone.
    #[arg(long = "service", value_name = "SERVICE", requires = "all")]
    of_service: Option<String>,
    /// With --all: of this person alone, as `attache people` names them.
    #[arg(long, requires = "all")]
    person: Option<String>,
    /// Remove this one, which cannot be read, as `attache connections` names it.
    #[arg(long, value_name = "CONNECTION", conflicts_with_all = ["service", "all"])]
    damaged: Option<String>,
    /// With --damaged: really do it.
    #[arg(long, requires = "damaged")]
    yes: bool,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(super) struct CallOptions {
    /// The tool's name.
    tool: String,
    /// Arguments, each as NAME=VALUE.
    #[arg(value_name = "NAME=VALUE")]
    words: Vec<String>,
    /// All arguments as one JSON object: the JSON itself, @FILE, or - for stdin.
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    args: Option<String>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(super) struct ToolsOptions {
    /// Of this service alone.
    #[arg(long)]
    service: Option<String>,
    /// Show what the list costs an agent, in tokens for each service.
    #[arg(long, conflicts_with = "service")]
    context: bool,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(super) struct ReloadOptions {
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(super) struct PeopleOptions {
    #[command(subcommand)]
    action: Option<PeopleAction>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum PeopleAction {
    /// List everybody whom this gateway knows.
    List,
    /// Remove a person: disconnect and destroy everything of theirs.
    Remove {
        /// The person, as the list names them: identifier or name.
        person: String,
        /// Really do it.
        #[arg(long)]
        yes: bool,
        /// Only end their sessions and agents; they and their connections stay, unused.
        #[arg(long)]
        keep_connections: bool,
    },
    /// Say what a person may look after.
    Role {
        /// The person, as the list names them: identifier or name.
        person: String,
        /// admin or member.
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Sign a person out everywhere, at once.
    SignOut {
        /// The person, as the list names them: identifier or name.
        person: String,
    },
}

fn role(name: &str) -> Result<Role, String> {
    Role::named(name).ok_or_else(|| "there are admin and member".to_owned())
}

#[derive(Debug, Args)]
pub(super) struct OpenOptions {
    #[command(flatten)]
    places: Places,
    /// Print the link instead of opening it.
    #[arg(long)]
    print: bool,
}

/// `attache connections`.
pub(super) fn connections(
    options: ConnectionsOptions,
    environment: &Environment,
) -> Result<(), Failure> {
    let answer = ask(
        options.places,
        environment,
        &Command::Connections,
        options.form,
    )?;
    let Answer::Connections(lines) = answer else {
        return Err(unexpected());
    };
    if options.form.json {
        return print_json(&lines);
    }
    lines.iter().try_for_each(|line| print(&connection(line)))
}

fn connection(line: &ConnectionLine) -> String {
    if let Some(connection) = &line.connection {
        return format!(
            "{:<16} damaged: what is stored of it cannot be read, not even its service; remove it with `attache disconnect \
             --damaged {connection}`, and connect it again",
            "?"
        );
    }
    let status = match line.status.as_str() {
        "connected" => "connected",
        "expired" => "must be connected again",
        "disconnected" => "disconnected",
        "revoking" => "disconnected, and being revoked at the service",
        "not_offered" => "not offered any more",
        "not_connected" => "not connected",
        "not_set_up" => "not set up",
        "damaged" => "damaged: what is stored of it cannot be read; it must be connected again",
        other => other,
    };
    let account = line
        .account
        .as_ref()
        .map(|account| format!(" as {account}"))
        .unwrap_or_default();
    let default = if line.default { ", the default" } else { "" };
    let missing = match line.refused_scopes.as_slice() {
        [] => String::new(),
        refused => format!(" (not allowed: {})", refused.join(", ")),
    };
    let ends = match (line.renews_itself, &line.ends) {
        (_, Some(at)) => format!(", ends at {at}: `attache connect {}` before", line.service),
        (Some(true), None) => ", renews itself".to_owned(),
        _ => String::new(),
    };
    format!(
        "{:<16} {status}{account}{default}{missing}{ends}",
        line.service
    )
}

/// `attache connect`.
pub(super) fn connect(options: ConnectOptions, environment: &Environment) -> Result<(), Failure> {
    let command = Command::Connect {
        service: options.service,
    };
    let Answer::Link(link) = ask(options.places, environment, &command, options.form)? else {
        return Err(unexpected());
    };
    if options.form.json {
        print_json(&json!({ "connect_url": link }))?;
    } else {
        print(&link)?;
    }
    if !options.no_browser && io::stdout().is_terminal() {
        browse(&link)?;
        eprintln!("If the page asks you to sign in, run `attache open`.");
    }
    Ok(())
}

/// `attache disconnect`.
pub(super) fn disconnect(
    options: DisconnectOptions,
    environment: &Environment,
) -> Result<(), Failure> {
    let command = match (options.service, options.damaged) {
        (_, Some(connection)) if !options.yes => {
            return Err(Failure::new(format!(
                "this removes a connection that cannot be read, and its service is not told, since nobody knows any more \
                 which one it was; if you mean it, run `attache disconnect --damaged {connection} --yes`"
            )));
        }
        (_, Some(connection)) => Command::RemoveDamaged { connection },
        (Some(service), None) => Command::Disconnect { service },
        (None, None) => Command::DisconnectAll {
            service: options.of_service,
            person: options.person,
        },
    };
    let answer = ask(options.places, environment, &command, options.form)?;
    let Answer::Disconnected(lines) = answer else {
        return Err(unexpected());
    };
    if options.form.json {
        return print_json(&json!({ "disconnected": lines }));
    }
    receipts(&lines)
}

fn receipts(lines: &[ReceiptLine]) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| match &line.person {
        Some(person) => print(&format!("{person}: {}", line.sentence)),
        None => print(&line.sentence),
    })
}

/// `attache people`.
pub(super) fn people(options: PeopleOptions, environment: &Environment) -> Result<(), Failure> {
    let command = match options.action.unwrap_or(PeopleAction::List) {
        PeopleAction::List => Command::People,
        PeopleAction::Role { person, role } => Command::PersonRole { person, role },
        PeopleAction::SignOut { person } => Command::SignOutPerson { person },
        PeopleAction::Remove {
            person,
            yes,
            keep_connections,
        } if yes || keep_connections => Command::RemovePerson {
            person,
            keep_connections,
        },
        PeopleAction::Remove { person, .. } => {
            return Err(Failure::new(format!(
                "this disconnects and destroys everything that {person} has here, and cannot be undone; if you mean it, \
                 run `attache people remove {person} --yes`"
            )));
        }
    };
    let json = options.form.json;
    match ask(options.places, environment, &command, options.form)? {
        Answer::People(people) if json => print_json(&people),
        Answer::People(people) => people.iter().try_for_each(|person| {
            let name = if person.damaged {
                "(cannot be read)"
            } else {
                &person.name
            };
            let damaged = match person.damaged_connections {
                0 => String::new(),
                count => format!(", {count} damaged"),
            };
            let role = person.role.as_deref().unwrap_or("?");
            print(&format!(
                "{}  {role:<6}  {name:<24} {} connected{damaged}",
                person.id, person.connections
            ))
        }),
        Answer::PersonChanged(sentence) if json => print_json(&json!({ "done": sentence })),
        Answer::PersonChanged(sentence) => print(&sentence),
        Answer::PersonRemoved(departed) if json => print_json(&departed),
        Answer::PersonRemoved(departed) => {
            receipts(&departed.connections)?;
            if !departed.unreadable.is_empty() {
                eprintln!(
                    "These records cannot be read, so nobody knows whose they are; they are left as they are: {}",
                    departed.unreadable.join(", ")
                );
            }
            print(&format!(
                "{} is removed, with everything of theirs.",
                departed.name
            ))?;
            departed.key.iter().try_for_each(|key| print(key))
        }
        _ => Err(unexpected()),
    }
}

/// `attache call`.
pub(super) fn call(options: CallOptions, environment: &Environment) -> Result<(), Failure> {
    let command = Command::Call {
        tool: options.tool,
        arguments: arguments(options.args.as_deref())?,
        words: words(&options.words)?,
    };
    let answer = ask(options.places, environment, &command, options.form)?;
    let Answer::Output { text, structured } = answer else {
        return Err(unexpected());
    };
    if options.form.json {
        return print_json(&json!({ "text": text, "structured": structured }));
    }
    print(&text)
}

/// `attache tools`.
pub(super) fn tools(options: ToolsOptions, environment: &Environment) -> Result<(), Failure> {
    if options.context {
        return context(options, environment);
    }
    let command = Command::Tools {
        service: options.service,
    };
    let Answer::Tools(tools) = ask(options.places, environment, &command, options.form)? else {
        return Err(unexpected());
    };
    if options.form.json {
        return print_json(&tools);
    }
    if tools.is_empty() {
        eprintln!(
            "There are no tools: no service is set up. See the Connections page: `attache open`."
        );
    }
    tools
        .iter()
        .try_for_each(|tool| print(&format!("{:<32} {}", tool.name, tool.title)))
}

/// More tools than this make a list that some clients cut: VS Code takes 128 per request.
const MANY_TOOLS: usize = 100;

/// `attache tools --context`.
fn context(options: ToolsOptions, environment: &Environment) -> Result<(), Failure> {
    let answer = ask(options.places, environment, &Command::Context, options.form)?;
    let Answer::Context(bill) = answer else {
        return Err(unexpected());
    };
    if bill.tools > MANY_TOOLS {
        eprintln!(
            "{} tools are many: some clients take no more than 128. Offer some services alone, with /mcp/SERVICE or \
             `attache stdio --service SERVICE`.",
            bill.tools
        );
    }
    if options.form.json {
        return print_json(&bill);
    }
    for line in &bill.services {
        print(&format!(
            "{:<16} {:>4} tools {:>7} tokens",
            line.service, line.tools, line.tokens
        ))?;
    }
    print(&format!(
        "{:<16} {:>4} tools {:>7} tokens ({})",
        "all", bill.tools, bill.tokens, bill.tokenizer
    ))
}

/// `attache reload`.
pub(super) fn reload(options: ReloadOptions, environment: &Environment) -> Result<(), Failure> {
    let answer = ask(options.places, environment, &Command::Reload, options.form)?;
    let Answer::Reloaded { services, tools } = answer else {
        return Err(unexpected());
    };
    if options.form.json {
        return print_json(&json!({ "services": services, "tools": tools }));
    }
    print(&format!(
        "The provider files were read again: {services} services with {tools} tools are set up."
    ))
}

/// The one sight of a token.
pub(super) fn new_agent(agent: &NewAgent, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(agent);
    }
    let token = shown_once::serialize(&agent.token, serde_json::value::Serializer)?;
    eprintln!(
        "{} ({}) connects to {} with this token. It is shown this once:",
        agent.name, agent.id, agent.mcp_url
    );
    print(token.as_str().unwrap_or_default())
}

/// `attache open`.
pub(super) fn open(options: OpenOptions, environment: &Environment) -> Result<(), Failure> {
    let form = Form { json: false };
    let Answer::Link(link) = ask(options.places, environment, &Command::Open, form)? else {
        return Err(unexpected());
    };
    if options.print || !io::stdout().is_terminal() {
        return print(&link);
    }
    browse(&link)?;
    eprintln!("Your browser opens, signed in.");
    Ok(())
}

/// The answer, when it is not a refusal.
pub(super) fn ask(
    places: impl Into<Options>,
    environment: &Environment,
    command: &Command,
    form: Form,
) -> Result<Answer, Failure> {
    let options = places.into();
    match local::ask(&options, environment, command)? {
        Answer::Refused(refusal) => Err(refused(refusal, form)?),
        answer => Ok(answer),
    }
}

fn refused(refusal: Refusal, form: Form) -> Result<Failure, Failure> {
    if form.json {
        print_json(&refusal)?;
    }
    Ok(refusal.into())
}

fn browse(link: &str) -> Result<(), Failure> {
    open::that_detached(link).map_err(|error| {
        Failure::new(format!(
            "no browser could be opened ({error}); open this yourself: {link}"
        ))
    })
}

pub(super) fn unexpected() -> Failure {
    Failure::new(
        "the running gateway answered something else than was asked; it is of another version: restart it",
    )
}

pub(super) fn print_json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(value)?)
}

/// A result, on stdout. A reader that has seen enough is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
