//! `attache doctor`: what it finds on folders that are well and on folders that are not, and that it changes nothing.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{Program, run};

/// An address where nobody listens; the doctor gives it back at once.
const FREE: &str = "127.0.0.1:0";

/// What the doctor found.
struct Findings {
    status: Option<i32>,
    all: Vec<Value>,
    stderr: String,
}

impl Findings {
    /// Runs the doctor on a data folder, and proves that every file in it is as before.
    fn of(data: &Path, bind: &str, more: &[&str]) -> Self {
        let before = contents(data);
        let data_dir = data.to_str().unwrap();
        let arguments = ["doctor", "--json", "--data-dir", data_dir, "--bind", bind];
        let ended = run(&[&arguments, more].concat());
        assert!(contents(data) == before, "the doctor changed something");
        let all: Vec<Value> = serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
        let found = Self {
            status: ended.status,
            all,
            stderr: ended.stderr,
        };
        found.assert_well_formed();
        found
    }

    /// Whatever is not as it should be says why that matters and what to do; the exit status tells of problems.
    fn assert_well_formed(&self) {
        for finding in &self.all {
            assert!(finding["what"].is_string(), "{finding:#}");
            let explained = finding["why"].is_string() && finding["what_to_do"].is_string();
            assert!(finding["status"] == "ok" || explained, "{finding:#}");
        }
        let expected = i32::from(self.problems().next().is_some());
        assert_eq!(self.status, Some(expected), "{:#?}", self.all);
    }

    fn problems(&self) -> impl Iterator<Item = &Value> {
        let is_problem = |finding: &&Value| finding["status"] == "problem";
        self.all.iter().filter(is_problem)
    }

    /// The only finding of this check.
    fn check(&self, name: &str) -> &Value {
        let mut found = self.all.iter().filter(|finding| finding["check"] == name);
        let (first, second) = (found.next(), found.next());
        assert!(first.is_some() && second.is_none(), "{:#?}", self.all);
        first.unwrap()
    }

    /// The finding of `check` about this service.
    fn about(&self, check: &str, service: &str) -> &Value {
        let is_it = |finding: &&Value| finding["check"] == check && finding["service"] == service;
        let found = self.all.iter().find(is_it);
        found.unwrap_or_else(|| panic!("nothing on {service}: {:#?}", self.all))
    }

    /// There is one problem, of this check, and it says all of this.
    fn assert_only_problem(&self, check: &str, parts: &[&str]) {
        let problems: Vec<_> = self.problems().collect();
        let [problem] = problems.as_slice() else {
            panic!("{problems:#?}");
        };
        assert_eq!(problem["check"], check);
        for part in parts {
            assert!(problem.to_string().contains(part), "{part}: {problem:#}");
        }
    }
}

fn assert_says(finding: &Value, status: &str, part: &str) {
    assert_eq!(finding["status"], status, "{finding:#}");
    assert!(
        finding["what"].as_str().unwrap().contains(part),
        "{finding:#}"
    );
}

/// The folder of a demo that has ended.
async fn used_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    Program::demo(folder.path()).await.terminate().await;
    folder
}

/// Every file below `folder`, and what it holds.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(contents(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

#[test]
fn nothing_is_wrong_before_the_first_start_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let found = Findings::of(
        &data,
        FREE,
        &["--public-url", "https://attache.example.com"],
    );
    assert!(!data.exists(), "the doctor made the data folder");
    for (check, part) in [
        ("configuration", "is understood"),
        ("clock", "the clock says 20"),
        ("data_folder", "the first start makes"),
        ("master_key", "the first start makes it"),
        ("store", "the first start makes it"),
        ("public_url", "https://attache.example.com"),
        ("port", "free port"),
    ] {
        assert_says(found.check(check), "ok", part);
    }
    let service = found.about("service", "github");
    assert_says(service, "ok", "is not set up");
    for part in [
        "services.github.client_id, services.github.client_secret",
        "https://attache.example.com/oauth/callback/github",
    ] {
        assert!(
            service["what_to_do"].as_str().unwrap().contains(part),
            "{service:#}"
        );
    }
    let sandbox = found.about("service", "sandbox")["what_to_do"].to_string();
    assert!(
        sandbox.contains("services.sandbox.variables.port"),
        "{sandbox}"
    );
    let none = found
        .all
        .iter()
        .find(|finding| finding["status"] == "warning");
    assert_says(none.unwrap(), "warning", "no service is set up");
}

#[tokio::test]
async fn a_running_gateway_is_recognised_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    // Made by the program itself, for its owner alone.
    let data = folder.path().join("data");
    let demo = Program::demo(&data).await;
    let origin = demo.text("/mcp_url").trim_end_matches("/mcp").to_owned();
    let address = origin.trim_start_matches("http://").to_owned();
    // Its store may be written to meanwhile, by itself: the folder is not compared.
    let data_dir = data.to_str().unwrap();
    let ended = run(&["doctor", "--data-dir", data_dir, "--bind", &address]);
    assert_eq!(ended.status, Some(0), "{}{}", ended.stdout, ended.stderr);
    for line in [
        format!("ok       a running Attache answers on {address}"),
        format!("ok       a running gateway holds the store {data_dir}/store"),
        format!("ok       the data folder {data_dir} is its owner's alone"),
        format!("ok       browsers and clients find the gateway at {origin}"),
    ] {
        assert!(
            ended.stdout.lines().any(|printed| printed == line),
            "{line} is missing in {}",
            ended.stdout
        );
    }
    assert!(ended.stderr.contains("No problem"), "{}", ended.stderr);

    let elsewhere = tempfile::tempdir().unwrap();
    let found = Findings::of(elsewhere.path(), &address, &[]);
    found.assert_only_problem("port", &[&address, "does not use this data folder"]);

    assert_eq!(demo.terminate().await.1, 0);
    let found = Findings::of(&data, &address, &[]);
    assert_says(found.check("store"), "ok", "opens, and so do its records");
    assert_says(found.check("port"), "ok", "is free");
    let key = found.check("master_key");
    assert_says(key, "ok", "its owner alone can read");
    assert!(
        key["what_to_do"].as_str().unwrap().contains("keep a copy"),
        "{key:#}"
    );
    assert_eq!(Program::demo(&data).await.terminate().await.1, 0);
}

#[tokio::test]
async fn a_key_that_others_can_read_that_is_wrong_or_that_is_gone_is_a_problem() {
    let folder = used_folder().await;
    let key = folder.path().join("master.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let found = Findings::of(folder.path(), FREE, &[]);
    let remedy = format!("chmod 600 {}", key.display());
    found.assert_only_problem("master_key", &["others can read", &remedy]);
    assert_says(found.check("store"), "warning", "was not examined");

    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let right = fs::read_to_string(&key).unwrap();
    fs::write(&key, other).unwrap();
    let found = Findings::of(folder.path(), FREE, &[]);
    found.assert_only_problem("store", &["is not the one", "put back the key"]);
    let printed = format!("{:?}", found.all);
    assert!(!printed.contains(other) && !printed.contains(right.trim()));

    fs::remove_file(&key).unwrap();
    let found = Findings::of(folder.path(), FREE, &[]);
    found.assert_only_problem("master_key", &["is missing", "put the key back"]);
    assert!(!key.exists(), "the doctor made a key");
}

#[tokio::test]
async fn a_damaged_store_is_a_problem_and_stays_as_it_is() {
    let folder = used_folder().await;
    let log = folder.path().join("store/db");
    let length = usize::try_from(fs::metadata(&log).unwrap().len()).unwrap();
    fs::write(&log, vec![0xa5; length]).unwrap();
    let found = Findings::of(folder.path(), FREE, &[]);
    let store = folder.path().join("store").display().to_string();
    found.assert_only_problem("store", &["is damaged", &store, "put back a backup"]);
    assert!(!found.stderr.contains("panicked"), "{}", found.stderr);
}

#[test]
fn a_data_folder_that_others_can_change_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let found = Findings::of(folder.path(), FREE, &[]);
    let remedy = format!("chmod 700 {}", folder.path().display());
    found.assert_only_problem("data_folder", &["mode 777", &remedy]);
}

#[test]
fn a_port_that_another_program_has_is_a_problem() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // It hangs up on whoever calls, so that nobody waits for it.
    std::thread::spawn(move || {
        for caller in taken.incoming() {
            drop(caller);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let found = Findings::of(folder.path(), &address, &[]);
    found.assert_only_problem("port", &[&address, "another program", "--bind"]);
}

#[test]
fn a_public_url_that_cannot_be_used_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    for (url, part) in [
        ("http://attache.example.com", "plain http"),
        ("https://attache.example.com/base", "the root of its host"),
        ("attache", "not a web address"),
    ] {
        let found = Findings::of(folder.path(), FREE, &["--public-url", url]);
        found.assert_only_problem("public_url", &["--public-url", url, part]);
        assert_says(found.check("store"), "ok", "there is no store yet");
    }
    let file = folder.path().join("open.toml");
    fs::write(&file, "dangerously_listen_without_sign_in = true\n").unwrap();
    let open = ["--config", file.to_str().unwrap()];
    let found = Findings::of(folder.path(), "0.0.0.0:0", &open);
    found.assert_only_problem("public_url", &["listening on 0.0.0.0:0"]);
    let elsewhere = ["--public-url", "http://127.0.0.1:1"];
    let found = Findings::of(folder.path(), "127.0.0.1:0", &elsewhere);
    assert_says(found.check("public_url"), "warning", "http://127.0.0.1:1");
}

#[test]
fn a_setting_that_is_not_understood_is_a_problem_and_ends_the_examination() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("attache.toml");
    fs::write(&file, "publc_url = 'https://attache.example.com'\n").unwrap();
    let found = Findings::of(folder.path(), FREE, &["--config", file.to_str().unwrap()]);
    let problem = found.problems().next().unwrap();
    assert_says(problem, "problem", "unknown field `publc_url`");
    let rest = found
        .all
        .iter()
        .find(|finding| finding["status"] == "warning");
    assert_says(rest.unwrap(), "warning", "was not examined");
}

#[test]
fn half_a_registration_is_a_problem_of_that_service_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("attache.toml");
    let look = |text: &str| {
        fs::write(&file, text).unwrap();
        let config = ["--config", file.to_str().unwrap()];
        let public = ["--public-url", "https://attache.example.com"];
        Findings::of(folder.path(), FREE, &[config, public].concat())
    };
    let whole = "[services.sandbox]\nclient_id = 'attache'\nclient_secret = 'hunter2'\nvariables = { port = '9000' }\n";

    let found = look(&format!("[services.github]\nclient_id = 'Ov23li'\n{whole}"));
    found.assert_only_problem("service", &["client_secret is not", "[services.github]"]);
    assert_eq!(found.problems().next().unwrap()["service"], "github");
    assert_says(found.about("service", "sandbox"), "ok", "is set up");
    assert_says(
        found.about("redirect_url", "sandbox"),
        "ok",
        "https://attache.example.com/oauth/callback/sandbox",
    );
    assert!(!format!("{:?}", found.all).contains("hunter2"));
    assert_says(found.check("configuration"), "ok", file.to_str().unwrap());

    let found = look("[services.github]\nclient_secret = 'hunter2'\n");
    found.assert_only_problem("service", &["client_id is not"]);
    assert!(!format!("{:?}", found.all).contains("hunter2"));

    let found = look("[services.github]\nclient_id = 'Ov23li'\nclient_secret = 'hunter2'\n");
    let github = found.about("service", "github");
    assert_says(github, "warning", "never confirmed by a live login");
    assert!(
        github["why"].as_str().unwrap().contains("PKCE"),
        "{github:#}"
    );

    let found = look("[services.githup]\nclient_id = 'Ov23li'\n");
    found.assert_only_problem("service", &["githup", "no such service"]);
}

#[test]
fn the_summary_counts_and_goes_to_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let ended = run(&["doctor", "--data-dir", data, "--public-url", "attache"]);
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.stderr.contains("1 problem and 1 warning found"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stdout.contains("\nproblem  --public-url: `attache`"),
        "{}",
        ended.stdout
    );
}
