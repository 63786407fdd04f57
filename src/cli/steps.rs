//! What a newcomer is told when the program is ready.

use std::fmt::Write;

use crate::app::{Ready, ReadyState};

/// The steps of the demo, from an empty client to a tool that runs.
pub(super) fn demo(ready: &Ready) -> String {
    let mut text = format!(
        "\n\
         Attache is running, with the Sandbox as the service to connect.\n\n\
         1. Open this link once in your browser. It signs you in as Ana:\n     {}\n\n\
         2. Add Attache to your agent, for example:\n     {}\n\n\
         3. Ask the agent: \"Write the note `hello` with sandbox_create_note.\"\n     \
            It answers with a link. Open it, choose an account of the Sandbox, and allow it.\n\n\
         4. Ask again: the note is written. Your connections: {}\n",
        sign_in(ready),
        add_to_client(ready),
        ready.dashboard_url,
    );
    for other in ready.people.iter().skip(1) {
        let _ = write!(
            text,
            "\nA second person, to see that each has only their own ({}):\n     sign in: {}\n     agent token: {}\n",
            other.name,
            other.sign_in_url,
            other.agent_token.expose(),
        );
    }
    text
}

/// The steps after `attache serve`.
pub(super) fn serve(ready: &Ready) -> String {
    if let Some(problem) = &ready.problem {
        return troubled(ready, problem);
    }
    if ready.sign_in_url.is_none() {
        return format!(
            "\n\
             Attache is running, and people sign in with the issuer that you configured.\n\n\
             Their connections: {}\n\
             Their agents connect to: {}\n",
            ready.dashboard_url, ready.mcp_url,
        );
    }
    format!(
        "\n\
         Attache is running.\n\n\
         1. Open this link once in your browser. It signs you in:\n     {}\n\n\
         2. Add Attache to your agent, for example:\n     {}\n\n\
         Your connections: {}\n",
        sign_in(ready),
        add_to_client(ready),
        ready.dashboard_url,
    )
}

/// What there is to know while not everything works.
fn troubled(ready: &Ready, problem: &str) -> String {
    let means = match ready.state {
        ReadyState::Ready | ReadyState::NearlyFull => {
            "What is connected works, and nothing new can be begun."
        }
        ReadyState::Standby => "Until then every page and every agent is told so.",
    };
    format!(
        "\nAttache is listening at {}, and something is wrong:\n     {problem}\n{means}\n",
        ready.dashboard_url
    )
}

fn sign_in(ready: &Ready) -> &str {
    ready.sign_in_url.as_deref().unwrap_or_default()
}

fn add_to_client(ready: &Ready) -> String {
    format!(
        "claude mcp add --transport http attache {} --header \"Authorization: Bearer {}\"",
        ready.mcp_url,
        ready
            .agent_token
            .as_ref()
            .map_or("", |token| token.0.expose()),
    )
}
