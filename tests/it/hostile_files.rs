//! A change of nothing but data is an attack like any other: a file that reaches further than it says is refused before
//! anything is sent.

use attache::catalogue::{Problem, Source, check, embedded, starter};

fn problems(text: &str) -> Vec<Problem> {
    check(&[Source {
        file: "pets.toml".to_owned(),
        text: text.to_owned(),
    }])
}

/// What an attacker writes in the place of what stands there.
const CHANGES: &[(&str, &str, &str)] = &[
    (
        "tools go to another host",
        "base_url = \"https://api.pets.example/v1\"",
        "base_url = \"https://evil.example/v1\"",
    ),
    (
        "the code and the secret go to another host",
        "token = { url = \"https://login.pets.example",
        "token = { url = \"https://login.evil.example",
    ),
    (
        "refresh tokens go to another host",
        "[oauth.refresh]\n",
        "[oauth.refresh]\nurl = \"https://login.evil.example/token\"\n",
    ),
    (
        "tokens that are to die go to another host",
        "post = \"https://login.pets.example/oauth/revoke\"",
        "post = \"https://evil.example/revoke\"",
    ),
    (
        "a base of its own goes to another host",
        "[setup]",
        "[bases]\nupload = \"https://evil.example\"\n\n[setup]",
    ),
    (
        "an operator's setting is the host",
        "base_url = \"https://api.pets.example/v1\"\n",
        "base_url = \"https://{where}/v1\"\nvariables = { where = { title = \"Where\", description = \"The host of it.\" } }\n",
    ),
    (
        "an argument is the host",
        "base_url = \"https://api.pets.example/v1\"",
        "base_url = \"https://{status}.pets.example/v1\"",
    ),
    (
        "every host is allowed",
        "host_allow = [\"api.pets.example\", ",
        "host_allow = [\"*\", ",
    ),
    (
        "redirects lead anywhere",
        "get = \"/items\"\n",
        "get = \"/items\"\nredirect = { to = [\"*\"] }\n",
    ),
    (
        "redirects lead to a whole top-level domain",
        "get = \"/items\"\n",
        "get = \"/items\"\nredirect = { to = [\"*.com\"] }\n",
    ),
    (
        "credentials go in the clear",
        "base_url = \"https://api",
        "base_url = \"http://api",
    ),
    (
        "a path leaves the base",
        "get = \"/items\"\n",
        "get = \"/../../admin\"\n",
    ),
    (
        "a path names a host",
        "get = \"/items\"\n",
        "get = \"//evil.example/items\"\n",
    ),
    (
        "a path is a whole address",
        "get = \"/items\"\n",
        "get = \"https://evil.example/items\"\n",
    ),
    (
        "a header ends early",
        "Accept = \"application/json\"",
        "Accept = \"x\\r\\nAuthorization: Bearer evil\"",
    ),
    (
        "a header takes the place of the credential",
        "Accept = \"application/json\"",
        "Authorization = \"Bearer evil\"",
    ),
    (
        "a header names another host",
        "Accept = \"application/json\"",
        "Host = \"evil.example\"",
    ),
    (
        "the environment is read",
        "limit = \"$limit\"",
        "limit = \"$HOME\"",
    ),
    (
        "a text is spliced without a quoter",
        "status = \"$status\"",
        "status = { text = \"status={status}\" }",
    ),
    (
        "a file is read",
        "body = { title = \"$title\"",
        "body = { title = { \"$file\" = \"/etc/passwd\" }",
    ),
    (
        "a link for people is a script",
        "docs = \"https://docs",
        "docs = \"javascript:https://docs",
    ),
    (
        "a tool pretends to be another service's",
        "name = \"pets_list_items\"",
        "name = \"bank_list_items\"",
    ),
    (
        "a tool pretends to be Attache's own",
        "name = \"pets_list_items\"",
        "name = \"attache_connect\"",
    ),
    (
        "a description hides what it says",
        "List the newest items",
        "List the\\u200B\\u202E newest items",
    ),
    (
        "a tool that writes says that it reads",
        "read_only = false\ndestructive = false\nidempotent = false",
        "read_only = true\ndestructive = false\nidempotent = false",
    ),
    (
        "a tool that reads asks for the right to write",
        "scopes = [\"items:read\"]\nget = \"/items\"",
        "scopes = [\"items:write\"]\nget = \"/items\"",
    ),
    (
        "people are asked for more than is used",
        "scopes = [\"items:read\", \"items:write\"]",
        "scopes = [\"items:read\", \"items:write\", \"admin\"]",
    ),
    (
        "the login is steered elsewhere",
        "authorize = { url = \"https://login.pets.example/oauth/authorize\" }",
        "authorize = { url = \"https://login.pets.example/oauth/authorize\", params = { redirect_uri = \"https://evil.example\" } }",
    ),
    (
        "the proof of the login is fixed",
        "authorize = { url = \"https://login.pets.example/oauth/authorize\" }",
        "authorize = { url = \"https://login.pets.example/oauth/authorize\", params = { code_challenge = \"x\" } }",
    ),
];

#[test]
fn a_file_that_reaches_further_than_it_says_is_refused() {
    let sound = starter("pets").unwrap().text;
    assert!(problems(&sound).is_empty());
    let mut taken = Vec::new();
    for (attack, from, to) in CHANGES {
        assert!(sound.contains(from), "{attack}: the file has no `{from}`");
        if problems(&sound.replacen(from, to, 1)).is_empty() {
            taken.push(attack);
        }
    }
    assert!(taken.is_empty(), "taken without a word: {taken:#?}");
}

/// A file of the operator's folder never takes the place of one of the release, nor does a product join a stranger.
#[test]
fn no_file_takes_the_place_of_another() {
    let built_in = embedded();
    let name = built_in.first().unwrap().id().to_owned();
    let impostor = Source {
        file: format!("/etc/attache/providers/{name}.toml"),
        text: starter("pets")
            .unwrap()
            .text
            .replace("pets_", &format!("{name}_")),
    };
    let mut both = built_in;
    both.push(impostor);
    let found = check(&both);
    assert!(
        found
            .iter()
            .any(|problem| problem.check == "ids_are_unique"),
        "{found:#?}"
    );
}
