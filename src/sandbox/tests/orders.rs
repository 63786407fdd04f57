//! A Sandbox that was told to misbehave, and who may tell it so.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::super::{CONTROL_HEADER, Counters, Endpoint, Fault, Order, Whose};
use super::person::{ALL, Person, Tokens, VERIFIER, World};

impl World {
    async fn order(&self, order: Order) -> usize {
        self.sandbox.control().obey(order).await.unwrap()
    }

    async fn token_fails(&self, fault: Fault, times: Option<u32>) {
        self.fails(Endpoint::Token, fault, times, Whose::default())
            .await;
    }

    async fn fails(&self, at: Endpoint, fault: Fault, times: Option<u32>, whose: Whose) {
        let order = Order::Fail {
            at,
            fault,
            times,
            whose,
        };
        assert_eq!(self.order(order).await, 0);
    }

    fn counters(&self) -> Counters {
        self.sandbox.control().counters()
    }

    fn whose(&self, account: &str) -> Whose {
        Whose::of(&self.client.client_id, account)
    }

    /// A request to `/control`, with the secret unless `headers` say otherwise.
    async fn control(&self, order: Option<Value>, headers: &[(&str, &str)]) -> (StatusCode, Value) {
        let secret = self.sandbox.control_secret().expose();
        let mut request = match order {
            Some(order) => self.http.post(self.at("/control")).body(order.to_string()),
            None => self.http.get(self.at("/control")),
        };
        let own = CONTROL_HEADER;
        if !headers.iter().any(|(name, _)| *name == own) {
            request = request.header(own, secret);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        super::person::answer(request.send().await.unwrap()).await
    }
}

#[tokio::test]
async fn access_tokens_end_when_told_and_live_as_long_as_told() {
    let world = World::new().await;
    let (ana, ben) = (world.connect("ana").await, world.connect("ben").await);
    let whose = world.whose("ana");
    assert_eq!(world.order(Order::Expire { whose }).await, 1);
    assert!(!world.works(&ana.access).await && world.works(&ben.access).await);

    world.order(Order::Lifetime { seconds: 2 }).await;
    let (_, body) = world.refresh(&ana.refresh).await;
    assert_eq!(body["expires_in"], 2);
    let short = Tokens::of(&body);
    assert!(world.works(&short.access).await);
    world.clock.advance(Duration::from_secs(2));
    assert!(!world.works(&short.access).await);
    world.order(Order::Heal).await;
    assert_eq!(world.refresh(&short.refresh).await.1["expires_in"], 3600);
}

#[tokio::test]
async fn a_grant_is_taken_back_from_one_person_alone() {
    let world = World::new().await;
    let (ana, ben) = (world.connect("ana").await, world.connect("ben").await);
    let whose = world.whose("ana");
    assert_eq!(world.order(Order::Revoke { whose }).await, 1);
    assert!(!world.works(&ana.access).await && world.works(&ben.access).await);
    let (_, error) = world.refresh(&ana.refresh).await;
    assert_eq!(error["error"], "invalid_grant");
    let control = world.sandbox.control();
    assert_eq!(control.grants(&world.whose("ana")).await, 0);
    assert_eq!(control.grants(&world.whose("ben")).await, 1);
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays() {
    let world = World::new().await;
    let tokens = world.connect("ana").await;
    world.order(Order::Rotation { on: false }).await;
    for _ in 0..2 {
        let (status, body) = world.refresh(&tokens.refresh).await;
        assert_eq!((status, body.get("refresh_token")), (StatusCode::OK, None));
    }
    assert_eq!(world.counters().reuses, 0);
    world.order(Order::Heal).await;
    let (_, body) = world.refresh(&tokens.refresh).await;
    assert!(body["refresh_token"].is_string());
}

#[tokio::test]
async fn the_token_endpoint_fails_as_often_as_told() {
    let world = World::new().await;
    let mut tokens = world.connect("ana").await;
    world.token_fails(Fault::Unavailable, Some(2)).await;
    let throttled = Fault::Throttled { retry_after_s: 30 };
    world.token_fails(throttled, Some(1)).await;
    world.token_fails(Fault::Refused, Some(1)).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let (status, body) = world.refresh(&tokens.refresh).await;
        statuses.push((status.as_u16(), body["error"].as_str().map(str::to_owned)));
    }
    let refused = Some("invalid_grant".to_owned());
    assert_eq!(
        statuses,
        [(503, None), (503, None), (429, None), (400, refused)]
    );
    let renewed = world.refresh(&tokens.refresh).await;
    assert_eq!(renewed.0, StatusCode::OK, "nothing was done until now");
    tokens = Tokens::of(&renewed.1);

    world.token_fails(Fault::Unavailable, None).await;
    for _ in 0..3 {
        assert_eq!(world.refresh(&tokens.refresh).await.0, 503);
    }
    world.order(Order::Heal).await;
    assert_eq!(world.refresh(&tokens.refresh).await.0, StatusCode::OK);
    let counters = world.counters();
    assert_eq!((counters.refreshed, counters.reuses), (2, 0));
    assert_eq!((counters.most_sent, counters.sent_again), (5, 7));
}

#[tokio::test]
async fn a_fault_meets_those_it_is_meant_for() {
    let world = World::new().await;
    let (ana, ben) = (world.connect("ana").await, world.connect("ben").await);
    let whose = world.whose("ana");
    world
        .fails(Endpoint::Token, Fault::Unavailable, None, whose)
        .await;
    assert_eq!(world.refresh(&ana.refresh).await.0, 503);
    assert_eq!(world.refresh(&ben.refresh).await.0, StatusCode::OK);
    assert_eq!(world.refresh("unknown").await.0, StatusCode::BAD_REQUEST);
    let code = Person::new(&world).allow("ana", ALL).await;
    assert_eq!(world.redeem(&code, VERIFIER).await.0, 503);
}

#[tokio::test]
async fn a_lost_answer_is_no_answer_and_the_work_is_done() {
    let world = World::new().await;
    let tokens = world.connect("ana").await;
    world.token_fails(Fault::Lost, Some(1)).await;
    let form = format!(
        "grant_type=refresh_token&refresh_token={}&client_id={}&client_secret={}",
        tokens.refresh,
        world.client.client_id,
        world.client.client_secret.expose()
    );
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: localhost:{}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        world.sandbox.port(),
        form.len()
    );
    let port = world.sandbox.port();
    let heard = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut heard = Vec::new();
        // A connection that is reset has said nothing either.
        let _ = stream.read_to_end(&mut heard);
        heard
    });
    assert_eq!(heard.await.unwrap(), b"", "not even a status line");
    assert_eq!(world.counters().refreshed, 1);
    let last = world.sandbox.control().seen().pop().unwrap();
    assert_eq!(
        (last.request.as_str(), last.status),
        ("POST /token (refresh token)", None)
    );
    let (_, error) = world.refresh(&tokens.refresh).await;
    assert_eq!(error["error"], "invalid_grant");
    let counters = world.counters();
    assert_eq!((counters.reuses, counters.most_sent), (1, 2));
}

#[tokio::test]
async fn a_late_answer_comes_after_the_work_is_done() {
    let world = World::new().await;
    let tokens = world.connect("ana").await;
    let late = Fault::Late { delay_ms: 60_000 };
    world.token_fails(late, Some(1)).await;
    let mut counters = world.sandbox.control().watch();
    tokio::select! {
        _ = world.refresh(&tokens.refresh) => panic!("the answer was to be late"),
        done = counters.wait_for(|counters| counters.refreshed == 1) => drop(done.unwrap()),
    }
}

#[tokio::test]
async fn the_revocation_endpoint_fails_when_told() {
    let world = World::new().await;
    let tokens = world.connect("ana").await;
    world
        .fails(
            Endpoint::Revocation,
            Fault::Unavailable,
            Some(1),
            Whose::default(),
        )
        .await;
    let form = [("token", tokens.refresh.as_str())];
    assert_eq!(world.post("/revoke", &form).await.0, 503);
    assert!(world.works(&tokens.access).await);
    assert_eq!(world.post("/revoke", &form).await.0, StatusCode::OK);
    assert!(!world.works(&tokens.access).await);
    let counters = world.counters();
    assert_eq!((counters.revocation_requests, counters.revoked), (2, 1));
}

#[tokio::test]
async fn orders_travel_over_http_for_whoever_has_the_secret() {
    let world = World::new().await;
    let tokens = world.connect("ana").await;
    let fail = json!({
        "do": "fail", "at": "token", "how": "throttled", "retry_after_s": 7, "times": 2, "account": "ana",
    });
    let (status, report) = world.control(Some(fail.clone()), &[]).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    let mut expected = fail;
    expected.as_object_mut().unwrap().shift_remove("do");
    assert_eq!(report["in_force"]["failing"], json!([expected]));
    assert_eq!(world.refresh(&tokens.refresh).await.0, 429);
    let expire = json!({"do": "expire", "client_id": world.client.client_id});
    assert_eq!(world.control(Some(expire), &[]).await.1["ended"], 1);
    world.control(Some(json!({"do": "heal"})), &[]).await;
    let (_, report) = world.control(None, &[]).await;
    assert_eq!(
        report["in_force"],
        json!({"access_lifetime_s": 3600, "rotates": true, "failing": []})
    );
    assert_eq!(report["counters"]["refresh_requests"], 1);
    assert_eq!(report["requests"][1]["status"], 429);
    assert!(
        !report.to_string().contains(&tokens.refresh),
        "no token is told"
    );
    let (status, why) = world.control(Some(json!({"do": "dance"})), &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(why.as_str().unwrap().contains("dance"), "{why}");
}

#[tokio::test]
async fn no_page_and_nobody_without_the_secret_gives_orders() {
    let world = World::new().await;
    let expire = json!({"do": "expire"});
    let tokens = world.connect("ana").await;
    let own = CONTROL_HEADER;
    for headers in [
        (own, "wrong"),
        (own, ""),
        ("origin", "http://localhost:9"),
        ("origin", "null"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "no-cors"),
    ] {
        for order in [None, Some(expire.clone())] {
            let (status, _) = world.control(order, &[headers]).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{headers:?}");
        }
    }
    let preflight = world
        .http
        .request(reqwest::Method::OPTIONS, world.at("/control"))
        .header("origin", "http://localhost:9")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", own);
    let preflight = preflight.send().await.unwrap();
    assert!(!preflight.status().is_success());
    let allows = preflight
        .headers()
        .keys()
        .any(|name| name.as_str().starts_with("access-control"));
    assert!(!allows, "{preflight:?}");
    assert!(world.works(&tokens.access).await);
}
