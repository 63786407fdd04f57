//! The contract with people's scripts, and what the program says when it cannot start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::folder::files;
use crate::support::person::Person;
use crate::support::program::{Program, run};

#[tokio::test]
async fn the_demo_says_once_that_it_is_ready_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let fields: Vec<_> = demo
        .ready
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "state",
        "mcp_url",
        "sse_url",
        "dashboard_url",
        "sign_in_url",
        "agent_token",
        "data_dir",
        "sandbox_url",
        "people",
    ];
    assert_eq!(fields, expected);
    let mcp_url = demo.text("/mcp_url");
    assert_eq!(demo.text("/sse_url"), mcp_url.replace("/mcp", "/sse"));
    for (at, name) in ["ana", "ben"].iter().enumerate() {
        assert_eq!(demo.text(&format!("/people/{at}/name")), *name);
        assert!(
            demo.text(&format!("/people/{at}/agent_token"))
                .starts_with("att_")
        );
    }
    assert_eq!(
        demo.ready["people"][0]["sign_in_url"],
        demo.ready["sign_in_url"]
    );
    assert_eq!(
        demo.ready["people"][0]["agent_token"],
        demo.ready["agent_token"]
    );
    assert_eq!(demo.text("/data_dir"), folder.path().to_str().unwrap());
    let (printed, status) = demo.terminate().await;
    assert_eq!((printed, status), (Vec::new(), 0));
}

#[tokio::test]
async fn serve_says_what_the_demo_says_but_for_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let arguments = [
        "serve",
        "--json",
        "--bind",
        "127.0.0.1:0",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let serve = Program::start(&arguments).await;
    let fields: Vec<_> = serve
        .ready
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        fields,
        [
            "state",
            "mcp_url",
            "sse_url",
            "dashboard_url",
            "sign_in_url",
            "agent_token",
            "data_dir"
        ]
    );
    let token = serve.text("/agent_token").to_owned();
    serve.terminate().await;
    let again = Program::start(&arguments).await;
    assert_eq!(
        again.text("/agent_token"),
        token,
        "clients keep their token over a restart"
    );
}

#[tokio::test]
async fn only_the_sandbox_is_advertised_in_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let origin = demo.text("/mcp_url").trim_end_matches("/mcp");
    let ana = Person::new("ana", origin, demo.text("/agent_token"));
    let tools = ana.tools().await;
    assert!(
        tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .all(|name| name.starts_with("sandbox_") || name.starts_with("attache_")),
        "{tools:#?}"
    );
    assert!(
        tools
            .iter()
            .any(|tool| tool["name"] == "sandbox_create_note")
    );
    ana.call("sandbox_whoami", json!({}))
        .await
        .assert_failed("Sandbox is not connected for Ana");
}

#[test]
fn the_demo_is_for_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let public = "https://attache.example.com";
    let ended = run(&[
        "demo",
        "--json",
        "--bind",
        "0.0.0.0:0",
        "--public-url",
        public,
        "--data-dir",
        data,
    ]);
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.stderr.contains("can be reached by others"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&[
        "serve",
        "--bind",
        &address,
        "--data-dir",
        folder.path().to_str().unwrap(),
    ]);
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.stderr.contains(&address) && ended.stderr.contains("--bind"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn a_store_that_is_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Program::demo(folder.path()).await;
    let data = folder.path().to_str().unwrap();
    let ended = run(&["serve", "--bind", "127.0.0.1:0", "--data-dir", data]);
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.stderr.contains("another process holds the store") && ended.stderr.contains(data),
        "{}",
        ended.stderr
    );
    assert_eq!(demo.terminate().await.1, 0);
}

/// S-39: a wrong or missing master key.
#[tokio::test]
async fn without_the_right_master_key_nothing_starts_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    Program::demo(folder.path()).await.terminate().await;
    let key = folder.path().join("master.key");
    let right = std::fs::read(&key).unwrap();
    let store = folder.path().join("store");
    let before = digests(&store);
    let serve = ["serve", "--bind", "127.0.0.1:0", "--data-dir", data];

    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let wrong = run(&serve);
    assert_eq!(
        (wrong.status, wrong.stderr.lines().count()),
        (Some(1), 1),
        "{}",
        wrong.stderr
    );
    assert!(wrong.stderr.contains("key"), "{}", wrong.stderr);

    std::fs::remove_file(&key).unwrap();
    let missing = run(&serve);
    assert_eq!(
        (missing.status, missing.stderr.lines().count()),
        (Some(1), 1),
        "{}",
        missing.stderr
    );
    assert!(
        missing.stderr.contains("missing") && !key.exists(),
        "no new key is made: {}",
        missing.stderr
    );
    assert_eq!(digests(&store), before, "the store is as it was");

    std::fs::write(&key, right).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let exposed = run(&serve);
    assert!(
        exposed.status == Some(1) && exposed.stderr.contains("chmod 600"),
        "{}",
        exposed.stderr
    );
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(Program::demo(folder.path()).await.terminate().await.1, 0);
}

/// S-49: nobody else on the machine can read the data folder.
#[tokio::test]
async fn the_data_folder_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Program::demo(&data).await.terminate().await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("store")), 0o700);
    for file in files(&data) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn the_provider_files_pass_their_checks_and_bad_ones_are_explained() {
    let good = run(&["check"]);
    assert_eq!(good.status, Some(0), "{}", good.stderr);
    assert!(good.stdout.contains("provider files are right"));

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "name = 'Bad'\ndocz = 'x'\n").unwrap();
    let bad = run(&["check", folder.path().to_str().unwrap()]);
    assert_eq!(bad.status, Some(1));
    for part in ["bad.toml, line 2", "docz", "did you mean `docs`?"] {
        assert!(
            bad.stderr.contains(part),
            "{part} is missing in {}",
            bad.stderr
        );
    }
}

/// The master key can come from the environment or from a file that something else provides.
#[tokio::test]
async fn the_master_key_comes_from_where_it_is_said_to() {
    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let serve = [
        "serve",
        "--json",
        "--bind",
        "127.0.0.1:0",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let first = Program::start_with(&serve, &[("ATTACHE_MASTER_KEY", KEY)]).await;
    let token = first.text("/agent_token").to_owned();
    first.terminate().await;
    assert!(
        !data.join("master.key").exists(),
        "no key is made beside one that is given"
    );
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let second = Program::start_with(
        &serve,
        &[("ATTACHE_MASTER_KEY_FILE", file.to_str().unwrap())],
    )
    .await;
    assert_eq!(second.text("/agent_token"), token);
}

#[test]
fn settings_for_a_service_that_does_not_exist_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("attache.toml");
    std::fs::write(
        &config,
        "[services.gihtub]\nclient_id = 'x'\nclient_secret = 'y'\n",
    )
    .unwrap();
    let data = folder.path().join("data");
    let (config, data) = (config.to_str().unwrap(), data.to_str().unwrap());
    let ended = run(&[
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--config",
        config,
        "--data-dir",
        data,
    ]);
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.stderr.contains("services.gihtub") && ended.stderr.contains("github"),
        "{}",
        ended.stderr
    );
}

#[test]
fn words_that_are_no_command_are_wrong_usage() {
    let ended = run(&["sevre"]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("serve"), "{}", ended.stderr);
}

fn digests(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder)
        .into_iter()
        .map(|file| {
            (
                file.clone(),
                Sha256::digest(std::fs::read(&file).unwrap()).to_vec(),
            )
        })
        .collect()
}
