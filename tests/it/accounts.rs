//! Several accounts of one person at one service: which one a call uses, and that nobody is surprised.

use serde_json::{Value, json};

use crate::support::gateway::{TestGateway, gateway_with_acme};
use crate::support::legacy::LegacySession;
use crate::support::person::{Answer, Page, Person};
use crate::support::program::run;
use crate::support::provider::{Provider, SCOPES};

/// Connects an account from the Connections page.
async fn connects(person: &Person, acme: &Provider, account: &str) -> Page {
    let away = person.leave_from_connections("acme").await;
    comes_back(person, acme, account, &away).await
}

/// Signs in at the provider as `account`, agrees, and comes back.
async fn comes_back(person: &Person, acme: &Provider, account: &str, away: &url::Url) -> Page {
    let callback = acme.has_account(account).consent(away).await;
    let page = person.open(callback.as_str()).await;
    page.assert_connected();
    page
}

/// Ana, with the accounts `ana` and `office`.
async fn ana_with_two() -> (Provider, TestGateway, Person) {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    // Everything at once: these tests are not about scopes.
    acme.grants_fewer_scopes(SCOPES);
    connects(&ana, &acme, "ana").await;
    connects(&ana, &acme, "office").await;
    (acme, gateway, ana)
}

/// Allows everything that the service offers, for the connection `id` to `account`.
async fn allows_everything(person: &Person, acme: &Provider, id: &str, account: &str) {
    let page = person.open("/connections").await;
    let more = format!("/connections/{id}/reconnect?allow=everything");
    let away = person.press(&page, &more).await.destination();
    comes_back(person, acme, account, &away).await;
}

/// Whose account a call without a tool argument of its own reaches.
async fn whoami(person: &Person, arguments: Value) -> Value {
    person.call("acme_whoami", arguments).await.json()["name"].clone()
}

/// What each tool says about the argument `account`, where it says anything.
async fn account_arguments(person: &Person) -> Vec<Value> {
    let tools = person.tools().await;
    let argument = |tool: &Value| tool["inputSchema"]["properties"]["account"].clone();
    tools
        .iter()
        .map(argument)
        .filter(|argument| !argument.is_null())
        .collect()
}

/// The connections that the page has a way to disconnect, each once.
fn connection_ids(page: &Page) -> Vec<String> {
    let after = page.text.split("href=\"/connections/con_").skip(1);
    let mut ids: Vec<_> = after
        .filter_map(|rest| rest.split('/').next())
        .map(|id| format!("con_{id}"))
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

/// The connection to `account`, from the card that names it.
fn connection_of(page: &Page, account: &str) -> String {
    let mut cards = page.text.split("<article").skip(1);
    let card = cards.find(|card| card.contains(&format!("<bdi>{account}")));
    let card = card.unwrap_or_else(|| panic!("no card of {account} in {}", page.text));
    let start = card.find("con_").expect("a connection");
    card[start..start + 30].to_owned()
}

#[tokio::test]
async fn only_who_has_several_accounts_reads_of_the_argument() {
    let (acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    connects(&ana, &acme, "ana").await;
    connects(&ben, &acme, "ben").await;
    let before = ana.tools().await;
    assert_eq!(before, ben.tools().await);
    assert!(account_arguments(&ana).await.is_empty());

    connects(&ana, &acme, "office").await;
    let arguments = account_arguments(&ana).await;
    assert_eq!(
        arguments.len(),
        4,
        "every tool of the service, and no other"
    );
    for argument in &arguments {
        assert_eq!(argument["type"], "string");
        let mut names: Vec<_> = argument["enum"].as_array().unwrap().iter().collect();
        names.sort_by_key(ToString::to_string);
        assert_eq!(names, ["ana@acme.test", "office@acme.test"]);
        let description = argument["description"].as_str().unwrap();
        assert!(description.contains("no default"), "{description}");
    }
    for tool in ana.tools().await {
        let required = tool["inputSchema"]["required"].to_string();
        assert!(!required.contains("account"), "{tool:#}");
    }
    let seen = acme.requests().len();
    assert_eq!(ben.tools().await, before);
    ana.tools().await;
    assert_eq!(acme.requests().len(), seen, "nobody is asked for a list");
}

#[tokio::test]
async fn a_call_that_does_not_say_which_account_is_refused_with_the_choices() {
    let (acme, _gateway, ana) = ana_with_two().await;
    let asked = acme.api_requests().len();
    let refused = ana.call("acme_whoami", json!({})).await;
    for part in [
        "2 accounts",
        "ana@acme.test",
        "office@acme.test",
        "`account`",
        "/connections",
    ] {
        refused.assert_failed(part);
    }
    let told = &refused.result()["structuredContent"];
    assert_eq!(told["error"], "account_required");
    assert_eq!(told["argument"], "account");
    let accounts: Vec<_> = told["accounts"].as_array().unwrap().iter().collect();
    assert_eq!(accounts.len(), 2);
    assert!(
        accounts
            .iter()
            .all(|account| account["status"] == "connected")
    );
    assert_eq!(acme.api_requests().len(), asked, "nothing was sent");
}

#[tokio::test]
async fn the_argument_picks_and_stays_here() {
    let (acme, _gateway, ana) = ana_with_two().await;
    let page = ana.open("/connections").await;
    let id = connection_of(&page, "office@acme.test");
    for name in ["office@acme.test", "OFFICE@acme.test", "acme-office", &id] {
        assert_eq!(whoami(&ana, json!({ "account": name })).await, "office");
    }
    let other = connection_of(&page, "ana@acme.test");
    allows_everything(&ana, &acme, &other, "ana").await;
    let thing = json!({ "name": "lamp", "account": "ana@acme.test" });
    ana.call("acme_create_thing", thing).await.json();
    let sent = acme.requests_to("/api/things");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].body, r#"{"name":"lamp"}"#);
    let things =
        |account: &'static str| ana.call("acme_list_things", json!({ "account": account }));
    assert!(things("ana@acme.test").await.text().contains("lamp"));
    assert!(!things("office@acme.test").await.text().contains("lamp"));

    let unknown = ana.call("acme_whoami", json!({ "account": "home" })).await;
    unknown.assert_failed("no account \"home\"");
    unknown.assert_failed("office@acme.test");
    assert_eq!(
        unknown.result()["structuredContent"]["error"],
        "unknown_account"
    );
    let wrong = ana.call("acme_whoami", json!({ "account": ["ana"] })).await;
    wrong.assert_failed("`account`");
}

/// Agents that learned of the account elsewhere, and clients that send null for what they leave out.
#[tokio::test]
async fn one_account_may_be_named_too() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    ana.call("acme_whoami", json!({ "account": "ana@acme.test" }))
        .await
        .assert_failed("not connected");
    connects(&ana, &acme, "ana").await;
    for said in [json!("ana@acme.test"), json!(null), json!("")] {
        assert_eq!(whoami(&ana, json!({ "account": said })).await, "ana");
    }
    ana.call("acme_whoami", json!({ "account": "office" }))
        .await
        .assert_failed("no account \"office\"");
}

#[tokio::test]
async fn the_default_is_used_until_it_is_taken_back_or_disconnected() {
    let (acme, _gateway, ana) = ana_with_two().await;
    let page = ana.open("/connections").await;
    let office = connection_of(&page, "office@acme.test");
    let set = format!("/connections/{office}/default");
    assert!(page.text.contains(&format!("action=\"{set}\"")));
    assert!(!page.text.contains("id=\"default-"), "none is chosen yet");

    let done = ana.press(&page, &set).await;
    assert_eq!(done.location(), "/connections");
    assert_eq!(whoami(&ana, json!({})).await, "office");
    assert_eq!(
        whoami(&ana, json!({ "account": "ana@acme.test" })).await,
        "ana"
    );
    let page = ana.open("/connections").await;
    assert_eq!(page.text.matches("id=\"default-").count(), 1);
    let argument = &account_arguments(&ana).await[0];
    let description = argument["description"].as_str().unwrap();
    assert!(
        description.ends_with("it is office@acme.test."),
        "{description}"
    );

    let clear = format!("/connections/{office}/no-default");
    ana.press(&page, &clear).await;
    ana.call("acme_whoami", json!({}))
        .await
        .assert_failed("2 accounts");

    // Of a disconnected account nothing is left: not even when it is connected again.
    ana.press(&ana.open("/connections").await, &set).await;
    let question = format!("/connections/{office}/disconnect");
    ana.press(&ana.open(&question).await, &question).await;
    assert_eq!(whoami(&ana, json!({})).await, "ana");
    let again = connects(&ana, &acme, "office").await;
    assert!(again.text.contains("a second account"), "{}", again.text);
    ana.call("acme_whoami", json!({}))
        .await
        .assert_failed("2 accounts");
}

/// The forms are like all others: of our own pages alone, and of one's own connections alone.
#[tokio::test]
async fn nobody_chooses_for_another() {
    let (acme, gateway, ana) = ana_with_two().await;
    let ben = gateway.person("ben").await;
    connects(&ben, &acme, "ben").await;
    let office = connection_of(&ana.open("/connections").await, "office@acme.test");
    let page = ben.open("/connections").await;
    for verb in ["default", "no-default"] {
        let foreign = ben
            .press(&page, &format!("/connections/{office}/{verb}"))
            .await;
        assert_eq!(foreign.status, 404, "{}", foreign.text);
    }
    // Ben's form token in Ana's session.
    let forged = ana
        .press(&page, &format!("/connections/{office}/default"))
        .await;
    assert_ne!(forged.status, 303, "{}", forged.text);
    ana.call("acme_whoami", json!({}))
        .await
        .assert_failed("2 accounts");
}

#[tokio::test]
async fn a_rule_of_the_provider_file_picks_by_an_argument() {
    let (acme, gateway, ana) = ana_with_two().await;
    let rule = "[[account_rule]]\nargument = \"name\"\nequals = \"label\"\n\n[[error]]";
    let file = gateway.folder().join("providers/acme.toml");
    let changed = acme.provider_file().replacen("[[error]]", rule, 1);
    std::fs::write(&file, changed).unwrap();
    gateway.app().reload().unwrap();

    let office = connection_of(&ana.open("/connections").await, "office@acme.test");
    allows_everything(&ana, &acme, &office, "office").await;
    let create = |name: &'static str| ana.call("acme_create_thing", json!({ "name": name }));
    create("Office@acme.test").await.json();
    let things = ana.call("acme_list_things", json!({ "account": "office@acme.test" }));
    assert!(things.await.text().contains("Office@acme.test"));
    create("lamp").await.assert_failed("2 accounts");
}

#[tokio::test]
async fn the_same_account_is_renewed_in_place() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    connects(&ana, &acme, "ana").await;
    let before = connection_ids(&ana.open("/connections").await);
    let again = connects(&ana, &acme, "ana").await;
    assert!(!again.text.contains("id=\"choice\""), "{}", again.text);
    assert_eq!(connection_ids(&ana.open("/connections").await), before);
    assert_eq!(before.len(), 1);
    assert_eq!(whoami(&ana, json!({})).await, "ana");
}

#[tokio::test]
async fn another_account_joins_and_replaces_nothing() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    connects(&ana, &acme, "ana").await;
    let page = connects(&ana, &acme, "office").await;
    for part in [
        "a second account",
        "ana@acme.test",
        "must now say which account",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert_eq!(connection_ids(&ana.open("/connections").await).len(), 2);
    assert_eq!(
        [acme.live_grants_of("ana"), acme.live_grants_of("office")],
        [1, 1]
    );
    // The button on that very page makes it the default.
    let office = connection_of(&ana.open("/connections").await, "office@acme.test");
    ana.press(&page, &format!("/connections/{office}/default"))
        .await;
    assert_eq!(whoami(&ana, json!({})).await, "office");
    let third = connects(&ana, &acme, "third").await;
    assert!(third.text.contains("go on using"), "{}", third.text);
    assert_eq!(whoami(&ana, json!({})).await, "office");
}

#[tokio::test]
async fn who_reconnects_as_someone_else_is_told_that_nothing_is_mended() {
    let (acme, gateway) = gateway_with_acme().await;
    let ana = gateway.person("ana").await;
    connects(&ana, &acme, "ana").await;
    acme.access_is_removed_by("ana");
    ana.call("acme_whoami", json!({})).await.link();
    let page = ana.open("/connections").await;
    let expired = connection_of(&page, "ana@acme.test");
    let again = format!("/connections/{expired}/reconnect?allow=same");
    assert!(
        page.text.contains(&format!("action=\"{again}\"")),
        "{}",
        page.text
    );
    let away = ana.press(&page, &again).await.destination();
    let page = comes_back(&ana, &acme, "office", &away).await;
    assert!(page.text.contains("is still expired"), "{}", page.text);
    // Nothing has slipped to the new account.
    let refused = ana.call("acme_whoami", json!({})).await;
    refused.assert_failed("must be connected again");
    let away = ana.press(&page, &again).await.destination();
    let page = comes_back(&ana, &acme, "ana", &away).await;
    assert!(!page.text.contains("still-expired"), "{}", page.text);
    assert_eq!(
        whoami(&ana, json!({ "account": "ana@acme.test" })).await,
        "ana"
    );
}

/// The link is for the account that the call means, and says so.
#[tokio::test]
async fn a_call_waits_for_the_account_that_it_means() {
    let (acme, _gateway, ana) = ana_with_two().await;
    acme.access_is_removed_by("office");
    let opens_links = json!({ "elicitation": { "form": {}, "url": {} } });
    let office = json!({ "account": "office@acme.test" });
    let asked = ana
        .call_with(
            "acme_whoami",
            office.clone(),
            opens_links.clone(),
            json!({}),
        )
        .await;
    let asked = asked.result().clone();
    let parameters = &asked["inputRequests"]["connect_acme"]["params"];
    let message = parameters["message"].as_str().unwrap();
    assert!(message.contains("office@acme.test"), "{message}");
    let link = parameters["url"].as_str().unwrap();
    assert!(ana.open(link).await.text.contains("office@acme.test"));
    let back = json!({
        "requestState": asked["requestState"],
        "inputResponses": { "connect_acme": { "action": "accept" } },
        "arguments": office,
        "_meta": { "progressToken": "t" },
    });
    let mut call = ana.listen_to_call("acme_whoami", opens_links, back).await;
    call.next_of("notifications/progress").await;
    let seen = acme.requests_to("/api/me").len();
    connects(&ana, &acme, "third").await;
    let away = ana.leave_for_provider(link).await;
    assert_eq!(
        acme.requests_to("/api/me").len(),
        seen + 1,
        "the third's own"
    );
    comes_back(&ana, &acme, "office", &away).await;
    let answer = Answer {
        body: call.answer().await,
    };
    assert_eq!(answer.json()["name"], "office");
}

#[tokio::test]
async fn an_expired_default_is_mended_and_not_passed_over() {
    let (acme, _gateway, ana) = ana_with_two().await;
    let page = ana.open("/connections").await;
    let office = connection_of(&page, "office@acme.test");
    ana.press(&page, &format!("/connections/{office}/default"))
        .await;
    acme.access_is_removed_by("office");
    let link = ana.call("acme_whoami", json!({})).await.link();
    let again = ana.call("acme_whoami", json!({})).await;
    again.assert_failed("acme (office@acme.test)");
    let away = ana.leave_for_provider(&link).await;
    comes_back(&ana, &acme, "office", &away).await;
    assert_eq!(whoami(&ana, json!({})).await, "office");
}

#[tokio::test]
async fn sessions_of_that_person_hear_that_their_list_has_changed() {
    let (acme, gateway) = gateway_with_acme().await;
    let (ana, ben) = (gateway.person("ana").await, gateway.person("ben").await);
    connects(&ana, &acme, "ana").await;
    let url = format!("{}/mcp", gateway.origin());
    let session = LegacySession::begin(&url, ana.token(), "2025-11-25", json!({})).await;
    let (mut old, mut new) = (session.listen().await, ana.listen_to_changes().await);
    let mut bens = ben.listen_to_changes().await;
    for stream in [&mut new, &mut bens] {
        stream
            .next_of("notifications/subscriptions/acknowledged")
            .await;
    }
    let changed = "notifications/tools/list_changed";
    connects(&ana, &acme, "office").await;
    old.next_of(changed).await;
    new.next_of(changed).await;
    // The default stands in the list, and so does every account.
    let page = ana.open("/connections").await;
    let office = connection_of(&page, "office@acme.test");
    ana.press(&page, &format!("/connections/{office}/default"))
        .await;
    old.next_of(changed).await;
    new.next_of(changed).await;
    let question = format!("/connections/{office}/disconnect");
    ana.press(&ana.open(&question).await, &question).await;
    old.next_of(changed).await;
    new.next_of(changed).await;
    // Renewing the only account changes no list.
    connects(&ana, &acme, "ana").await;

    let providers = [&acme];
    let (_gateway, heard) = tokio::join!(gateway.restart(&providers), async {
        let mut heard = [0, 0];
        for (count, stream) in heard.iter_mut().zip([&mut new, &mut bens]) {
            while let Some(message) = stream.next().await {
                *count += usize::from(message["method"] == changed);
            }
        }
        heard
    });
    assert_eq!(heard, [0, 0], "ana's after the last, ben's at all");
}

/// On threads of their own: the commands block the test's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_and_commands_show_the_accounts_and_the_default() {
    let (acme, mut gateway, ana) = ana_with_two().await;
    let _control = gateway.bridge_for("ana").await;
    let data = gateway.folder().join("data");
    let attache =
        |arguments: &[&str]| run(&[arguments, &["--data-dir", data.to_str().unwrap()]].concat());
    let json = |arguments: &[&str]| -> Value {
        let ended = attache(&[arguments, &["--json"]].concat());
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr))
    };
    let refused = json(&["call", "acme_whoami"]);
    assert_eq!(refused["kind"], "account_required");
    assert_eq!(refused["accounts"].as_array().unwrap().len(), 2);
    assert_eq!(attache(&["call", "acme_whoami"]).status, Some(2));
    let named = attache(&["call", "acme_whoami", "account=acme-office"]);
    assert!(named.stdout.contains("office"), "{}", named.stderr);

    let unknown = attache(&["accounts", "default", "acme", "home"]);
    assert_eq!(unknown.status, Some(2));
    assert!(
        unknown.stderr.contains("office@acme.test"),
        "{}",
        unknown.stderr
    );
    assert_eq!(
        attache(&["accounts", "default", "nope", "x"]).status,
        Some(2)
    );
    let done = attache(&["accounts", "default", "acme", "office@acme.test"]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    assert_eq!(whoami(&ana, json!({})).await, "office");
    let accounts = json(&["accounts"]);
    let defaults: Vec<_> = accounts
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["account"].as_str().unwrap(), line["default"] == true))
        .collect();
    assert_eq!(
        defaults,
        [("office@acme.test", true), ("ana@acme.test", false)]
    );
    assert!(
        attache(&["connections"])
            .stdout
            .contains("office@acme.test, the default")
    );

    let listed = ana.call("attache_connections", json!({})).await;
    assert!(
        listed.text().contains("as office@acme.test, the default"),
        "{}",
        listed.text()
    );
    let services = &listed.result()["structuredContent"]["services"];
    assert_eq!(services[0]["default"], true);
    assert_eq!(services[1]["default"], false);

    attache(&["accounts", "default", "acme", "--none"]);
    ana.call("acme_whoami", json!({}))
        .await
        .assert_failed("2 accounts");
    acme.assert_no_violations();
}

#[tokio::test]
async fn a_default_survives_a_restart() {
    let (acme, gateway, ana) = ana_with_two().await;
    let page = ana.open("/connections").await;
    let office = connection_of(&page, "office@acme.test");
    ana.press(&page, &format!("/connections/{office}/default"))
        .await;
    let gateway = gateway.restart(&[&acme]).await;
    let ana = gateway.person("ana").await;
    assert_eq!(whoami(&ana, json!({})).await, "office");
}

/// As far as the provider can be told: the browser may be signed in there with the other account.
#[tokio::test]
async fn the_provider_is_told_which_account_is_expected() {
    let (acme, gateway) = gateway_with_acme().await;
    let file = gateway.folder().join("providers/acme.toml");
    let steered = "label = \"email\"\nsign_in = { expected = { login_hint = \"label\" }, \
                   choose = { prompt = \"select_account\" } }";
    let changed = acme
        .provider_file()
        .replacen("label = \"email\"", steered, 1);
    std::fs::write(&file, changed).unwrap();
    gateway.app().reload().unwrap();
    let ana = gateway.person("ana").await;
    let steering = |away: &url::Url| -> Vec<(String, String)> {
        let pairs = away.query_pairs().into_owned();
        pairs
            .filter(|(name, _)| name == "login_hint" || name == "prompt")
            .collect()
    };
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];

    let first = ana.leave_from_connections("acme").await;
    assert!(steering(&first).is_empty());
    comes_back(&ana, &acme, "ana", &first).await;
    let another = ana.leave_from_connections("acme").await;
    assert_eq!(steering(&another), pair("prompt", "select_account"));
    acme.access_is_removed_by("ana");
    let link = ana.call("acme_whoami", json!({})).await.link();
    let again = ana.leave_for_provider(&link).await;
    assert_eq!(steering(&again), pair("login_hint", "ana@acme.test"));
}
