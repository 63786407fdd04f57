//! Every check fires: a sound file is damaged in one place, and the check that is meant to notice does.

use std::collections::BTreeSet;

use super::{CHECKS, check};
use crate::catalogue::{Problem, Source};

/// A small file without a fault, with everything in it that a check looks at.
const SOUND: &str = r#"
name = "Notes"
docs = "https://docs.notes.example"
base_url = "https://{tenant}.notes.example/api"
bases = { site = "https://{zone}.notes.example/sites/{site_id}", archive = "https://{tenant}.notes.example/archive" }
host_allow = ["{tenant}.notes.example", "{zone}.notes.example", "login.notes.example"]
confidence = "documentation"
unconfirmed = ["The lifetime of a token is not known."]

[variables.tenant]
title = "Tenant"
description = "The first part of your address."
default = "acme"

[variables.plan]
title = "Plan"
description = "What you pay for."
enum = ["free", "paid"]
default = "free"

[variables.zone]
title = "Zone"
description = "Where your sites are."
derive = { from = "plan", table = { free = "sites", paid = "sites-paid" } }

[setup]
redirect_rules = "Any address that was registered."

[oauth]
issuer = "https://login.notes.example"
iss_required = true
pkce = "required"
client_auth = "post"
scopes = ["read", "write"]
default_scopes = ["read"]
base_scopes = ["offline"]
write_scopes = ["write"]
authorize = { url = "https://login.notes.example/authorize" }
token = { url = "https://login.notes.example/token" }
revoke = { post = "https://login.notes.example/revoke/{client_id}", auth = "client", token_param = "token", tokens = "access" }

[oauth.tenants]
get = "https://login.notes.example/sites"
items = "."
id = "id"
label = "name"
capture = { site_id = "id" }
argument = "site"

[oauth.implies]
write = ["read"]

[oauth.scope_words]
read = "See your notes"
write = "Write notes as you"
offline = "Stay connected"

[account]
get = "/me"
scopes = ["read"]
id = "id"
label = "name"
workspace = "team"

[[account_rule]]
argument = "folder"
equals = "workspace"

[[error]]
when = { status = 401 }
is = "token_invalid"

[[error]]
when = { body = { path = "errors.0.message", exists = true } }
is = "invalid"

[[tool]]
name = "notes_list"
title = "List notes"
description = "List every note."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = ["read"]
get = "/folders/{folder}/notes"
query = { limit = "$limit" }
example = { folder = "inbox" }

[tool.input.folder]
type = "string"
description = "The name of a folder."

[tool.input.limit]
type = "integer"
maximum = 50
default = 20
description = "How many notes to return."

[[tool]]
name = "notes_delete"
title = "Delete a note"
description = "Delete a note for good."
read_only = false
destructive = true
idempotent = true
open_world = false
effects = ["deletes"]
scopes = ["write"]
delete = "/notes/{id}"
example = { id = 7 }

[tool.input.id]
type = "integer"
description = "The number of the note."

[[tool]]
name = "notes_pin"
title = "Pin a note"
description = "Pin a note to the top."
read_only = false
destructive = false
idempotent = true
open_world = false
scopes = ["write"]
post = "/graphql"
graphql = { document = "mutation Pin($note: ID!, $note_color: String) { pin(note: $note, color: $note_color) { success } }", variables = { note = "$note", note_color = "$color" }, data = "pin", success = "success" }
treat_as_success = { when = { body = { path = "error", equals = "already_pinned" } }, output = { ok = true } }
example = { note = "n7" }

[tool.input.note]
type = "string"
description = "The id of the note."

[tool.input.color]
type = "string"
required = false
description = "The color of the pin."

[[tool]]
name = "notes_rename"
title = "Rename a note"
description = "Give a note another title."
read_only = false
destructive = false
idempotent = false
open_world = false
scopes = ["write"]
put = "/notes/{note_id}"
body = { title = "$new_title", version = "$version" }
example = { note_id = "n7", new_title = "Plans" }

[tool.input.note_id]
type = "string"
description = "The note to rename."

[tool.input.new_title]
type = "string"
description = "Its title from now on."

[[tool.step]]
id = "current"
get = "/notes/{note_id}"
capture = { version = { path = "version.number", add = 1 } }
missing = "The note has no version."

[[tool.step]]
id = "lock"
post = "/notes/{note_id}/lock/{version}"
done = "The note {note_id} was locked."

[[tool]]
name = "notes_search"
title = "Search notes"
description = "Find notes by their words."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = ["read"]
get = "/search"
base = "archive"
example = {}

[tool.expand]
over = "hits"
get = "/notes/{item.id}"
max = 10
concurrency = 2

[[tool]]
name = "notes_export"
title = "Export notes"
description = "Write every note into a file."
read_only = false
destructive = false
idempotent = false
open_world = false
scopes = ["write"]
post = "/exports"
example = {}

[tool.poll]
get = "/exports/{export_id}"
capture = { export_id = "id" }
done = { path = "state", equals = "done" }
"#;

/// Which check fires when the first text is replaced by the second.
const DAMAGES: &[(&str, &str, &str)] = &[
    (
        "derived_variables_follow",
        "paid = \"sites-paid\"",
        "payd = \"sites-paid\"",
    ),
    (
        "derived_variables_follow",
        "from = \"plan\"",
        "from = \"tenant\"",
    ),
    (
        "derived_variables_follow",
        "free = \"sites\"",
        "free = \"evil.example/\"",
    ),
    (
        "variable_defaults_match",
        "default = \"free\"",
        "default = \"gold\"",
    ),
    (
        "captures_are_used_and_free",
        "capture = { site_id = \"id\" }",
        "capture = { site_id = \"id\", other = \"x\" }",
    ),
    (
        "captures_are_used_and_free",
        "capture = { site_id = \"id\" }",
        "capture = { site_id = \"id\", zone = \"x\" }",
    ),
    (
        "captures_are_used_and_free",
        "[tool.input.new_title]",
        "[tool.input.site_id]\ntype = \"string\"\nrequired = false\ndescription = \"A site.\"\n[tool.input.new_title]",
    ),
    (
        "outputs_name_what_is_there",
        "get = \"/folders/{folder}/notes\"",
        "get = \"/folders/{folder}/notes\"\npick = { site = { argument = \"site_id\" } }",
    ),
    (
        "captures_are_used_and_free",
        "[oauth.implies]",
        "[oauth.capture.site_id]\nfrom = \"token\"\npath = \"x\"\npattern = \"[a-z]+\"\n[oauth.implies]",
    ),
    (
        "variables_are_declared_and_used",
        "capture = { site_id = \"id\" }",
        "capture = { site_key = \"id\" }",
    ),
    (
        "variables_are_declared_and_used",
        "https://login.notes.example/token",
        "https://login.notes.example/{site_id}/token",
    ),
    (
        "hosts_are_constant_or_allowed",
        "https://login.notes.example/sites",
        "https://login.evil.example/sites",
    ),
    (
        "urls_are_https",
        "https://login.notes.example/sites",
        "http://login.notes.example/sites",
    ),
    (
        "hosts_are_constant_or_allowed",
        "{zone}.notes.example",
        "{site_id}",
    ),
    (
        "tenants_can_be_asked_for",
        "https://login.notes.example/sites",
        "https://login.notes.example/{me}/sites",
    ),
    (
        "tenants_can_be_asked_for",
        "get = \"/me\"",
        "base = \"site\"\nget = \"/me\"",
    ),
    (
        "tenant_argument_is_no_input",
        "argument = \"site\"",
        "argument = \"folder\"",
    ),
    (
        "tenant_argument_is_no_input",
        "argument = \"site\"",
        "argument = \"cursor\"",
    ),
    (
        "deciding_arguments_are_enums",
        "scopes = [\"write\"]\ndelete",
        "scopes = { by_argument = \"id\", table = { a = [\"write\"] } }\ndelete",
    ),
    (
        "urls_are_https",
        "\"https://login.notes.example/token\"",
        "\"http://login.notes.example/token\"",
    ),
    ("urls_are_https", "docs = \"https:", "docs = \"javascript:"),
    (
        "hosts_are_constant_or_allowed",
        "https://login.notes.example/token",
        "https://login.evil.example/token",
    ),
    (
        "hosts_are_constant_or_allowed",
        "host_allow = [",
        "host_allow = [\"other.example\", ",
    ),
    (
        "hosts_are_constant_or_allowed",
        "{tenant}.notes.example",
        "{tenant}",
    ),
    (
        "hosts_are_constant_or_allowed",
        "{tenant}.notes.example",
        "{tenant}.example",
    ),
    (
        "hosts_are_constant_or_allowed",
        "{tenant}.notes.example",
        "{tenant}notes.example.com",
    ),
    (
        "variables_are_declared_and_used",
        "{tenant}.notes",
        "{tennant}.notes",
    ),
    (
        "variables_are_declared_and_used",
        "/api\"",
        "/{client_id}\"",
    ),
    (
        "variables_are_declared_and_used",
        "[setup]",
        "[variables.region]\ntitle = \"Region\"\ndescription = \"The region of it.\"\n[setup]",
    ),
    (
        "variables_are_declared_and_used",
        "[setup]",
        "[variables.client_id]\ntitle = \"Id\"\ndescription = \"The id of it.\"\n[setup]",
    ),
    (
        "variable_defaults_match",
        "default = \"acme\"",
        "default = \"acme/../x\"",
    ),
    (
        "issuer_is_named_when_required",
        "issuer = \"https://login.notes.example\"",
        "",
    ),
    (
        "urls_are_https",
        "\nrevoke = {",
        "\nrefresh = { url = \"http://login.notes.example/refresh\" }\nrevoke = {",
    ),
    (
        "hosts_are_constant_or_allowed",
        "\nrevoke = {",
        "\nrefresh = { url = \"https://login.evil.example/refresh\" }\nrevoke = {",
    ),
    ("variables_are_declared_and_used", "/api\"", "/{token}\""),
    (
        "cursor_has_its_place",
        "query = { limit = \"$limit\" }",
        "query = { limit = \"$limit\" }\npick = { a = \"a\" }\npagination = { next = \"n\" }",
    ),
    (
        "cursor_has_its_place",
        "query = { limit = \"$limit\" }",
        "query = { limit = \"$limit\", at = \"$cursor\" }\npick = { a = \"a\" }\npagination = { next_link = { path = \"n\", params = [\"p\"] } }",
    ),
    (
        "outputs_name_what_is_there",
        "delete = \"/notes/{id}\"",
        "delete = \"/notes/{id}\"\nempty = { ok = true, id = \"$note_id\" }",
    ),
    (
        "outputs_name_what_is_there",
        "query = { limit = \"$limit\" }",
        "query = { limit = \"$limit\", at = \"$cursor\" }\npick = { a = \"a\" }\npagination = { page = { items = \"i\", size = \"$size\" } }",
    ),
    (
        "transforms_face_their_way",
        "query = { limit = \"$limit\" }",
        "query = { limit = \"$limit\" }\npick = { a = { each = \"b\", pick = { c = { apply = \"json_string\", to = \"d\" } } } }",
    ),
    (
        "error_rules_can_be_reached",
        "is = \"token_invalid\"",
        "is = \"token_invalid\"\n[[error]]\nwhen = { status = 401, body = { path = \"a\", exists = true } }\nis = \"invalid\"",
    ),
    (
        "dead_tokens_are_recognised",
        "delete = \"/notes/{id}\"",
        "delete = \"/notes/{id}\"\nerror = [{ when = { status = \"4xx\" }, is = \"invalid\" }]",
    ),
    (
        "refresh_rules_agree",
        "\nrevoke = {",
        "\nrefresh = { supported = false, rotates = \"always\" }\nrevoke = {",
    ),
    (
        "refresh_rules_agree",
        "\nrevoke = {",
        "\nrefresh = { rotates = \"never\", single_use = true }\nrevoke = {",
    ),
    (
        "refresh_rules_agree",
        "\nrevoke = {",
        "\nrefresh = { rotates = \"never\", reuse_grace_s = 60 }\nrevoke = {",
    ),
    (
        "refresh_rules_agree",
        "\nrevoke = {",
        "\nrefresh = { idle_ttl_s = 60, absolute_ttl_s = 30 }\nrevoke = {",
    ),
    (
        "lifetime_has_one_source",
        "\nrevoke = {",
        "\ntoken_reply = { lifetime_from = \"introspection\" }\nrevoke = {",
    ),
    (
        "lifetime_has_one_source",
        "\nrevoke = {",
        "\nintrospection = { url = \"https://login.notes.example/introspect\" }\nrevoke = {",
    ),
    (
        "lifetime_has_one_source",
        "\nrevoke = {",
        "\ntoken_reply = { lifetime_from = \"introspection\", lifetime_s = 60 }\nintrospection = { url = \"https://login.notes.example/introspect\" }\nrevoke = {",
    ),
    (
        "lifetime_has_one_source",
        "\nrevoke = {",
        "\ntoken_reply = { lifetime_from = \"introspection\", expires_in = \"ttl\" }\nintrospection = { url = \"https://login.notes.example/introspect\" }\nrevoke = {",
    ),
    (
        "hosts_are_constant_or_allowed",
        "\nrevoke = {",
        "\ntoken_reply = { lifetime_from = \"introspection\" }\nintrospection = { url = \"https://elsewhere.example/introspect\" }\nrevoke = {",
    ),
    (
        "scopes_have_one_source",
        "\nrevoke = {",
        "\ntoken_reply = { scope_from = \"none\", scope_separators = \",\" }\nrevoke = {",
    ),
    (
        "scopes_have_one_source",
        "\nrevoke = {",
        "\ntoken_reply = { scope_from = \"none\", scope = \"scopes\" }\nrevoke = {",
    ),
    (
        "scopes_have_one_source",
        "\nrevoke = {",
        "\ntoken_reply = { scope_from = \"callback\", scope = \"state\" }\nrevoke = {",
    ),
    (
        "client_secret_is_there",
        "client_auth = \"post\"",
        "client_auth = \"none\"\ncallback = { verify = \"shopify_hmac\" }",
    ),
    (
        "client_secret_is_there",
        "client_auth = \"post\"",
        "client_auth = \"none\"\ntoken_reply = { lifetime_from = \"introspection\" }\nintrospection = { url = \"https://login.notes.example/introspect\", auth = \"client_basic\" }",
    ),
    (
        "lifetimes_are_positive",
        "\nrevoke = {",
        "\ntoken_reply = { lifetime_s = 0 }\nrevoke = {",
    ),
    (
        "fixed_parameters_are_free",
        "\nrevoke = {",
        "\nrefresh = { params = { scope = \"read\" } }\nrevoke = {",
    ),
    (
        "fixed_parameters_are_free",
        "authorize = { url = \"https://login.notes.example/authorize\" }",
        "authorize = { url = \"https://login.notes.example/authorize\", params = { redirect_uri = \"https://evil.example\" } }",
    ),
    (
        "revocation_names_the_token_once",
        "/revoke/{client_id}",
        "/revoke/{token}",
    ),
    (
        "revocation_names_the_token_once",
        "token_param = \"token\", ",
        "",
    ),
    (
        "revocation_names_the_token_once",
        "auth = \"client\", token_param = \"token\"",
        "auth = \"bearer\", send_hint = true",
    ),
    (
        "revocation_names_the_token_once",
        "https://login.notes.example/revoke/{client_id}",
        "https://{client_id}.notes.example/revoke",
    ),
    (
        "revocation_rules_agree",
        "auth = \"client\", token_param",
        "auth = \"client_basic\", client_id_param = \"clientId\", token_param",
    ),
    (
        "revocation_rules_agree",
        "\nrevoke = { post = \"https://login.notes.example/revoke/{client_id}\", auth = \"client\", token_param = \"token\", tokens = \"access\" }",
        "\nrefresh = { supported = false }\nrevoke = { post = \"https://login.notes.example/revoke\", auth = \"client\", token_param = \"token\", tokens = \"refresh\" }",
    ),
    (
        "scopes_are_listed",
        "scopes = [\"read\"]\nget",
        "scopes = [\"raed\"]\nget",
    ),
    (
        "scopes_are_listed",
        "\nscopes = [\"read\", \"write\"]",
        "\nscopes = [\"read\"]",
    ),
    (
        "scopes_are_listed",
        "write_scopes = [\"write\"]",
        "write_scopes = [\"wirte\"]",
    ),
    ("scopes_have_words", "read = \"See your notes\"\n", ""),
    (
        "scopes_have_words",
        "write = \"Write notes as you\"",
        "write = \"Write notes as you\"\nadmin = \"Everything\"",
    ),
    ("scopes_have_words", "offline = \"Stay connected\"\n", ""),
    (
        "default_scopes_only_read",
        "default_scopes = [\"read\"]",
        "default_scopes = [\"raed\"]",
    ),
    (
        "default_scopes_only_read",
        "default_scopes = [\"read\"]",
        "default_scopes = [\"write\"]",
    ),
    (
        "optional_scopes_have_a_place",
        "base_scopes = [\"offline\"]",
        "base_scopes = [\"offline\"]\noptional_scopes = [\"write\"]",
    ),
    (
        "base_scopes_are_not_for_tools",
        "base_scopes = [\"offline\"]",
        "base_scopes = [\"offline\", \"read\"]",
    ),
    (
        "listed_scopes_are_needed",
        "scopes = [\"read\", \"write\"]",
        "scopes = [\"read\", \"write\", \"admin\"]",
    ),
    (
        "read_only_tools_need_no_write_scope",
        "scopes = [\"read\"]\nget = \"/f",
        "scopes = [\"write\"]\nget = \"/f",
    ),
    (
        "read_only_tools_need_no_write_scope",
        "scopes = [\"read\"]\nget = \"/f",
        "scopes = { any = [\"write\"] }\nget = \"/f",
    ),
    (
        "account_call_is_read_only",
        "get = \"/me\"",
        "post = \"/me\"",
    ),
    (
        "account_call_is_read_only",
        "get = \"/me\"",
        "get = \"/users/{user}\"",
    ),
    (
        "account_call_is_read_only",
        "get = \"/me\"",
        "post = \"/graphql\"\nread_only = true\ngraphql = { document = \"mutation { a }\" }",
    ),
    ("account_is_no_input", "input.color]", "input.account]"),
    (
        "account_rules_can_decide",
        "argument = \"folder\"",
        "argument = \"owner\"",
    ),
    ("account_rules_can_decide", "workspace = \"team\"\n", ""),
    (
        "account_rules_can_decide",
        "[[error]]",
        "[[account_rule]]\nargument = \"folder\"\nequals = \"workspace\"\n\n[[error]]",
    ),
    (
        "sign_in_parameters_are_free",
        "workspace = \"team\"\n",
        "workspace = \"team\"\nsign_in = { expected = { state = \"label\" } }\n",
    ),
    (
        "sign_in_parameters_are_free",
        "workspace = \"team\"\n",
        "workspace = \"team\"\nsign_in = { choose = { scope = \"all\" } }\n",
    ),
    (
        "dead_tokens_are_recognised",
        "is = \"token_invalid\"",
        "is = \"invalid\"",
    ),
    (
        "tool_names_are_unique",
        "\"notes_delete\"",
        "\"notes_list\"",
    ),
    (
        "tool_names_are_unique",
        "\"notes_delete\"",
        "\"delete_note\"",
    ),
    (
        "tool_names_are_unique",
        "\"notes_delete\"",
        "\"notes_Delete\"",
    ),
    ("tool_names_are_unique", "\"notes_delete\"", "\"notes_\""),
    (
        "tool_names_are_unique",
        "\"notes_delete\"",
        "\"notes_delete_one_of_the_notes_of_the_account\"",
    ),
    (
        "descriptions_are_sentences",
        "\"List every note.\"",
        "\"list every note\"",
    ),
    (
        "descriptions_are_sentences",
        "\"List every note.\"",
        "\"List every\\u200B note.\"",
    ),
    (
        "descriptions_are_sentences",
        "\"List notes\"",
        "\"List notes.\"",
    ),
    (
        "descriptions_are_sentences",
        "description = \"The number of the note.\"",
        "",
    ),
    (
        "descriptions_are_sentences",
        "\"Any address that was registered.\"",
        "\"any\"",
    ),
    (
        "hints_are_consistent",
        "destructive = false\nidempotent = true",
        "destructive = true\nidempotent = true",
    ),
    (
        "hints_are_consistent",
        "destructive = false\nidempotent = true",
        "destructive = false\nidempotent = false",
    ),
    (
        "hints_are_consistent",
        "read_only = false\ndestructive = true",
        "read_only = false\ndestructive = false",
    ),
    ("hints_are_consistent", "effects = [\"deletes\"]", ""),
    (
        "hints_are_consistent",
        "scopes = [\"read\"]\nget = \"/f",
        "effects = [\"shares_data\"]\nscopes = [\"read\"]\nget = \"/f",
    ),
    (
        "hints_are_consistent",
        "read_only = false\ndestructive = false",
        "read_only = true\ndestructive = false",
    ),
    (
        "already_done_is_idempotent",
        "destructive = false\nidempotent = true\nopen_world = false\nscopes = [\"write\"]",
        "destructive = false\nidempotent = false\nopen_world = false\nscopes = [\"write\"]",
    ),
    ("graphql_variables_match", "note = \"$note\", ", ""),
    ("graphql_variables_match", "($note: ID!, ", "("),
    ("graphql_variables_match", "pin(note: $note, ", "pin("),
    (
        "graphql_variables_match",
        "type = \"string\"\ndescription = \"The id",
        "type = \"string\"\nrequired = false\ndescription = \"The id",
    ),
    (
        "graphql_variables_match",
        "note_color = \"$color\"",
        "colour = \"$color\"",
    ),
    (
        "graphql_errors_are_recognised",
        "when = { body = { path = \"errors",
        "when = { status = 400, body = { path = \"errors",
    ),
    (
        "hosts_are_constant_or_allowed",
        "https://{tenant}.notes.example/archive",
        "https://evil.example/archive",
    ),
    (
        "steps_are_few_and_named",
        "id = \"lock\"",
        "id = \"current\"",
    ),
    (
        "steps_are_few_and_named",
        "id = \"lock\"",
        "id = \"The lock\"",
    ),
    (
        "steps_are_few_and_named",
        "[[tool.step]]\nid = \"lock\"",
        "[[tool.step]]\nid = \"a\"\nget = \"/a\"\n[[tool.step]]\nid = \"b\"\nget = \"/b\"\n[[tool.step]]\nid = \"lock\"",
    ),
    (
        "captures_are_new_and_used",
        "capture = { version =",
        "capture = { new_title =",
    ),
    (
        "captures_are_new_and_used",
        "capture = { version =",
        "capture = { cursor =",
    ),
    (
        "captures_are_new_and_used",
        "add = 1 } }",
        "add = 1 }, extra = \"extra\" }",
    ),
    (
        "places_of_steps_are_known",
        "{note_id} was locked",
        "{note} was locked",
    ),
    (
        "places_of_steps_are_known",
        "id = \"current\"",
        "id = \"current\"\nwhen = { argument = \"version\", exists = true }",
    ),
    (
        "places_of_steps_are_known",
        "id = \"current\"",
        "id = \"current\"\nwhen = { argument = \"new_title\", in = [\"a\"] }",
    ),
    (
        "places_of_steps_are_known",
        "add = 1 } }",
        "add = 1, required = false } }",
    ),
    (
        "places_of_steps_are_known",
        "add = 1 } }",
        "add = 1 }, extra = { each = \"tags\", where = { path = \"name\", equals = \"$tag\" }, take = \"id\" } }",
    ),
    (
        "changing_steps_say_so",
        "done = \"The note {note_id} was locked.\"",
        "",
    ),
    (
        "changing_steps_say_so",
        "done = \"The note {note_id} was locked.\"",
        "done = \"locked {note_id}\"",
    ),
    (
        "changing_steps_say_so",
        "\"The note has no version.\"",
        "\"no version\"",
    ),
    (
        "changing_steps_say_so",
        "id = \"lock\"",
        "id = \"lock\"\nanswers = true",
    ),
    (
        "changing_steps_say_so",
        "read_only = false\ndestructive = false",
        "read_only = true\ndestructive = false",
    ),
    (
        "changing_steps_say_so",
        "post = \"/notes/{note_id}/lock/{version}\"",
        "post = \"/graphql/{version}\"\nread_only = true\ngraphql = { document = \"mutation { lock { id } }\" }",
    ),
    (
        "changing_steps_say_so",
        "get = \"/exports/{export_id}\"",
        "post = \"/exports/{export_id}\"",
    ),
    (
        "one_way_to_go_on",
        "[tool.poll]",
        "[tool.expand]\nover = \"a\"\nget = \"/a/{item.id}\"\nmax = 1\n[tool.poll]",
    ),
    (
        "bases_are_declared",
        "base = \"archive\"",
        "base = \"archives\"",
    ),
    (
        "every_placeholder_is_declared",
        "/exports/{export_id}",
        "/exports/{job_id}",
    ),
    (
        "every_placeholder_is_declared",
        "get = \"/notes/{note_id}\"",
        "get = \"/notes/{version}\"",
    ),
    (
        "every_placeholder_is_declared",
        "get = \"/search\"",
        "get = \"/search/{item.id}\"",
    ),
    ("every_placeholder_is_declared", "\"$limit\"", "\"$limits\""),
    (
        "every_placeholder_is_declared",
        "/notes/{id}",
        "/notes/{note_id}",
    ),
    ("every_input_is_used", "query = { limit = \"$limit\" }", ""),
    (
        "path_inputs_are_required",
        "type = \"string\"\ndescription = \"The name",
        "type = \"string\"\nrequired = false\ndescription = \"The name",
    ),
    (
        "path_inputs_are_required",
        "type = \"string\"\ndescription = \"The name",
        "type = \"boolean\"\ndescription = \"The name",
    ),
    (
        "input_schema_is_closed",
        "type = \"integer\"\ndescription",
        "minimum = 1\ndescription",
    ),
    (
        "input_schema_is_closed",
        "type = \"integer\"\nmaximum",
        "type = \"array\"\nmaximum",
    ),
    (
        "input_schema_is_closed",
        "type = \"integer\"\nmaximum",
        "type = \"object\"\nmaximum",
    ),
    (
        "input_schema_is_closed",
        "type = \"integer\"\nmaximum",
        "type = \"array\"\nitems = { type = \"object\" }\nmaximum",
    ),
    (
        "input_schema_is_closed",
        "default = 20",
        "default = 20\nrequired = true",
    ),
    (
        "input_schema_is_closed",
        "maximum = 50",
        "anyOf = [{ \"$ref\" = \"#\" }]",
    ),
    ("input_defaults_match", "default = 20", "default = 51"),
    (
        "example_matches_schema",
        "example = { id = 7 }",
        "example = { id = \"seven\" }",
    ),
    (
        "example_matches_schema",
        "example = { folder = \"inbox\" }",
        "example = { folder = \"..\" }",
    ),
    (
        "plain_values_are_harmless",
        "{ limit = \"$limit\" }",
        "{ limit = \"$limit\", q = { text = \"in:{folder|plain}\" } }",
    ),
    (
        "plain_values_are_harmless",
        "variables = { note = \"$note\",",
        "variables = { note = { \"$text\" = \"id:{note|plain}\" },",
    ),
    (
        "plain_values_are_harmless",
        "/folders/{folder}/notes",
        "/folders/{folder|plain}/notes",
    ),
    (
        "every_placeholder_is_declared",
        "{ limit = \"$limit\" }",
        "{ limit = \"$limit\", q = { text = \"in:{box|single_quoted}\" } }",
    ),
    (
        "every_placeholder_is_declared",
        "query = { limit = \"$limit\" }",
        "query = { limit = \"$limit\" }\nheaders = { X-Page = \"$page\" }",
    ),
];

fn problems(file: &str, text: &str) -> Vec<Problem> {
    check(&[Source {
        file: file.to_owned(),
        text: text.to_owned(),
    }])
}

fn assert_fires(name: &str, problems: &[Problem], damage: &str) {
    assert!(
        problems.iter().any(|problem| problem.check == name),
        "{name} does not notice {damage}; found: {problems:#?}"
    );
}

#[test]
fn a_sound_file_passes() {
    let problems = problems("notes.toml", SOUND);
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_check_fires() {
    let mut fired = BTreeSet::new();
    for (name, from, to) in DAMAGES {
        assert!(SOUND.contains(from), "the sound file has no `{from}`");
        assert_fires(name, &problems("notes.toml", &SOUND.replace(from, to)), to);
        fired.insert(*name);
    }
    for file in [
        "Notes.toml",
        "no-tes.toml",
        "1notes.toml",
        "notesnotesnotesnotesn.toml",
        ".toml",
    ] {
        assert_fires("id_is_file_stem", &problems(file, SOUND), file);
        fired.insert("id_is_file_stem");
    }
    let source = |file: &str| Source {
        file: file.to_owned(),
        text: SOUND.to_owned(),
    };
    let twins = check(&[source("a/notes.toml"), source("b/notes.toml")]);
    assert_fires("ids_are_unique", &twins, "a second file of the same name");
    assert!(
        twins
            .iter()
            .any(|problem| problem.file == "b/notes.toml"
                && problem.message.contains("a/notes.toml"))
    );
    let own = check(&[Source {
        file: "attache.toml".to_owned(),
        text: SOUND.replace("notes_", "attache_"),
    }]);
    assert_fires("ids_are_unique", &own, "the name of Attache itself");
    fired.insert("ids_are_unique");

    let all: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(fired, all, "every check has a damage that it notices");
    assert_eq!(all.len(), CHECKS.len(), "no two checks share a name");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one row for each key")]
fn what_one_key_can_tell_is_refused_while_reading() {
    for (from, to, words) in [
        (
            "client_auth = \"post\"",
            "client_auth = \"private_key_jwt\"",
            "`private_key_jwt` is not supported yet",
        ),
        (
            "client_auth = \"post\"",
            "client_auth = \"password\"",
            "unknown variant `password`",
        ),
        (
            "\nrevoke = {",
            "\ncallback = { verify = \"md5\" }\nrevoke = {",
            "unknown variant `md5`",
        ),
        (
            "\nrevoke = {",
            "\ntoken_reply = { format = \"xml\" }\nrevoke = {",
            "unknown variant `xml`",
        ),
        (
            "\nrevoke = {",
            "\ntoken_reply = { scope_from = \"query\" }\nrevoke = {",
            "unknown variant `query`",
        ),
        (
            "\nrevoke = {",
            "\ntoken_reply = { lifetime_from = \"body\" }\nrevoke = {",
            "unknown variant `body`",
        ),
        (
            "\nrevoke = {",
            "\nintrospection = { url = \"https://login.notes.example/introspect\", auth = \"none\" }\nrevoke = {",
            "unknown variant `none`",
        ),
        (
            "tokens = \"access\" }",
            "tokens = \"access\", encoding = \"query\" }",
            "unknown variant `query`",
        ),
        (
            "name = \"Notes\"",
            "name = \"Notes\"\ninject = { header = \"Authorization\" }",
            "without a scheme",
        ),
        (
            "destructive = false\nidempotent",
            "idempotent",
            "`destructive` is not declared",
        ),
        (
            "get = \"/folders",
            "put = \"/x\"\nget = \"/folders",
            "exactly one of",
        ),
        (
            "get = \"/folders/{folder}/notes\"",
            "get = \"/folders/{folder\"",
            "never closed",
        ),
        ("max = 10", "max = 51", "between 1 and 50"),
        ("concurrency = 2", "concurrency = 9", "between 1 and 8"),
        (
            "equals = \"done\" }",
            "equals = \"done\" }\nmax_s = 121",
            "at most 120",
        ),
        (
            "equals = \"done\" }",
            "equals = \"done\" }\ninterval_ms = 1",
            "at least 200",
        ),
        (
            "equals = \"done\" }",
            "equals = \"done\", exists = true }",
            "exactly one of `equals`, `in` and `exists`",
        ),
        (
            "put = \"/notes/{note_id}\"",
            "put = \"/notes/{note_id}\"\nredirect = { to = [\"a.example\"] }",
            "only a `get`",
        ),
        (
            "get = \"/search\"",
            "get = \"/search\"\nredirect = { to = [] }",
            "names no host",
        ),
        (
            "get = \"/search\"",
            "get = \"/search\"\nredirect = { to = [\"*\"] }",
            "is no host",
        ),
        (
            "id = \"lock\"",
            "id = \"lock\"\npick = { a = \"b\" }",
            "`answers = true`",
        ),
        ("add = 1 }", "pattern = \"(a)(b)\" }", "exactly one group"),
        (
            "add = 1 }",
            "add = 1, lookup = { a = 1 } }",
            "exclude each other",
        ),
        ("add = 1 }", "take = \"id\" }", "write a path"),
        (
            "put = \"/notes/{note_id}\"",
            "put = \"/notes/{note_id}\"\nidempotency_header = \"Authorization\"",
            "cannot be set",
        ),
        (
            "confidence = \"documentation\"",
            "confidence = \"documentation\"\ninject = { header = \"X-Key\", value = \"x\" }",
            "where the `{token}` goes",
        ),
        ("get = \"/folders", "get = \"/../folders", "`..` segment"),
        ("query = {", "body = { a = 1 }\nquery = {", "has no `body`"),
        (
            "query = {",
            "form = { a = 1 }\nbody = { a = 1 }\nquery = {",
            "exclude each other",
        ),
        (
            "get = \"/folders",
            "graphql = { document = \"{ a }\" }\nget = \"/folders",
            "needs a `post`",
        ),
        ("data = \"pin\"", "text = \"pin\"", "unknown field `text`"),
        ("mutation Pin", "subscription Pin", "neither `query` nor"),
        ("{ success } }", "{ success }", "never closes"),
        (
            "get = \"/me\"",
            "get = \"/me\"\ngraphql = { document = \"{ a }\" }",
            "needs a `post`",
        ),
        (
            "query = {",
            "text = true\npick = { a = \"b\" }\nquery = {",
            "exclude each other",
        ),
        (
            "query = {",
            "pick = { a = { apply = \"rot13\", to = \"b\" } }\nquery = {",
            "unknown variant `rot13`",
        ),
        (
            "query = {",
            "headers = { Authorization = \"x\" }\nquery = {",
            "cannot be set",
        ),
        (
            "query = {",
            "headers = { X-A = \"a\\r\\nB: c\" }\nquery = {",
            "not visible ASCII",
        ),
        (
            "type = \"integer\"\nmaximum",
            "type = \"intger\"\nmaximum",
            "no JSON Schema",
        ),
        (
            "scopes = [\"read\"]\nid",
            "scopes = { all = [] }\nid",
            "a list of scopes",
        ),
        (
            "get = \"/me\"",
            "get = \"/me\"\npost = \"/me\"",
            "exactly one of",
        ),
        (
            "tokens = \"access\"",
            "tokens = \"access\", unsupported = true",
            "exactly one of",
        ),
        ("auth = \"client\", ", "", "does not say its `auth`"),
        (
            "when = { status = 401 }",
            "when = {}",
            "would fit every reply",
        ),
        (
            "default = \"acme\"",
            "pattern = \"(\"",
            "no regular expression",
        ),
        (
            "limit = \"$limit\"",
            "limit = { text = \"{limit|shouted}\" }",
            "no quoter `shouted`",
        ),
        (
            "limit = \"$limit\"",
            "limit = { text = \"{limit}\" }",
            "has no quoter",
        ),
        (
            "limit = \"$limit\"",
            "limit = { csvs = \"$limit\" }",
            "did you mean `csv`?",
        ),
        (
            "limit = \"$limit\"",
            "limit = { apply = \"rot13\", to = \"$limit\" }",
            "unknown variant `rot13`",
        ),
        (
            "limit = \"$limit\"",
            "limit = { apply = \"base64_decode_text\", to = \"$limit\" }",
            "reads replies",
        ),
        (
            "query = {",
            "headers = { Authorization = \"$folder\" }\nquery = {",
            "cannot be set",
        ),
        (
            "query = {",
            "header_json = { name = \"Cookie\", value = { a = \"$folder\" } }\nquery = {",
            "cannot be set",
        ),
        (
            "query = {",
            "raw = { content = \"$folder\" }\nnull_body = true\nquery = {",
            "exclude each other",
        ),
        (
            "query = {",
            "raw = { content = \"$folder\", media_type = \"text\" }\nquery = {",
            "no media type",
        ),
        (
            "query = {",
            "multipart_form = [{ name = \"a\\\"b\", value = \"$folder\" }]\nquery = {",
            "no name of a part",
        ),
        (
            "type = \"string\"\ndescription = \"The name",
            "type = \"string\"\nfrom_url = \"/folders/.+\"\ndescription = \"The name",
            "exactly one group",
        ),
    ] {
        assert!(SOUND.contains(from), "the sound file has no `{from}`");
        let found = problems("notes.toml", &SOUND.replace(from, to));
        assert!(
            found.len() == 1
                && found[0].check == "file_is_readable"
                && found[0].message.contains(words),
            "{words}: {found:#?}"
        );
        assert!(found[0].place.starts_with("line "), "{}", found[0].place);
    }
}

/// Damages that are noticed while the file is read, before any check.
const UNREADABLE: &[(&str, &str)] = &[
    (
        "query = { limit = \"$limit\" }",
        "query = { limit = \"$limit\", at = \"$cursor\" }\npagination = { next = \"n\" }",
    ),
    (
        "query = { limit = \"$limit\" }",
        "query = { limit = \"$limit\", at = \"$cursor\" }\npick = { next_cursor = \"n\" }\npagination = { next = \"n\" }",
    ),
    (
        "query = { limit = \"$limit\" }",
        "query = { limit = \"$limit\" }\nmax_bytes = 9000000",
    ),
];

#[test]
fn keys_of_replies_that_contradict_each_other_are_not_read() {
    for (from, to) in UNREADABLE {
        assert!(SOUND.contains(from), "{from}");
        let text = SOUND.replacen(from, to, 1);
        let file = "providers/notes.toml".to_owned();
        let found = check(&[Source { file, text }]);
        assert!(
            found
                .iter()
                .any(|problem| problem.check == "file_is_readable"),
            "{to}: {found:?}"
        );
    }
}
