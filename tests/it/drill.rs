//! Fire drills: on the Sandbox of the demo for real, on another service as a rehearsal.

use serde_json::{Value, json};

use crate::support::gateway::gateway_with_acme;
use crate::support::person::Person;
use crate::support::program::{Program, run};
use crate::support::sandbox_visitor::SandboxVisitor;

/// The demo with Ana connected to the Sandbox.
struct Demo {
    _folder: tempfile::TempDir,
    data: String,
    ana: Person,
    visitor: SandboxVisitor,
    _program: Program,
}

impl Demo {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::demo(folder.path()).await;
        let origin = program.text("/mcp_url").trim_end_matches("/mcp").to_owned();
        let ana = Person::new("ana", &origin, program.text("/agent_token"));
        ana.sign_in(program.text("/sign_in_url")).await;
        let data = folder.path().to_str().unwrap().to_owned();
        Self {
            _folder: folder,
            data,
            ana,
            visitor: SandboxVisitor::new("ana"),
            _program: program,
        }
    }

    async fn connect(&self) {
        let link = self.ana.call("sandbox_whoami", json!({})).await.link();
        self.ana
            .connect_at_the_sandbox(&link, &self.visitor)
            .await
            .assert_connected();
    }

    fn drill(&self, fault: &str) -> Value {
        let arguments = [
            "drill",
            "sandbox",
            fault,
            "--json",
            "--data-dir",
            &self.data,
        ];
        let ended = run(&arguments);
        assert_eq!(ended.status, Some(0), "{fault}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

/// The steps as lines of who and what.
fn steps(report: &Value) -> String {
    let steps = report["steps"].as_array().unwrap().iter();
    let lines = steps.map(|step| format!("{} {}", step["who"], step["what"]));
    lines.collect::<Vec<_>>().join("\n").replace('"', "")
}

/// What a drill on the Sandbox must come to: the status after it, and what stands in its steps.
const EXPECTED: [(&str, &str, &[&str]); 9] = [
    (
        "expire",
        "connected",
        &[
            "sees GET /api/me: answers 401",
            "sees POST /token (refresh token): answers 200",
            "gets its result, as if nothing had happened",
        ],
    ),
    (
        "rotate",
        "connected",
        &["refresh tokens since it started, 0 of them a second time"],
    ),
    (
        "revoke",
        "expired",
        &[
            "sees POST /token (refresh token): answers 400",
            "is told: The Sandbox connection of Ana has ended.",
        ],
    ),
    (
        "5xx",
        "connected",
        &[
            "sees POST /token (refresh token): answers 503",
            "is told: Sandbox does not renew the connection at the moment",
            "s later: gets its result",
        ],
    ),
    ("slow", "connected", &["gets its result, after"]),
    (
        "429",
        "connected",
        &[
            "sees POST /token (refresh token): answers 429",
            "s later: gets its result",
        ],
    ),
    (
        "lost-answer",
        "expired",
        &[
            "sees POST /token (refresh token): the answer is lost",
            "sees POST /token (refresh token): answers 400",
            "A renewal was cut off",
        ],
    ),
    (
        "invalid-grant",
        "expired",
        &["sees POST /token (refresh token): answers 400"],
    ),
    (
        "revocation-down",
        "disconnected",
        &[
            "sees POST /revoke: answers 503",
            "is told: Ana has disconnected Sandbox.",
            "does not accept it any more",
            "holds 0 grants",
        ],
    ),
];

#[tokio::test]
async fn every_drill_on_the_sandbox_is_for_real_and_leaves_it_well() {
    let demo = Demo::start().await;
    let missing = run(&["drill", "sandbox", "expire", "--data-dir", &demo.data]);
    assert_eq!(missing.status, Some(4), "{}", missing.stderr);
    for (fault, after, said) in EXPECTED {
        let answer = demo.ana.call("sandbox_whoami", json!({})).await;
        if answer.result()["isError"] == json!(true) {
            demo.connect().await;
        }
        let report = demo.drill(fault);
        let steps = steps(&report);
        assert_eq!(report["after"], after, "{fault}: {steps}");
        assert_eq!(
            (&report["for_real"], &report["before"]),
            (&json!(true), &json!("connected"))
        );
        for line in said {
            assert!(steps.contains(line), "{fault}: no {line:?} in\n{steps}");
        }
        let mends = report["mends"].as_str().unwrap();
        assert_eq!(
            mends.contains("/connect/"),
            after != "connected",
            "{fault}: {mends}"
        );
    }
    let words = run(&["drill", "sandbox", "expire", "--data-dir", &demo.data]);
    assert_eq!(words.status, Some(4), "the last drill disconnected");
    demo.connect().await;
    let words = run(&["drill", "sandbox", "expire", "--data-dir", &demo.data]);
    for line in [
        "a drill for real",
        "  before    connected\n",
        "  provider  sees POST /token (refresh token): answers 200\n",
        "  mends it  nothing: it works",
    ] {
        assert!(words.stdout.contains(line), "{}", words.stdout);
    }
}

#[tokio::test]
async fn a_rehearsal_sends_nothing_and_changes_nothing() {
    let (acme, mut gateway) = gateway_with_acme().await;
    let _reaches_it = gateway.bridge_for("ana").await;
    let ana = gateway.person("ana").await;
    let data = gateway.folder().join("data");
    let drill = async |service: &str, fault: &str| {
        let arguments = ["drill", service, fault, "--json", "--data-dir"].map(str::to_owned);
        let data = data.to_str().unwrap().to_owned();
        // The gateway runs in this very process, and must not be held up.
        let ended = tokio::task::spawn_blocking(move || {
            let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            arguments.push(&data);
            run(&arguments)
        });
        ended.await.unwrap()
    };
    assert_eq!(drill("acme", "5xx").await.status, Some(4));
    let link = ana.call("acme_whoami", json!({})).await.link();
    ana.connect(&link, &acme).await.assert_connected();
    let before = acme.requests().len();
    for (fault, ..) in EXPECTED {
        let ended = drill("acme", fault).await;
        assert_eq!(ended.status, Some(0), "{fault}: {}", ended.stderr);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(
            (&report["for_real"], &report["before"]),
            (&json!(false), &json!("connected"))
        );
        assert!(!report["steps"].as_array().unwrap().is_empty());
    }
    assert_eq!(acme.requests().len(), before, "the provider heard nothing");
    ana.call("acme_whoami", json!({})).await.json();
    assert_eq!(drill("no_such_service", "5xx").await.status, Some(2));
    assert_eq!(drill("acme", "no-such-fault").await.status, Some(2));
    assert_eq!(
        drill("github", "5xx").await.status,
        Some(1),
        "it is not set up"
    );
}
