//! What survives the end of the process, and what a start can run into.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reqwest::StatusCode;
use tempfile::TempDir;

use super::super::{RegisterError, Sandbox, Settings, StartError, StateFileError, start};
use super::person::{ALL, Person, REDIRECT, VERIFIER, World};
use crate::base::{Clock, Random};

async fn start_at(bind: SocketAddr, file: &Path) -> Result<Sandbox, StartError> {
    let settings = Settings {
        bind,
        state_file: Some(file.to_owned()),
    };
    start(settings, Clock::System, Random::System).await
}

async fn start_from(file: &Path) -> Result<Sandbox, StartError> {
    start_at(Settings::default().bind, file).await
}

#[tokio::test]
async fn a_restart_keeps_port_client_tokens_notes_and_who_is_signed_in() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("new/sandbox.json");
    let mut world = World::with(Some(file.clone())).await;
    let mut person = Person::new(&world);
    let code = person.allow("ana", ALL).await;
    let cookie = person.cookie().unwrap().to_owned();
    let tokens = world.connect("ben").await;
    let note = world.write(&tokens.access, "kept").await;
    let port = world.sandbox.port();

    world.sandbox.stop().await;
    let settings = Settings {
        state_file: Some(file),
        ..Settings::default()
    };
    world.sandbox = start(settings, world.clock.clone(), Random::System)
        .await
        .unwrap();
    assert_eq!(world.sandbox.port(), port);
    let path = format!("/api/notes/{note}");
    assert_eq!(world.get(&path, &tokens.access).await.1["text"], "kept");
    assert_eq!(world.redeem(&code, VERIFIER).await.0, StatusCode::OK);
    assert_eq!(world.refresh(&tokens.refresh).await.0, StatusCode::OK);
    let home = world.http.get(world.at("/")).header("cookie", cookie);
    let home = home.send().await.unwrap().text().await.unwrap();
    assert!(home.contains("signed in as <strong>Ana</strong>"), "{home}");

    let moved = "http://127.0.0.1:9/moved";
    let again = world
        .sandbox
        .register_client("Reader & <Writer>", moved)
        .await
        .unwrap();
    assert_eq!(again.client_id, world.client.client_id);
    assert!(again.client_secret == world.client.client_secret);
    let former = Person::new(&world).open(&world.authorize_url(&[])).await;
    assert_eq!(former.page().0, StatusCode::BAD_REQUEST);
    let url = world.authorize_url(&[("redirect_uri", moved)]);
    assert_eq!(
        Person::new(&world).open(&url).await.page().0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_a_client_was_told_is_on_disk_before_it_is_told() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sandbox.json");
    let mut world = World::with(Some(file.clone())).await;
    let code = Person::new(&world).allow("ana", ALL).await;
    let tokens = super::person::Tokens::of(&world.redeem(&code, VERIFIER).await.1);
    let renewed = super::person::Tokens::of(&world.refresh(&tokens.refresh).await.1);
    world.write(&renewed.access, "told").await;

    // What a crash at this moment would leave behind.
    let copy = folder.path().join("copy.json");
    fs::copy(&file, &copy).unwrap();
    let settings = Settings {
        state_file: Some(copy),
        ..Settings::default()
    };
    let heir = start(settings, world.clock.clone(), Random::System)
        .await
        .unwrap();
    assert_ne!(
        heir.port(),
        world.sandbox.port(),
        "the former port is taken"
    );
    world.sandbox = heir;
    let (_, list) = world.get("/api/notes", &renewed.access).await;
    assert_eq!(list["notes"][0]["text"], "told");
    let (_, error) = world.refresh(&tokens.refresh).await;
    assert_eq!(
        error["error"], "invalid_grant",
        "the used token works again"
    );
    assert!(!world.works(&renewed.access).await);
}

#[tokio::test]
async fn the_file_is_for_its_owner_and_holds_no_token() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sandbox.json");
    fs::write(folder.path().join("sandbox.json.new"), "left by a crash").unwrap();
    let world = World::with(Some(file.clone())).await;
    let mut person = Person::new(&world);
    let code = person.allow("ana", ALL).await;
    let tokens = world.connect("ana").await;
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    let cookie = person.cookie().unwrap().split_once('=').unwrap().1;
    for secret in [&code, &tokens.access, &tokens.refresh, cookie] {
        assert!(!text.contains(secret));
    }
    assert!(!folder.path().join("sandbox.json.new").exists());
}

#[tokio::test]
async fn a_damaged_file_is_named_left_alone_and_not_quoted() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sandbox.json");
    for text in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"format":1,"port":"hunter2"}"#,
        "\u{0}\u{0}",
    ] {
        fs::write(&file, text).unwrap();
        let error = start_from(&file).await.expect_err(text);
        assert!(
            matches!(error, StartError::StateFile(StateFileError::Damaged { .. })),
            "{error:?}"
        );
        assert!(error.to_string().contains(file.to_str().unwrap()));
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::write(&file, r#"{"format":2}"#).unwrap();
    let error = start_from(&file).await.expect_err("a later format");
    assert!(matches!(
        error,
        StartError::StateFile(StateFileError::Format { format: 2, .. })
    ));
}

#[tokio::test]
async fn a_change_that_cannot_be_saved_did_not_happen() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sandbox.json");
    let world = World::with(Some(file)).await;
    let tokens = world.connect("ana").await;
    // A folder in the way of the new file stops every write, whoever runs this.
    fs::create_dir_all(folder.path().join("sandbox.json.new/in-the-way")).unwrap();
    let request = world
        .http
        .post(world.at("/api/notes"))
        .bearer_auth(&tokens.access);
    let response = request.body(r#"{"text":"lost"}"#).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let (status, error) = world.refresh(&tokens.refresh).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(error["error"], "server_error");
    let refused = world.sandbox.register_client("Another", REDIRECT).await;
    assert!(matches!(refused, Err(RegisterError::Save(_))));

    fs::remove_dir_all(folder.path().join("sandbox.json.new")).unwrap();
    let (_, list) = world.get("/api/notes", &tokens.access).await;
    assert_eq!(list, serde_json::json!({ "notes": [] }));
    assert_eq!(world.refresh(&tokens.refresh).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_taken_port_a_taken_file_and_an_open_address_are_refused_in_words() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sandbox.json");
    let first = start_from(&file).await.unwrap();
    let taken = SocketAddr::from(([127, 0, 0, 1], first.port()));
    let error = start_at(taken, &folder.path().join("other.json"))
        .await
        .expect_err("the port is taken");
    assert!(matches!(error, StartError::PortTaken(address) if address == taken));
    let error = start_from(&file).await.expect_err("the file is in use");
    assert!(matches!(
        error,
        StartError::StateFile(StateFileError::InUse(_))
    ));
    let open = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = start_at(open, &file).await.expect_err("open to others");
    assert!(matches!(error, StartError::NotLoopback(_)));
}

#[tokio::test]
async fn clients_need_a_name_and_a_web_address() {
    let world = World::new().await;
    let register = |name, uri| world.sandbox.register_client(name, uri);
    assert!(matches!(
        register(" ", REDIRECT).await,
        Err(RegisterError::Name)
    ));
    for uri in [
        "",
        "/callback",
        "javascript:alert(1)",
        "https://a.example/#b",
        "https://a.example/\r\nb",
    ] {
        let refused = register("Client", uri).await;
        assert!(
            matches!(refused, Err(RegisterError::RedirectUri(_))),
            "{uri}"
        );
    }
    let one = register("Client", "https://a.example/b").await.unwrap();
    assert_ne!(one.client_id, world.client.client_id);
}
