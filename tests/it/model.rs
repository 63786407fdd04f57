//! Any interleaving of calls, renewals, disconnects, reconnects, crashes and clock jumps, at the provider that is hardest
//! to please: refresh tokens rotate, and a second use ends the grant.
//!
//! What holds after every step, and is judged here:
//!
//! 1. A call as Ana is answered with Ana's account, or with a link, or with word to wait or to repeat it. It is never
//!    answered with another account, and never with a fault.
//! 2. A refresh token is sent a second time only after an answer to the first was lost, by the provider or with a crashed
//!    process, and then once. (The provider judges: it knows how many were lost.)
//! 3. The generation of a connection's credential never goes back, and no announced request is without an answer more
//!    than twice.
//! 4. A connection that was disconnected stays so until the person connects again, whatever was under way; once its
//!    receipt says "confirmed", none of the tokens that were stored for it is alive.
//! 5. Nothing is stuck: once the provider is well and time has passed, a call works, or its link makes it work.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use attache::base::Clock;
use attache::connection::{AtProvider, Status};
use attache::gateway::{CallError, Gateway};
use futures::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

use crate::support::bare::{Machine, Someone};
use crate::support::gateway::clock;
use crate::support::provider::Provider;

/// One step of a story.
#[derive(Clone, Debug)]
enum Step {
    Do(Action),
    /// The process is gone after this many turns of its scheduler, and another begins on the same store.
    CrashDuring(Action, u32),
    /// Time passes.
    Wait(u64),
    /// Somebody sets the gateway's clock.
    Jump(i64),
    /// The provider acts on the next token request, and its answer is lost.
    LoseAnswer,
    /// The token endpoint is out of order, with this status.
    Break(u16),
    RevocationDown,
    Recover,
    /// The person removes the access on the provider's own pages.
    RemoveAccess,
}

/// What is asked of the gateway.
#[derive(Clone, Copy, Debug)]
enum Action {
    Call,
    Burst,
    Upkeep,
    Connect,
    Disconnect,
    /// A disconnect while calls are under way.
    Race,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => Just(Action::Call),
        2 => Just(Action::Burst),
        2 => Just(Action::Upkeep),
        2 => Just(Action::Connect),
        1 => Just(Action::Disconnect),
        1 => Just(Action::Race),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    // Turns of the scheduler from the first await to long after the answer.
    let turns = (0.0..13.0_f64).prop_map(|exponent| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 8192"
        )]
        let turns = exponent.exp2() as u32;
        turns
    });
    prop_oneof![
        6 => action().prop_map(Step::Do),
        5 => (action(), turns).prop_map(|(action, turns)| Step::CrashDuring(action, turns)),
        5 => prop_oneof![Just(5), Just(40), Just(56), Just(61), Just(600)].prop_map(Step::Wait),
        1 => prop_oneof![Just(-24), Just(-1), Just(2), Just(24)].prop_map(Step::Jump),
        2 => Just(Step::LoseAnswer),
        1 => prop_oneof![Just(500), Just(503), Just(429)].prop_map(Step::Break),
        1 => Just(Step::RevocationDown),
        2 => Just(Step::Recover),
        1 => Just(Step::RemoveAccess),
    ]
}

/// The provider, the machine, and the process that runs on it now.
struct World {
    acme: Provider,
    theirs: Clock,
    machine: Machine,
    process: Option<(tokio::runtime::Runtime, Gateway)>,
    generations: HashMap<String, u64>,
}

impl World {
    fn new() -> Self {
        let (ours, theirs) = (clock(), clock());
        let acme = Provider::start(&theirs);
        acme.rotates_refresh_tokens();
        let machine = Machine::new(&ours, &acme);
        let mut world = Self {
            acme,
            theirs,
            machine,
            process: None,
            generations: HashMap::new(),
        };
        world.start();
        world.run(act(Action::Connect));
        world
    }

    /// A new process. The one before is gone, with everything that it had under way.
    fn start(&mut self) {
        drop(self.process.take());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let gateway = runtime.block_on(async { self.machine.start() });
        self.process = Some((runtime, gateway));
    }

    /// Runs `work` in the process that is there.
    fn run<T>(&self, work: impl for<'a> AsyncFnOnce(&'a Gateway, &'a Provider) -> T) -> T {
        let (runtime, gateway) = self.process.as_ref().expect("a process");
        runtime.block_on(work(gateway, &self.acme))
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Do(action) => self.run(act(*action)),
            Step::CrashDuring(action, turns) => {
                self.may_lose_one();
                let (action, turns) = (*action, *turns);
                self.run(async |gateway, acme| {
                    crash_after(turns, act(action)(gateway, acme)).await;
                });
                self.start();
            }
            Step::Wait(minutes) => {
                for clock in [&self.machine.clock, &self.theirs] {
                    clock.advance(Duration::from_mins(*minutes));
                }
            }
            Step::Jump(hours) => self.machine.clock.jump(hours * 3600),
            Step::LoseAnswer => {
                self.may_lose_one();
                self.acme.loses_the_next_token_answer();
            }
            Step::Break(status) => {
                self.acme
                    .answers_token_with(*status, "application/json", "{}");
            }
            Step::RevocationDown => {
                self.acme.revocation_is_down();
            }
            Step::Recover => {
                self.acme.recovers();
            }
            Step::RemoveAccess => {
                self.acme.access_is_removed_by("ana");
            }
        }
        self.check_the_store();
    }

    /// One more refresh token may come twice.
    fn may_lose_one(&mut self) {
        self.acme.expects_one_more_replay();
    }

    /// Invariant 3.
    fn check_the_store(&mut self) {
        let store = self.machine.store.clone();
        let listed = self.run(async |_, _| store.credentials().list("", 100).await);
        for record in listed
            .expect("the store works")
            .whole()
            .expect("all can be read")
        {
            let credential = &record.value;
            let known = self.generations.entry(record.key().to_owned()).or_default();
            assert!(
                credential.generation >= *known,
                "{} < {known}",
                credential.generation
            );
            *known = credential.generation;
            let unanswered = credential
                .intent
                .as_ref()
                .map_or(0, |intent| intent.unanswered);
            assert!(unanswered <= 2, "{unanswered} requests without an answer");
        }
    }

    /// Invariants 4 and 5: everything is mended, and everything is ended.
    fn end_well(&mut self) {
        self.acme.recovers();
        for _ in 0..3 {
            self.take(&Step::Wait(48 * 60));
            self.run(act(Action::Upkeep));
        }
        let works = async |gateway: &Gateway| {
            let ana = Someone::named(gateway, "ana").await;
            ana.call(gateway, "acme_whoami").await
        };
        match self.run(async |gateway, _| works(gateway).await) {
            Ok(output) => assert!(output.text.contains("ana@"), "{}", output.text),
            Err(CallError::ConnectFirst(_)) => {
                self.run(act(Action::Connect));
                let output = self.run(async |gateway, _| works(gateway).await);
                assert!(output.expect("it works now").text.contains("ana@"));
            }
            Err(other) => panic!("stuck: {other:?}"),
        }
        self.run(act(Action::Disconnect));
        self.take(&Step::Wait(120));
        self.run(act(Action::Upkeep));
        let settled = self.run(async |gateway, _| {
            let ana = Someone::named(gateway, "ana").await;
            let views = gateway
                .connections(&ana.caller.principal)
                .await
                .expect("the store works");
            views
                .iter()
                .flat_map(|view| &view.connections)
                .map(|view| view.connection.status)
                .collect::<Vec<_>>()
        });
        for status in settled {
            let confirmed = matches!(
                status,
                Status::Revoked {
                    at_provider: AtProvider::Confirmed,
                    ..
                }
            );
            assert!(confirmed, "{status:?}");
        }
        let store = self.machine.store.clone();
        let (credentials, tombstones) = self.run(async |_, _| {
            let credentials = store.credentials().list("", 100).await.expect("it works");
            let tombstones = store.tombstones().list("", 100).await.expect("it works");
            (credentials.records.len(), tombstones.records.len())
        });
        assert_eq!((credentials, tombstones), (0, 0), "something is left");
        self.acme.assert_no_violations();
    }
}

/// What an action is, and what may come of it: invariant 1.
fn act(action: Action) -> impl for<'a> AsyncFnOnce(&'a Gateway, &'a Provider) {
    async move |gateway, acme| {
        let ana = Someone::named(gateway, "ana").await;
        match action {
            Action::Call => check(ana.call(gateway, "acme_whoami").await),
            Action::Burst => {
                for answer in join_all((0..8).map(|_| ana.call(gateway, "acme_whoami"))).await {
                    check(answer);
                }
            }
            Action::Upkeep => {
                gateway.do_due_work().await.expect("the store works");
            }
            Action::Connect => {
                // Its own outcome is not judged: the provider may be out of order.
                let _ = ana.connect(gateway, acme, "ana").await;
            }
            Action::Disconnect => disconnect(gateway, &ana).await,
            Action::Race => {
                let calls = join_all((0..4).map(|_| ana.call(gateway, "acme_whoami")));
                let (answers, ()) = tokio::join!(calls, disconnect(gateway, &ana));
                for answer in answers {
                    check(answer);
                }
            }
        }
    }
}

fn check(answer: Result<attache::catalogue::ToolOutput, CallError>) {
    match answer {
        Ok(output) => assert!(output.text.contains("ana@"), "{}", output.text),
        Err(
            CallError::ConnectFirst(_) | CallError::Delayed { .. } | CallError::RunAgain { .. },
        ) => {}
        Err(other) => panic!("{other:?}"),
    }
}

/// Disconnects whatever is connected; a receipt that says "confirmed" is true.
async fn disconnect(gateway: &Gateway, ana: &Someone) {
    let principal = &ana.caller.principal;
    let views = gateway
        .connections(principal)
        .await
        .expect("the store works");
    for view in views.iter().flat_map(|view| &view.connections) {
        let id = &view.connection.id;
        let receipt = gateway
            .disconnect(principal, id)
            .await
            .expect("it can be disconnected");
        let (now, _) = gateway
            .find_connection(principal, id)
            .await
            .expect("it stays as a record");
        assert!(
            matches!(now.status, Status::Revoked { .. }),
            "{:?}",
            now.status
        );
        if receipt.at_provider != AtProvider::Confirmed {
            continue;
        }
        let again = ana.call(gateway, "acme_whoami").await;
        assert!(
            matches!(again, Err(CallError::ConnectFirst(_))),
            "{again:?}"
        );
    }
}

/// Lets `work` run for so many turns of the scheduler at most.
async fn crash_after(turns: u32, work: impl Future<Output = ()>) {
    let countdown = async {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = work => {}
        () = countdown => {}
    }
}

#[test]
fn any_story_keeps_the_invariants() {
    let config = Config {
        cases: 32,
        max_shrink_iters: 200,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    };
    let story = proptest::collection::vec(step(), 4..24);
    TestRunner::new(config)
        .run(&story, |steps| {
            let mut world = World::new();
            for step in &steps {
                world.take(step);
            }
            world.end_well();
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
