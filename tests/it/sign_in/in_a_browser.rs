//! Signing in with real parts: the program as a process, oidc-provider as the issuer, Chromium.

use std::process::Command;

use crate::support::browser::Browser;
use crate::support::environment;
use crate::support::process::Process;
use crate::support::program::{Program, command, end};

const SECRET: &str = "a secret of thirty-two characters";

/// oidc-provider, until it is dropped. `None` when the clients are not installed.
async fn issuer(redirect_uri: &str) -> Option<(Process, String)> {
    let clients = environment::clients()?;
    let mut command = Command::new(clients.join("node"));
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/oidc_issuer.mjs"
        ))
        .arg(&clients)
        .args([redirect_uri, "attache", SECRET]);
    let mut process = Process::start(command);
    let url = process.next_line().await.expect("it says where it is");
    Some((process, url))
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Signs in on the pages of the issuer, from the page of Attache that asks for it.
async fn sign_in(browser: &Browser, name: &str) {
    browser.click("#sign-in-with-issuer").await;
    browser.fill("input[name=login]", name).await;
    browser.fill("input[name=password]", "any").await;
    browser.click("button[type=submit]").await;
    browser.wait_for("input[name=prompt][value=consent]").await;
    browser.click("button[type=submit]").await;
}

#[tokio::test]
async fn people_sign_in_with_a_real_issuer_and_out_everywhere() {
    let origin = format!("http://127.0.0.1:{}", free_port());
    let Some((_issuer, url)) = issuer(&format!("{origin}/sign-in/callback")).await else {
        return;
    };
    let (Some(anas), Some(others)) = (Browser::start().await, Browser::start().await) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (
        folder.path().join("attache.toml"),
        folder.path().join("data"),
    );
    let bind = origin.trim_start_matches("http://");
    let authority = url.trim_start_matches("http://");
    let config = format!(
        "mode = 'team'\nbind = '{bind}'\npublic_url = '{origin}'\ndata_dir = '{}'\n\
         [sign_in]\nissuer = '{url}'\nclient_id = 'attache'\nname = 'Acme ID'\nmember_groups = ['staff']\n\
         [egress]\ndangerously_allow_loopback = ['{authority}']\n",
        data.display()
    );
    std::fs::write(&file, config).unwrap();
    let file = file.to_str().unwrap();
    let secret = [("ATTACHE_SIGN_IN_CLIENT_SECRET", SECRET)];
    let gateway = Program::start_with(&["serve", "--json", "--config", file], &secret).await;
    for missing in ["/sign_in_url", "/agent_token"] {
        assert!(gateway.ready.pointer(missing).is_none(), "{missing}");
    }

    anas.goto(&format!("{origin}/connections")).await;
    sign_in(&anas, "ana").await;
    assert_eq!(anas.text("#who").await, "ana of Acme");
    assert_eq!(anas.url().await.path(), "/connections");

    others.goto(&format!("{origin}/connections")).await;
    sign_in(&others, "mallory").await;
    assert!(others.text("#error").await.contains("none of the groups"));

    let people = |arguments: &[&str]| {
        let arguments = [arguments, &["--config", file]].concat();
        let ended = end(command(&arguments).envs(secret));
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        ended.stdout
    };
    let listed = people(&["people"]);
    assert!(
        listed.contains("ana of Acme") && !listed.contains("mallory"),
        "{listed}"
    );
    let done = people(&["people", "role", "ana of Acme", "admin"]);
    assert!(done.contains("is an admin"), "{done}");
    assert!(people(&["people"]).contains("admin   ana of Acme"));

    // On the page itself, then by a command.
    anas.click("footer a").await;
    anas.click("#sign-out-everywhere").await;
    anas.click("#sign-in-with-issuer").await;
    // The issuer still knows her, and asks nothing.
    assert_eq!(anas.text("#who").await, "ana of Acme");
    let done = people(&["people", "sign-out", "ana of Acme"]);
    assert!(done.contains("1 session ended"), "{done}");
    anas.goto(&format!("{origin}/connections")).await;
    anas.wait_for("#sign-in-with-issuer").await;
    let (printed, status) = gateway.terminate().await;
    assert!(printed.is_empty() && status == 0, "{printed:?}");
}
