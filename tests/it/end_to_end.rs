//! The main job with real parts: the program as a process, the official Python SDK and the MCP Inspector as clients,
//! Chromium clicking through link, sign-in, consent and return page, the Sandbox as the service.

use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::clients::{Era, OnLink, PythonSdk, Session, inspect, inspect_over_stdio};
use crate::support::machine::Machine;
use crate::support::program::Program;

/// Signs a person in at the gateway.
async fn sign_in(browser: &Browser, demo: &Program, person: usize) {
    browser
        .goto(demo.text(&format!("/people/{person}/sign_in_url")))
        .await;
    browser.wait_for("#who").await;
}

/// Follows a connect link to the return page, as the account `account` of the Sandbox.
async fn connect(browser: &Browser, link: &str, account: &str) {
    browser.goto(link).await;
    browser.click("#continue").await;
    browser.click(&format!("#account-{account}")).await;
    browser.click("#allow").await;
    browser.wait_for("#connected").await;
    assert!(
        browser
            .text("#connected")
            .await
            .contains(&format!("{account}@sandbox.example"))
    );
}

/// Follows a connect link of somebody who is signed in at the Sandbox already.
async fn allow_more(browser: &Browser, link: &str) {
    browser.goto(link).await;
    browser.click("#continue").await;
    browser.click("#allow").await;
    browser.wait_for("#connected").await;
}

/// The link in what a client was told in words.
fn link_in(seen: &Value) -> String {
    let text = seen["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text in {seen:#}"));
    let start = text
        .find("http")
        .unwrap_or_else(|| panic!("no link in {text}"));
    text[start..].split_whitespace().next().unwrap().to_owned()
}

fn note(seen: &Value) -> Value {
    assert_ne!(seen["result"]["isError"], json!(true), "{seen:#}");
    serde_json::from_str(seen["result"]["content"][0]["text"].as_str().unwrap()).unwrap()
}

fn sdk(demo: &Program, person: usize) -> Option<PythonSdk> {
    PythonSdk::over_http(
        demo.text("/mcp_url"),
        demo.text(&format!("/people/{person}/agent_token")),
    )
}

/// A client that opens links: the call stops at the link, the person connects, the same call goes on.
async fn finish_after_link(mut session: Session, browser: &Browser, account: &str) -> Value {
    let link = session.shown_link().await;
    connect(browser, &link, account).await;
    session.link_was_used();
    session.finished().await
}

#[tokio::test]
async fn a_modern_client_is_asked_connects_and_its_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let (Some(browser), Some(client)) = (Browser::start().await, sdk(&demo, 0)) else {
        return;
    };
    sign_in(&browser, &demo, 0).await;
    let session = client
        .on_link(OnLink::Accept)
        .call("sandbox_create_note", &json!({ "text": "hello" }));
    let seen = finish_after_link(session, &browser, "ana").await;
    assert_eq!(seen["protocol_version"], "2026-07-28");
    assert_eq!(note(&seen)["text"], "hello");
}

#[tokio::test]
async fn a_client_of_2025_gets_the_error_with_the_link_and_its_second_call_runs() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let (Some(browser), Some(client)) = (Browser::start().await, sdk(&demo, 0)) else {
        return;
    };
    sign_in(&browser, &demo, 0).await;
    let client = client.era(Era::Legacy).on_link(OnLink::Accept);
    let session = client.call("sandbox_create_note", &json!({ "text": "hello" }));
    let seen = finish_after_link(session, &browser, "ana").await;
    assert_eq!(seen["protocol_version"], "2025-11-25");
    assert_eq!(seen["link_error"]["code"], -32042);
    let message = seen["link_error"]["message"].as_str().unwrap();
    assert!(
        message.contains("/connect/"),
        "the message holds the link: {message}"
    );
    assert_eq!(note(&seen)["text"], "hello");
}

#[tokio::test]
async fn a_client_that_cannot_open_links_is_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    sign_in(&browser, &demo, 0).await;
    for (era, on_link) in [
        (Era::Modern, OnLink::None),
        (Era::Legacy, OnLink::None),
        (Era::Legacy20250618, OnLink::Accept),
    ] {
        let Some(client) = sdk(&demo, 0) else { return };
        let seen = client
            .era(era)
            .on_link(on_link)
            .call("sandbox_whoami", &json!({}))
            .finished()
            .await;
        assert_eq!(seen["result"]["isError"], json!(true), "{era:?}: {seen:#}");
        let link = link_in(&seen);
        assert_eq!(
            seen["result"]["structuredContent"]["connect_url"],
            json!(link),
            "{era:?}"
        );
    }
    let Some(client) = sdk(&demo, 0) else { return };
    let link = link_in(&client.call("sandbox_whoami", &json!({})).finished().await);
    connect(&browser, &link, "ana").await;
    let Some(client) = sdk(&demo, 0) else { return };
    let seen = client
        .era(Era::Legacy20250618)
        .call("sandbox_whoami", &json!({}))
        .finished()
        .await;
    assert_eq!(note(&seen)["email"], "ana@sandbox.example");
}

/// Ana and Ben side by side; and Ben opens a link that was made for Ana.
#[tokio::test]
async fn two_people_side_by_side_see_only_their_own_notes() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let (Some(anas), Some(bens)) = (Browser::start().await, Browser::start().await) else {
        return;
    };
    sign_in(&anas, &demo, 0).await;
    sign_in(&bens, &demo, 1).await;

    let Some(client) = sdk(&demo, 0) else { return };
    let link = link_in(
        &client
            .call("sandbox_create_note", &json!({ "text": "from ana" }))
            .finished()
            .await,
    );
    bens.goto(&link).await;
    bens.wait_for("#error").await;
    assert!(bens.text("#error").await.contains("for someone else"));
    let Some(client) = sdk(&demo, 1) else { return };
    let bens_link = link_in(
        &client
            .call("sandbox_create_note", &json!({ "text": "from ben" }))
            .finished()
            .await,
    );

    connect(&anas, &link, "ana").await;
    connect(&bens, &bens_link, "ben").await;
    for (person, text) in [(0, "from ana"), (1, "from ben")] {
        let Some(client) = sdk(&demo, person) else {
            return;
        };
        note(
            &client
                .call("sandbox_create_note", &json!({ "text": text }))
                .finished()
                .await,
        );
    }
    // What writes was allowed, and no more: to read takes another link.
    for (person, browser) in [(0, &anas), (1, &bens)] {
        let Some(client) = sdk(&demo, person) else {
            return;
        };
        let refused = client.call("sandbox_list_notes", &json!({}));
        let link = link_in(&refused.finished().await);
        allow_more(browser, &link).await;
    }
    for (person, own, other) in [(0, "from ana", "from ben"), (1, "from ben", "from ana")] {
        let Some(client) = sdk(&demo, person) else {
            return;
        };
        let notes = note(
            &client
                .call("sandbox_list_notes", &json!({}))
                .finished()
                .await,
        )
        .to_string();
        assert!(notes.contains(own) && !notes.contains(other), "{notes}");
    }
}

/// kill -9 right after the return page: the connection is there after the restart.
#[tokio::test]
async fn a_connection_survives_kill_9_right_after_the_return_page() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let (Some(browser), Some(client)) = (Browser::start().await, sdk(&demo, 0)) else {
        return;
    };
    sign_in(&browser, &demo, 0).await;
    let link = link_in(&client.call("sandbox_whoami", &json!({})).finished().await);
    connect(&browser, &link, "ana").await;
    demo.kill();
    let demo = Program::demo(folder.path()).await;
    let Some(client) = sdk(&demo, 0) else { return };
    let seen = client.call("sandbox_whoami", &json!({})).finished().await;
    assert_eq!(note(&seen)["email"], "ana@sandbox.example");
}

#[tokio::test]
async fn the_inspector_lists_and_calls() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let (url, token) = (demo.text("/mcp_url"), demo.text("/agent_token"));
    let Some(listed) = inspect(url, token, &["--method", "tools/list", "--strict"]).await else {
        return;
    };
    assert_eq!(listed.status, 0, "{:?}", listed.output);
    let tools = listed.output.unwrap()["tools"].as_array().unwrap().len();
    assert_eq!(tools, 5 + 2, "the sandbox's and Attache's own");

    let call = [
        "--method",
        "tools/call",
        "--tool-name",
        "sandbox_whoami",
        "--protocol-era",
        "modern",
    ];
    let Some(browser) = Browser::start().await else {
        return;
    };
    let Some(client) = sdk(&demo, 0) else { return };
    let link = link_in(&client.call("sandbox_whoami", &json!({})).finished().await);
    sign_in(&browser, &demo, 0).await;
    connect(&browser, &link, "ana").await;
    let Some(called) = inspect(url, token, &call).await else {
        return;
    };
    assert_eq!(called.status, 0, "{:?}", called.output);
    assert!(
        called
            .output
            .unwrap()
            .to_string()
            .contains("ana@sandbox.example")
    );
}

/// Over stdio, in both eras: through the bridge and the gateway that it starts, with the Sandbox as another process.
#[tokio::test]
async fn the_same_over_stdio() {
    let machine = Machine::new();
    let Some(browser) = Browser::start().await else {
        return;
    };
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let callback = format!("{origin}/oauth/callback/sandbox");
    let sandbox = Program::start(&["sandbox", "--redirect-url", &callback]).await;
    let config = machine.folder().join("attache.toml");
    std::fs::write(&config, stdio_config(&sandbox, port, &machine.data_dir())).unwrap();
    let config = config.to_str().unwrap();
    let binary = crate::support::environment::binary();
    let server = [binary.to_str().unwrap(), "stdio", "--config", config];

    let mut connected = false;
    for (era, version) in [(Era::Modern, "2026-07-28"), (Era::Legacy, "2025-11-25")] {
        let Some(client) = PythonSdk::over_stdio(&server, &[]) else {
            return;
        };
        let session = client
            .era(era)
            .on_link(OnLink::Accept)
            .call("sandbox_create_note", &json!({ "text": version }));
        let seen = if connected {
            session.finished().await
        } else {
            let mut session = session;
            let link = session.shown_link().await;
            let sign_in = machine.run(&["open", "--print", "--config", config]);
            browser.goto(sign_in.stdout.trim()).await;
            browser.wait_for("#who").await;
            connect(&browser, &link, "ana").await;
            connected = true;
            session.link_was_used();
            session.finished().await
        };
        assert_eq!(seen["protocol_version"], version);
        assert_eq!(note(&seen)["text"], version);
    }
    let environment = format!("ATTACHE_CONFIG={config}");
    for era in ["modern", "legacy"] {
        let call = [
            "--method",
            "tools/call",
            "--tool-name",
            "sandbox_whoami",
            "--protocol-era",
            era,
        ];
        let Some(called) = inspect_over_stdio(&server[..2], &[&environment], &call).await else {
            return;
        };
        assert_eq!(called.status, 0, "{era}: {:?}", called.output);
        let output = called.output.unwrap().to_string();
        assert!(output.contains("ana@sandbox.example"), "{era}: {output}");
    }
    assert_eq!(machine.gateways(), 1);
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn stdio_config(sandbox: &Program, port: u16, data_dir: &std::path::Path) -> String {
    let sandbox_port = sandbox.text("/sandbox_url").rsplit(':').next().unwrap();
    format!(
        "bind = '127.0.0.1:{port}'\ndata_dir = '{}'\n\
         [egress]\ndangerously_allow_loopback = ['localhost:{sandbox_port}']\n\
         [services.sandbox]\nclient_id = '{}'\nclient_secret = '{}'\nvariables = {{ port = '{sandbox_port}' }}\n",
        data_dir.display(),
        sandbox.text("/client_id"),
        sandbox.text("/client_secret"),
    )
}
