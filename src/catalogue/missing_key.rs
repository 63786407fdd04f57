//! What to write when a required key is missing: the line, and the table that it belongs to.

use std::ops::Range;

/// A line for each required key, by the table that it stands in as `schema/places.json` calls it.
pub(super) const EXAMPLES: &[(&str, &str, &str)] = &[
    ("provider", "name", r#"name = "Notes""#),
    (
        "provider",
        "base_url",
        r#"base_url = "https://api.notes.example/v1""#,
    ),
    (
        "provider",
        "host_allow",
        r#"host_allow = ["api.notes.example"]"#,
    ),
    ("provider", "confidence", r#"confidence = "documentation""#),
    (
        "provider",
        "setup",
        r#"setup = { redirect_rules = "One redirect URL per app." }"#,
    ),
    (
        "provider",
        "oauth",
        r#"oauth = { pkce = "required", client_auth = "post", scopes = [], authorize = { url = ".." }, token = { url = ".." }, revoke = { unsupported = true } }"#,
    ),
    (
        "provider",
        "account",
        r#"account = { get = "/me", scopes = [], id = "id", label = "email" }"#,
    ),
    ("product", "authorization", r#"authorization = "notes""#),
    ("product", "name", r#"name = "Notes Calendar""#),
    (
        "product",
        "base_url",
        r#"base_url = "https://api.notes.example/calendar""#,
    ),
    (
        "product",
        "host_allow",
        r#"host_allow = ["api.notes.example"]"#,
    ),
    ("product", "confidence", r#"confidence = "documentation""#),
    ("variable", "title", r#"title = "Subdomain""#),
    (
        "variable",
        "description",
        r#"description = "The first part of your address.""#,
    ),
    ("derive", "from", r#"from = "region""#),
    (
        "derive",
        "table",
        r#"table = { us = "api-us", eu = "api-eu" }"#,
    ),
    (
        "setup",
        "redirect_rules",
        r#"redirect_rules = "One redirect URL per app.""#,
    ),
    ("oauth", "pkce", r#"pkce = "required""#),
    ("oauth", "client_auth", r#"client_auth = "post""#),
    ("oauth", "scopes", r#"scopes = ["notes.read"]"#),
    (
        "oauth",
        "authorize",
        r#"authorize = { url = "https://notes.example/oauth/authorize" }"#,
    ),
    (
        "oauth",
        "token",
        r#"token = { url = "https://notes.example/oauth/token" }"#,
    ),
    (
        "oauth",
        "revoke",
        r#"revoke = { post = "https://notes.example/oauth/revoke", auth = "client", token_param = "token", tokens = "refresh_then_access" }"#,
    ),
    (
        "authorize",
        "url",
        r#"url = "https://notes.example/oauth/authorize""#,
    ),
    (
        "token",
        "url",
        r#"url = "https://notes.example/oauth/token""#,
    ),
    (
        "introspection",
        "url",
        r#"url = "https://notes.example/oauth/introspect""#,
    ),
    ("oauth_capture", "from", r#"from = "token""#),
    ("oauth_capture", "path", r#"path = "instance_url""#),
    ("oauth_capture", "pattern", r#"pattern = "[a-z0-9-]+""#),
    ("tenants", "items", r#"items = ".""#),
    ("tenants", "id", r#"id = "id""#),
    ("tenants", "label", r#"label = "name""#),
    ("tenants", "capture", r#"capture = { site_id = "id" }"#),
    ("tenants", "argument", r#"argument = "site""#),
    ("account", "id", r#"id = "id""#),
    ("account", "label", r#"label = "email""#),
    ("account_rule", "argument", r#"argument = "owner""#),
    ("account_rule", "equals", r#"equals = "label""#),
    ("error", "when", "when = { status = 404 }"),
    ("error", "is", r#"is = "not_found""#),
    ("treat_as_success", "when", "when = { status = 409 }"),
    ("treat_as_success", "output", "output = { ok = true }"),
    ("list", "each", r#"each = "data""#),
    ("list", "pick", r#"pick = { id = "id", title = "title" }"#),
    ("apply", "apply", r#"apply = "html_to_text""#),
    ("apply", "to", r#"to = "body""#),
    ("entries", "entries", r#"entries = "fields""#),
    ("entries", "key", r#"key = "name""#),
    ("entries", "pick", r#"pick = "value""#),
    ("first", "first", r#"first = ["title", "name"]"#),
    ("cut", "cut", r#"cut = "body""#),
    ("cut", "chars", "chars = 500"),
    ("graphql", "document", r#"document = "query { me { id } }""#),
    (
        "multipart_related",
        "metadata",
        r#"metadata = { name = "$name" }"#,
    ),
    ("part", "name", r#"name = "file""#),
    ("header_json", "name", r#"name = "X-Arguments""#),
    ("header_json", "value", r#"value = { path = "$path" }"#),
    ("redirect", "to", r#"to = ["files.notes.example"]"#),
    ("tool", "name", r#"name = "notes_list""#),
    ("tool", "title", r#"title = "List notes""#),
    ("tool", "description", r#"description = "List every note.""#),
    ("tool", "read_only", "read_only = true"),
    ("tool", "destructive", "destructive = false"),
    ("tool", "idempotent", "idempotent = true"),
    ("tool", "open_world", "open_world = false"),
    ("tool", "scopes", r#"scopes = ["notes.read"]"#),
    ("tool", "example", "example = { limit = 10 }"),
    ("step", "id", r#"id = "current""#),
    ("place_test", "argument", r#"argument = "folder""#),
    ("expand", "over", r#"over = "data""#),
    ("expand", "max", "max = 20"),
    (
        "poll",
        "done",
        r#"done = { path = "state", equals = "done" }"#,
    ),
    ("next_link", "params", r#"params = ["cursor"]"#),
    ("offset", "items", r#"items = "data""#),
    ("last_id", "items", r#"items = "data""#),
    ("last_id", "id", r#"id = "id""#),
];

/// Where the messages of a part of `pick` begin, and what it is.
const IN_PICK: &[(&str, &str)] = &[
    ("in a list of `pick`", "list"),
    ("in a transform of `pick`", "apply"),
    ("in `entries` of `pick`", "entries"),
    ("in a `first` of `pick`", "first"),
    ("in a `cut` of `pick`", "cut"),
];

/// What to write, when `message` says that a required key is missing in what stands at `span` of `text`.
pub(super) fn line_to_write(
    message: &str,
    text: &str,
    span: Option<Range<usize>>,
) -> Option<String> {
    let (_, rest) = message.split_once("missing field `").or_else(|| {
        Some(("", message.split_once(": `")?.1)).filter(|_| message.contains("is not declared"))
    })?;
    let key = rest.split('`').next()?;
    let (place, table) = table_of(message, text, span)?;
    let (_, _, line) = EXAMPLES
        .iter()
        .find(|(known, required, _)| *known == place && *required == key)?;
    Some(format!("add it {table}, as in `{line}`"))
}

/// The kind of the table in which a key is missing, and where it stands in words.
fn table_of(
    message: &str,
    text: &str,
    span: Option<Range<usize>>,
) -> Option<(&'static str, String)> {
    let in_pick = IN_PICK.iter().find(|(start, _)| message.contains(start));
    if let Some((_, place)) = in_pick {
        return Some((place, "to this table of `pick`".to_owned()));
    }
    let span = span?;
    let path = path_at(text, &span);
    let place = place_of(&path, text)?;
    let table = match path.as_str() {
        "" => "to the top of the file, before the first `[table]`".to_owned(),
        path if path.starts_with("tool") || matches!(path, "error" | "account_rule") => {
            format!("below this `[[{path}]]`")
        }
        path => format!("to `[{path}]`"),
    };
    Some((place, table))
}

/// The keys that lead to the table at `span`; empty for the file itself.
fn path_at(text: &str, span: &Range<usize>) -> String {
    if span.start == 0 && span.end >= text.trim_end().len() {
        return String::new();
    }
    let here = text.get(span.start..).unwrap_or_default();
    let before = text.get(..span.start).unwrap_or_default();
    if here.starts_with('[')
        && before
            .lines()
            .next_back()
            .is_none_or(|_| before.ends_with('\n') || before.is_empty())
    {
        return header(here).to_owned();
    }
    // An inline table: the header above it, and the key that it belongs to.
    let lines: Vec<&str> = before.lines().collect();
    let above = lines.iter().rev().find(|line| line.starts_with('['));
    let above = above.map_or("", |line| header(line));
    let key = lines.last().and_then(|line| line.rsplit_once('='));
    let key = key.map_or("", |(keys, _)| {
        let keys = keys.trim_end();
        keys.rsplit([' ', '{', ',', '[']).next().unwrap_or(keys)
    });
    [above, key]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(".")
}

/// The keys of the table header that a text begins with.
fn header(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    let inside = line.trim_start_matches('[');
    inside.split(']').next().unwrap_or_default().trim()
}

/// What kind of table stands at a path.
fn place_of(path: &str, text: &str) -> Option<&'static str> {
    let keys: Vec<&str> = path.split('.').collect();
    Some(match keys.as_slice() {
        [""] if super::file::authorization(text).is_some() => "product",
        [""] => "provider",
        ["variables", _] => "variable",
        ["variables", _, "derive"] => "derive",
        ["oauth", "capture", _] => "oauth_capture",
        ["setup"] => "setup",
        ["oauth"] => "oauth",
        ["oauth", "authorize"] => "authorize",
        ["oauth", "token"] => "token",
        ["oauth", "introspection"] => "introspection",
        ["oauth", "tenants"] => "tenants",
        ["account"] => "account",
        ["account_rule"] => "account_rule",
        ["error"] | ["tool", "error"] => "error",
        ["tool"] => "tool",
        ["tool", "step"] => "step",
        ["tool", "expand"] => "expand",
        ["tool", "poll"] => "poll",
        ["tool", "treat_as_success"] => "treat_as_success",
        ["tool", .., "graphql"] => "graphql",
        ["tool", "pagination", "next_link"] => "next_link",
        ["tool", "pagination", "offset"] => "offset",
        ["tool", "pagination", "last_id"] => "last_id",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::catalogue::Source;
    use crate::catalogue::schema::PLACES;

    #[test]
    fn every_required_key_has_a_line_that_is_toml() {
        let places: Value = serde_json::from_str(PLACES).unwrap();
        let required = places.as_object().unwrap().iter().flat_map(|(place, of)| {
            let keys = of["required"].as_array().into_iter().flatten();
            keys.map(move |key| (place.as_str(), key.as_str().unwrap()))
        });
        let required: BTreeSet<_> = required.collect();
        let there: BTreeSet<_> = EXAMPLES
            .iter()
            .map(|(place, key, _)| (*place, *key))
            .collect();
        assert_eq!(required, there);
        for (_, key, line) in EXAMPLES {
            let table: toml::Table = toml::from_str(line).unwrap();
            assert_eq!(table.keys().collect::<Vec<_>>(), [key], "{line}");
        }
    }

    fn remedy(text: &str) -> String {
        let source = Source {
            file: "providers/notes.toml".into(),
            text: text.into(),
        };
        source.parse().unwrap_err().remedy
    }

    #[test]
    fn a_missing_key_is_answered_with_the_line_and_its_table() {
        let top = "name = 'Notes'\nbase_url = 'https://a.example'\nhost_allow = ['a.example']\n";
        let sound = format!("{top}confidence = 'live'\n[setup]\nredirect_rules = 'One.'\n");
        for (text, expected) in [
            (
                top.to_owned(),
                "add it to the top of the file, before the first `[table]`, as in `confidence = \"documentation\"`",
            ),
            (
                format!("authorization = 'a'\n{top}"),
                "add it to the top of the file, before the first `[table]`, as in `confidence = \"documentation\"`",
            ),
            (
                format!("{sound}[oauth]\npkce = 'off'\n"),
                "add it to `[oauth]`, as in `client_auth = \"post\"`",
            ),
            (
                format!("{sound}[oauth]\nauthorize = {{ params = {{}} }}\n"),
                "add it to `[oauth.authorize]`, as in `url = \"https://notes.example/oauth/authorize\"`",
            ),
            (
                format!("{sound}[variables.zone]\ntitle = 'Zone'\n"),
                "add it to `[variables.zone]`, as in `description = \"The first part of your address.\"`",
            ),
            (
                format!("{sound}[[error]]\nwhen = {{ status = 401 }}\n"),
                "add it below this `[[error]]`, as in `is = \"not_found\"`",
            ),
            (
                format!("{sound}[[tool]]\nname = 'notes_a'\ntitle = 'A'\n"),
                "add it below this `[[tool]]`, as in `description = \"List every note.\"`",
            ),
            (
                format!(
                    "{sound}[[tool]]\nname = 'notes_a'\ntitle = 'A'\ndescription = 'A.'\nscopes = []\nget = '/'\nexample = {{}}\n"
                ),
                "add it below this `[[tool]]`, as in `read_only = true`",
            ),
            (
                format!("{sound}[[tool]]\nname = 'notes_a'\npick = {{ a = {{ each = 'x' }} }}\n"),
                "add it to this table of `pick`, as in `pick = { id = \"id\", title = \"title\" }`",
            ),
        ] {
            assert_eq!(remedy(&text), expected, "{text}");
        }
    }
}
