use std::collections::BTreeMap;

use http::Response;
use serde_json::json;

use crate::catalogue::{
    Answer, Catalogue, Next, Outgoing, Problem, RefusalKind, Reply, Run, Source, check,
};

const PROVIDER: &str = r#"
name = "Acme"
base_url = "https://{region}.acme.example/v1"
host_allow = ["{region}.acme.example", "login.acme.example"]
confidence = "documentation"
headers = { X-Of = "acme" }
error_text = ["message"]

[variables.region]
title = "Region"
description = "Where your data are."
default = "eu"

[setup]
redirect_rules = "Any address that was registered."

[oauth]
pkce = "required"
client_auth = "post"
scopes = ["me", "mail", "mail.send"]
write_scopes = ["mail.send"]
authorize = { url = "https://login.acme.example/authorize" }
token = { url = "https://login.acme.example/token" }
revoke = { unsupported = true }

[oauth.implies]
"mail.send" = ["mail"]

[oauth.scope_words]
me = "See who you are"
mail = "Read your mail"
"mail.send" = "Send mail as you"

[account]
get = "/me"
scopes = ["me"]
id = "id"
label = "name"

[[account_rule]]
argument = "box"
equals = "label"

[[error]]
when = { status = 401 }
is = "token_invalid"

[[error]]
when = { status = 409 }
is = "conflict"

[[tool]]
name = "acme_whoami"
title = "Who am I"
description = "Say who is connected."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = ["me"]
get = "/me"
example = {}
"#;

const PRODUCT: &str = r#"
authorization = "acme"
name = "Acme Mail"
docs = "https://docs.acme.example/mail"
base_url = "https://mail.{region}.acme.example/v2"
bases = { upload = "https://upload.acme.example/v2" }
host_allow = ["mail.{region}.acme.example", "upload.acme.example"]
confidence = "documentation"
headers = { X-Of = "mail" }
unconfirmed = ["The limit per day is not known."]

[[error]]
when = { status = 409 }
is = "rate_limited"

[[tool]]
name = "mail_list"
title = "List mail"
description = "List what is in a box."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = ["mail"]
get = "/boxes/{box}"
example = { box = "in" }

[tool.input.box]
type = "string"
description = "The name of a box."

[[tool]]
name = "mail_send"
title = "Send mail"
description = "Send a mail as the person."
read_only = false
destructive = false
idempotent = false
open_world = true
effects = ["sends_message"]
scopes = ["mail.send"]
post = "/mails"
body = { to = "$to" }
example = { to = "a@b.example" }

[tool.input.to]
type = "string"
description = "Whom it is for."
"#;

fn sources(provider: &str, product: &str) -> Vec<Source> {
    [("acme.toml", provider), ("mail.toml", product)]
        .map(|(file, text)| Source {
            file: file.to_owned(),
            text: text.to_owned(),
        })
        .into()
}

fn problems(provider: &str, product: &str) -> Vec<Problem> {
    check(&sources(provider, product))
}

fn status(status: u16) -> Response<Vec<u8>> {
    let body = json!({"message": "no"}).to_string().into_bytes();
    Response::builder().status(status).body(body).unwrap()
}

/// The one request of a call.
fn sent<'t>(run: &mut Run<'t>) -> Outgoing<'t> {
    match run.next() {
        Next::Send(mut sent, _) if sent.len() == 1 => sent.remove(0),
        other => panic!("this is not one request: {other:?}"),
    }
}

#[test]
fn a_product_shares_the_connection_and_has_the_rest_for_itself() {
    assert_eq!(problems(PROVIDER, PRODUCT), []);
    let catalogue = Catalogue::from_sources(sources(PROVIDER, PRODUCT)).unwrap();
    assert_eq!(catalogue.providers().len(), 1);
    assert!(catalogue.provider("mail").is_none());
    let (provider, mail) = catalogue.product("mail").unwrap();
    assert_eq!(
        (provider.id(), mail.id(), mail.name(), mail.tools().len()),
        ("acme", "mail", "Acme Mail", 2)
    );
    assert_eq!(provider.tools().len(), 3);

    let variables = provider.resolve(&BTreeMap::new()).unwrap();
    assert_eq!(
        variables.hosts(),
        [
            "eu.acme.example",
            "login.acme.example",
            "mail.eu.acme.example",
            "upload.acme.example"
        ]
    );
    let rendered = |name: &str| {
        let (_, tool) = catalogue.tool(name).unwrap();
        let mut run = tool
            .begin(&variables, tool.example(), String::new())
            .unwrap();
        let request = sent(&mut run).request;
        let of = request.headers()["x-of"].to_str().unwrap().to_owned();
        (tool.product().to_owned(), request.uri().to_string(), of)
    };
    let expected =
        |product: &str, url: &str, of: &str| (product.to_owned(), url.to_owned(), of.to_owned());
    assert_eq!(
        rendered("acme_whoami"),
        expected("acme", "https://eu.acme.example/v1/me", "acme")
    );
    assert_eq!(
        rendered("mail_list"),
        expected("mail", "https://mail.eu.acme.example/v2/boxes/in", "mail")
    );
    let upload = variables.of_product(&"mail".into());
    assert_eq!(
        upload.base(Some("upload")).unwrap().as_str(),
        "https://upload.acme.example/v2"
    );
    assert!(
        variables.base(Some("upload")).is_err(),
        "not the provider's"
    );
}

#[test]
fn the_rules_of_the_product_are_tried_before_those_of_its_provider() {
    let catalogue = Catalogue::from_sources(sources(PROVIDER, PRODUCT)).unwrap();
    let kind = |tool: &str, code: u16| {
        let (provider, tool) = catalogue.tool(tool).unwrap();
        let variables = provider.resolve(&BTreeMap::new()).unwrap();
        let mut run = tool
            .begin(&variables, tool.example(), String::new())
            .unwrap();
        let to = sent(&mut run).id;
        let response = status(code);
        run.answer(vec![Answer { to, response }]);
        match run.next() {
            Next::Done(Reply::Refused(refusal)) => (refusal.kind, refusal.message),
            other => panic!("{code} is no refusal: {other:?}"),
        }
    };
    let no = |kind: RefusalKind| (kind, "no".to_owned());
    assert_eq!(kind("mail_list", 409), no(RefusalKind::RateLimited));
    assert_eq!(kind("acme_whoami", 409), no(RefusalKind::Conflict));
    assert_eq!(kind("mail_list", 401), no(RefusalKind::TokenInvalid));
}

/// Which check fires when in one of the two files the first text is replaced by the second.
const DAMAGES: &[(&str, &str, &str, &str)] = &[
    (
        "products_have_a_provider",
        "mail",
        "authorization = \"acme\"",
        "authorization = \"acne\"",
    ),
    (
        "products_have_a_provider",
        "mail",
        "authorization = \"acme\"",
        "authorization = \"mail\"",
    ),
    (
        "scopes_are_listed",
        "mail",
        "[\"mail.send\"]",
        "[\"mail.delete\"]",
    ),
    (
        "listed_scopes_are_needed",
        "mail",
        "scopes = [\"mail.send\"]",
        "scopes = [\"me\"]",
    ),
    (
        "tool_names_are_unique",
        "mail",
        "\"mail_send\"",
        "\"acme_send\"",
    ),
    (
        "tool_names_are_unique",
        "mail",
        "\"mail_send\"",
        "\"mail_list\"",
    ),
    (
        "hosts_are_constant_or_allowed",
        "mail",
        "https://mail.{region}",
        "https://{region}",
    ),
    (
        "hosts_are_constant_or_allowed",
        "mail",
        "\"https://upload.acme.example/v2\"",
        "\"https://upload.evil.example/v2\"",
    ),
    (
        "variables_are_declared_and_used",
        "mail",
        "mail.{region}",
        "mail.{regio}",
    ),
    ("urls_are_https", "mail", "https://docs", "http://docs"),
    ("account_rules_can_decide", "acme", "\"box\"", "\"bo\""),
    (
        "descriptions_are_sentences",
        "mail",
        "not known.",
        "not known",
    ),
    (
        "read_only_tools_need_no_write_scope",
        "mail",
        "scopes = [\"mail\"]",
        "scopes = [\"mail.send\"]",
    ),
    (
        "base_scopes_are_not_for_tools",
        "acme",
        "write_scopes",
        "base_scopes = [\"mail\"]\nwrite_scopes",
    ),
];

#[test]
fn what_is_wrong_with_a_product_is_noticed_once() {
    for (name, file, from, to) in DAMAGES {
        let damage = |text: &str, of: &str| {
            if *file == of {
                assert!(text.contains(from), "{of} has no `{from}`");
                text.replace(from, to)
            } else {
                text.to_owned()
            }
        };
        let found = problems(&damage(PROVIDER, "acme"), &damage(PRODUCT, "mail"));
        let fired = found.iter().any(|problem| problem.check == *name);
        assert!(fired, "{name} does not notice {to}: {found:#?}");
    }
}

#[test]
fn a_product_of_a_product_and_a_taken_id_are_refused() {
    let mut files = sources(PROVIDER, PRODUCT);
    files.push(Source {
        file: "post.toml".to_owned(),
        text: PRODUCT
            .replace("authorization = \"acme\"", "authorization = \"mail\"")
            .replace("mail_", "post_"),
    });
    let found = check(&files);
    assert!(
        found.iter().any(|problem| problem.file == "post.toml"
            && problem.check == "products_have_a_provider"
            && problem.message.contains("is a product itself")),
        "{found:#?}"
    );
    let mut files = sources(PROVIDER, PRODUCT);
    files.push(Source {
        file: "elsewhere/mail.toml".to_owned(),
        text: PROVIDER.replace("acme_", "mail_"),
    });
    let found = check(&files);
    let taken = found.iter().find(|one| one.check == "ids_are_unique");
    assert!(taken.is_some(), "{found:#?}");
}

#[test]
fn what_makes_a_connection_has_no_place_in_a_product() {
    for (key, text) in [
        ("oauth", "[oauth]\npkce = \"off\"\n[[tool]]"),
        ("account", "[account]\nget = \"/me\"\n[[tool]]"),
        (
            "account_rule",
            "[[account_rule]]\nargument = \"box\"\n[[tool]]",
        ),
        (
            "setup",
            "[setup]\nredirect_rules = \"None at all.\"\n[[tool]]",
        ),
        ("variables", "[variables.a]\ntitle = \"A\"\n[[tool]]"),
    ] {
        let product = PRODUCT.replacen("[[tool]]", text, 1);
        let found = problems(PROVIDER, &product);
        let unreadable = found.iter().find(|one| one.check == "file_is_readable");
        let unreadable = unreadable.unwrap_or_else(|| panic!("{key}: {found:#?}"));
        assert!(
            unreadable.remedy.contains("move") && unreadable.remedy.contains(&format!("`{key}`")),
            "{unreadable}"
        );
    }
}
