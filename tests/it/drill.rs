//! Fire drills: on the Sandbox of the demo for real, on another service as a rehearsal.

use serde_json::{Value, json};

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

#[tokio::test]
async fn every_drill_on_the_sandbox_is_for_real_and_leaves_it_well() {
    let demo = Demo::start().await;
    let missing = run(&["drill", "sandbox", "expire", "--data-dir", &demo.data]);
    assert_eq!(missing.status, Some(4), "{}", missing.stderr);
    demo.connect().await;
    for fault in [
        "expire",
        "rotate",
        "revoke",
        "5xx",
        "slow",
        "429",
        "lost-answer",
        "invalid-grant",
        "revocation-down",
    ] {
        if demo.ana.call("sandbox_whoami", json!({})).await.result()["isError"] == json!(true) {
            demo.connect().await;
        }
        let report = demo.drill(fault);
        println!("{report:#}");
        println!("{}", steps(&report));
    }
}
