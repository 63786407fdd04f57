//! The provider file by which the gateway gets to know a fake provider.

use super::SCOPES;
use super::dialect::Dialect;

/// The file's text; it must be called `{name}.toml`. `origin` is the provider's address and its issuer.
pub(super) fn provider_file(
    name: &str,
    origin: &str,
    dialect: &Dialect,
    writing_implies_reading: bool,
) -> String {
    let implies = if writing_implies_reading {
        "implies = { \"things:write\" = [\"things:read\"] }\n"
    } else {
        ""
    };
    TEMPLATE
        .replace("@dialect@", &dialect.tables(origin, SCOPES))
        .replace("@client_auth@", dialect.client_auth())
        .replace("@encoding@", dialect.encoding())
        .replace("@name@", name)
        .replace("@origin@", origin)
        .replace("@authorize@", &dialect.authorize())
        .replace("@optional@\n", &dialect.optional_scopes())
        .replace("@implies@\n", implies)
}

/// What the file of a provider with sites says besides.
pub(super) fn sites_tables(origin: &str) -> String {
    SITES.replace("@origin@", origin)
}

/// The file of its product, to be called `{name}_notes.toml`.
pub(super) fn product_file(name: &str, origin: &str) -> String {
    PRODUCT.replace("@name@", name).replace("@origin@", origin)
}

const SITES: &str = r#"
[oauth.capture.instance]
from = "token"
path = "instance"
pattern = "[a-z]{1,16}"

[oauth.tenants]
get = "@origin@/api/sites"
items = "."
id = "id"
label = "name"
capture = { site_id = "id", site_link = { path = "link", pattern = "https://[a-z0-9.-]{1,64}" } }
argument = "site"
"#;

const PRODUCT: &str = r#"
authorization = "@name@"
name = "@name@ Notes"
base_url = "@origin@/api/at/{instance}/sites/{site_id}"
bases = { whole = "@origin@/api" }
host_allow = ["localhost"]
confidence = "live"

[[tool]]
name = "@name@_notes_read"
title = "Read notes"
description = "Read the notes of a site."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = ["things:read"]
get = "/notes"
pick = { site = "site", instance = "instance", person = "person", url = { template = "{$site_link}/notes" } }
example = {}

[[tool]]
name = "@name@_notes_sites"
title = "List sites"
description = "List the sites of the account."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = ["profile"]
base = "whole"
get = "/sites"
example = {}
"#;

const TEMPLATE: &str = r#"# A provider that exists in tests alone.
name = "@name@"
base_url = "@origin@/api"
host_allow = ["localhost"]
headers = { Accept = "application/json" }
error_text = ["message", "error"]
confidence = "live"

[setup]
redirect_rules = "Any address on this machine."

[oauth]
issuer = "@origin@"
iss_required = true
pkce = "required"
client_auth = "@client_auth@"
scopes = ["profile", "things:read", "things:write"]
write_scopes = ["things:write"]
@implies@
@optional@
scope_words = { profile = "See your name", "things:read" = "See your things", "things:write" = "Make and delete things as you" }
authorize = { url = "@origin@/authorize"@authorize@ }
token = { url = "@origin@/token", encoding = "@encoding@" }
@dialect@
[account]
get = "/me"
scopes = ["profile"]
id = "id"
label = "email"

[[error]]
when = { status = 401 }
is = "token_invalid"

[[error]]
when = { status = 403, body = { path = "error", equals = "insufficient_scope" } }
is = "scope_missing"

[[error]]
when = { status = 403, body = { path = "error", equals = "invalid_token" } }
is = "token_invalid"

[[error]]
when = { status = 200, body = { path = "error", equals = "invalid_token" } }
is = "token_invalid"

[[error]]
when = { status = 404 }
is = "not_found"

[[error]]
when = { status = 422 }
is = "invalid"

[[error]]
when = { status = 429 }
is = "rate_limited"
retry_after = { header = "Retry-After", unit = "s" }

[[error]]
when = { status = "5xx" }
is = "retryable"

[[tool]]
name = "@name@_whoami"
title = "Who am I"
description = "Get the name and the e-mail address of the connected account."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = ["profile"]
get = "/me"
example = {}

[[tool]]
name = "@name@_list_things"
title = "List things"
description = "List the things of the connected account."
read_only = true
destructive = false
idempotent = true
open_world = false
scopes = ["things:read"]
get = "/things"
example = {}

[[tool]]
name = "@name@_create_thing"
title = "Create a thing"
description = "Create a thing in the connected account."
read_only = false
destructive = false
idempotent = false
open_world = false
scopes = ["things:write"]
post = "/things"
body = { name = "$name" }
example = { name = "kite" }

[tool.input.name]
type = "string"
minLength = 1
maxLength = 100
description = "What the thing is called."

[[tool]]
name = "@name@_delete_thing"
title = "Delete a thing"
description = "Delete a thing of the connected account for good."
read_only = false
destructive = true
idempotent = true
open_world = false
effects = ["deletes"]
scopes = ["things:write"]
delete = "/things/{id}"
empty = { deleted = true }
example = { id = 1 }

[tool.input.id]
type = "integer"
minimum = 1
description = "The number of the thing."
"#;
