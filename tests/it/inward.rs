//! Nothing leads to this machine or its neighbours (S-25): the real program, with a proxy in its environment and listeners
//! at the addresses that a hostile provider, or a careless provider file, would have it reach.

use serde_json::json;

use crate::support::inward::{File, Inward, log_in, name_for_loopback, owner, tool};
use crate::support::process::Process;
use crate::support::program::Program;

const ANY: &str = "pattern = \".{1,80}\"";

/// A service whose base address is made of what the reply of the token endpoint says. Its pattern allows everything.
fn of_token() -> File {
    File {
        top: "bases = { inward = \"https://{target}:@canary@/v1\" }".to_owned(),
        oauth: format!("\n[oauth.capture.target]\nfrom = \"token\"\npath = \"target\"\n{ANY}"),
        hosts: vec!["{target}".to_owned()],
        tools: tool("get", "base = \"inward\"\nget = \"/x\"\nexample = {}"),
    }
}

/// The same of what the list of tenants says.
fn of_tenants() -> File {
    File {
        top: "bases = { inward = \"https://{host}:@canary@/v1\" }".to_owned(),
        oauth: format!(
            "\n[oauth.tenants]\nget = \"@origin@/sites\"\nitems = \".\"\nid = \"id\"\nlabel = \"name\"\nargument = \"site\"\n\
             \n[oauth.tenants.capture.host]\npath = \"host\"\n{ANY}"
        ),
        hosts: vec!["{host}".to_owned()],
        tools: tool("get", "base = \"inward\"\nget = \"/x\"\nexample = {}"),
    }
}

/// The same of what the operator has filled in.
fn of_setting() -> File {
    File {
        top: format!(
            "bases = {{ inward = \"https://{{host}}:@canary@/v1\" }}\n\
             variables = {{ host = {{ title = \"Host\", description = \"The host of it.\", {ANY} }} }}"
        ),
        hosts: vec!["{host}".to_owned()],
        tools: tool("get", "base = \"inward\"\nget = \"/x\"\nexample = {}"),
        ..File::default()
    }
}

/// Tools whose replies lead elsewhere. Every host that a pattern can name may be redirected to.
fn of_links() -> File {
    let number = |name: &str| {
        format!(
            "\n[tool.input.{name}]\ntype = \"integer\"\ndescription = \"The number of the link.\"\n"
        )
    };
    let name = name_for_loopback().unwrap_or_else(|| "localhost".to_owned());
    let to = format!(
        "[\"127.0.0.1\", \"localhost\", \"*.localhost.localdomain\", \"10.0.0.1\", \"169.254.169.254\", \"0.0.0.0\", \"{name}\"]"
    );
    let follow = format!(
        "get = \"/follow\"\nquery = {{ n = \"$n\" }}\nredirect = {{ to = {to} }}\nexample = {{ n = 0 }}\n{}",
        number("n")
    );
    let stay = format!(
        "get = \"/follow\"\nquery = {{ n = \"$n\" }}\nexample = {{ n = 0 }}\n{}",
        number("n")
    );
    let pages = format!(
        "get = \"/pages\"\nquery = {{ n = \"$n\" }}\npick = {{ items = {{ each = \"items\", pick = {{ id = \"id\" }} }} }}\n\
         pagination = {{ next_link = {{ path = \"next\", params = [\"page\"] }} }}\nexample = {{ n = 0 }}\n{}",
        number("n")
    );
    File {
        tools: tool("follow", &follow) + &tool("stay", &stay) + &tool("pages", &pages),
        ..File::default()
    }
}

#[tokio::test]
async fn what_a_login_says_never_leads_inwards() {
    let world = Inward::start().await;
    let services: Vec<(String, &String)> = world
        .hosts()
        .iter()
        .enumerate()
        .flat_map(|(at, host)| ["captured", "tenant"].map(|kind| (format!("{kind}{at}"), host)))
        .collect();
    for (id, _) in &services {
        let is_tenant = id.starts_with("tenant");
        world.has_service(id, &if is_tenant { of_tenants() } else { of_token() });
    }
    for id in ["sent", "named"] {
        let tools = tool("get", "get = \"/x\"\nexample = {}");
        world.has_service(
            id,
            &File {
                tools,
                ..File::default()
            },
        );
    }
    let program = Program::run(world.command("")).await;
    let ana = owner(&program).await;
    let mut connected = Vec::new();
    for (id, host) in &services {
        let name = format!("{id}_get");
        let link = ana.call(&name, json!({})).await.link();
        let page = log_in(&ana, &link).await;
        if !page.text.contains("id=\"error\"") {
            page.assert_connected();
            ana.call(&name, json!({}))
                .await
                .assert_failed("could not be reached");
            connected.push(host.as_str());
        }
        assert_eq!(world.canaries.hits(), 0, "{id} {host}");
    }
    // Some addresses are right as far as a text can tell: those were refused on the way out.
    for host in ["127.0.0.1", "[::1]", "169.254.169.254", "localhost"] {
        let times = connected.iter().filter(|known| **known == host).count();
        assert_eq!(times, 2, "{host} in {connected:?}");
    }
    let name = name_for_loopback();
    assert!(name.is_none_or(|name| connected.contains(&name.as_str())));
    for id in ["sent", "named"] {
        let link = ana.call(&format!("{id}_get"), json!({})).await.link();
        let page = log_in(&ana, &link).await;
        assert!(page.text.contains("id=\"error\""), "{id} {}", page.text);
        assert_eq!(world.canaries.hits(), 0, "{id}");
    }
    world.canaries.sing();
}

#[tokio::test]
async fn what_a_reply_says_never_leads_inwards() {
    let world = Inward::start().await;
    world.has_service("links", &of_links());
    let program = Program::run(world.command("")).await;
    let ana = owner(&program).await;
    let link = ana.call("links_pages", json!({ "n": 0 })).await.link();
    log_in(&ana, &link).await.assert_connected();
    world.asked();
    for (n, link) in world.links().iter().enumerate() {
        for tool in ["links_follow", "links_stay"] {
            let answer = ana.call(tool, json!({ "n": n })).await;
            answer.assert_failed("");
            assert_eq!(world.asked(), [format!("/links/follow?n={n}")], "{link}");
        }
        let first = ana.call("links_pages", json!({ "n": n })).await.json();
        world.asked();
        if let Some(cursor) = first["next_cursor"].as_str() {
            ana.call("links_pages", json!({ "n": n, "cursor": cursor }))
                .await
                .json();
            assert_eq!(
                world.asked(),
                [format!("/links/pages?n={n}&page=2")],
                "{link}"
            );
        }
        assert_eq!(world.canaries.hits(), 0, "{link}");
    }
    world.canaries.sing();
}

#[tokio::test]
async fn what_an_operator_fills_in_never_leads_inwards() {
    let world = Inward::start().await;
    world.has_service("setting", &of_setting());
    let mut started = 0;
    let some = [
        "127.0.0.1",
        "[::1]",
        "2130706433",
        "169.254.169.254",
        "localhost",
        "x@127.0.0.1",
    ];
    let name = name_for_loopback();
    for host in some.into_iter().chain(name.as_deref()) {
        let variables = format!("[services.setting.variables]\nhost = '{host}'\n");
        let mut process = Process::start(world.command(&variables));
        // A setting that no address can be made of keeps the program from starting.
        if let Some(line) = process.next_line().await {
            let program = Program::of(process, &line);
            let ana = owner(&program).await;
            let answer = ana.call("setting_get", json!({})).await;
            if answer.text().contains("http") && started == 0 {
                log_in(&ana, &answer.link()).await.assert_connected();
            }
            let answer = ana.call("setting_get", json!({})).await;
            answer.assert_failed("could not be reached");
            started += 1;
            program.terminate().await;
        }
        assert_eq!(world.canaries.hits(), 0, "{host}");
    }
    assert!(started >= 3, "{started} settings were taken");
    world.canaries.sing();
}
