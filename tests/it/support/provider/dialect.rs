//! How a provider speaks: what its provider file has to say before the gateway can ask it anything.
//!
//! The knobs that change a dialect are turned before the gateway starts, because the file is read then.

use std::time::Duration;

use super::revocation::RevocationStyle;

/// The form of its requests and replies.
#[derive(Debug, Default)]
pub(super) struct Dialect {
    /// `None`: it takes what it gets, and its file asks for HTTP Basic.
    pub(super) client_proof: Option<ClientProof>,
    pub(super) requests: Requests,
    pub(super) refresh: RefreshDialect,
    pub(super) replies: Replies,
    pub(super) revocation: RevocationStyle,
    /// Where some scopes may be refused: the parameters of the authorization request, and which scopes those are.
    pub(super) optional: Option<OptionalScopes>,
    /// Callbacks carry an HMAC of their query.
    pub(super) proves_callbacks: bool,
    /// Whoever asks learns how long an access token lives; the replies do not say it.
    pub(super) introspects: bool,
    /// Its file maps the scopes that it rewrites back to those that were asked for.
    pub(super) rewrites_scopes: bool,
}

/// How a client proves itself at the token endpoint (RFC 6749 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientProof {
    /// HTTP Basic.
    Header,
    /// `client_id` and `client_secret` in the body.
    Body,
    /// A public client: `client_id` alone.
    Nothing,
    /// HTTP Basic with the secret as the user and an empty password.
    SecretAsUser,
}

impl ClientProof {
    fn in_file(self) -> &'static str {
        match self {
            Self::Header => "basic",
            Self::Body => "post",
            Self::Nothing => "none",
            Self::SecretAsUser => "secret_key",
        }
    }
}

/// Required and optional scopes in parameters of their own.
#[derive(Clone, Debug)]
pub(super) struct OptionalScopes {
    pub(super) required_param: &'static str,
    pub(super) optional_param: &'static str,
    pub(super) scope: &'static str,
}

/// How token requests are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Requests {
    /// JSON is understood as well.
    #[default]
    Form,
    Json,
    /// In the query, and the body is empty.
    Query,
}

/// What a refresh needs, and what its file says about refresh tokens.
#[derive(Debug, Default)]
pub(super) struct RefreshDialect {
    pub(super) unsupported: bool,
    pub(super) elsewhere: bool,
    pub(super) params: Vec<(String, String)>,
    /// What a refresh must repeat of the grant.
    pub(super) repeats: Vec<Repeated>,
    pub(super) rotates: Option<&'static str>,
    pub(super) reuse_grace: Option<Duration>,
    pub(super) ends_access_token: bool,
    pub(super) idle_ttl: Option<Duration>,
    pub(super) absolute_ttl: Option<Duration>,
}

/// What a refresh can be made to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeated {
    Scope,
    RedirectUri,
}

/// How token replies are written.
#[derive(Debug, Default)]
pub(super) struct Replies {
    pub(super) form_encoded: bool,
    /// The content type says that forms are web pages, and the file says that they are forms.
    pub(super) calls_forms_web_pages: bool,
    /// Who says what was granted, in the words of the file.
    pub(super) scope_from: Option<&'static str>,
    /// The tokens of a code lie below this field; those of a refresh never do.
    pub(super) nested_below: Option<&'static str>,
    pub(super) refresh_expires_in: Option<String>,
    /// The file says it; the replies do not.
    pub(super) documented_lifetime: Option<Duration>,
    /// The words for a dead grant, where it has its own.
    pub(super) dead_grant: Option<DeadGrant>,
}

/// How a provider says that a refresh token is dead, when it does not say `invalid_grant`.
#[derive(Clone, Debug)]
pub(super) struct DeadGrant {
    pub(super) status: u16,
    pub(super) error: String,
}

impl Dialect {
    /// The value of `client_auth`.
    pub(super) fn client_auth(&self) -> &'static str {
        self.client_proof.unwrap_or(ClientProof::Header).in_file()
    }

    /// The value of `encoding` in `[oauth.token]`.
    pub(super) fn encoding(&self) -> &'static str {
        match self.requests {
            Requests::Form => "form",
            Requests::Json => "json",
            Requests::Query => "query",
        }
    }

    /// What the table of the authorization endpoint says besides its address.
    pub(super) fn authorize(&self) -> String {
        self.optional.as_ref().map_or_else(String::new, |optional| {
            format!(
                ", scopes = [{{ param = \"{}\", from = \"required\" }}, {{ param = \"{}\", from = \"optional\" }}]",
                optional.required_param, optional.optional_param
            )
        })
    }

    /// What `[oauth]` says of scopes that may be refused.
    pub(super) fn optional_scopes(&self) -> String {
        self.optional.as_ref().map_or_else(String::new, |optional| {
            format!("optional_scopes = [\"{}\"]\n", optional.scope)
        })
    }

    /// The parameter that carries the scopes which must be granted.
    pub(super) fn scope_param(&self) -> &'static str {
        let optional = self.optional.as_ref();
        optional.map_or("scope", |optional| optional.required_param)
    }

    /// The tables below `[oauth]`.
    pub(super) fn tables(&self, origin: &str, scopes: &str) -> String {
        let mut text = table("oauth.refresh", &self.refresh.lines(origin));
        let mut replies = self.replies.lines();
        if self.introspects {
            replies.push("lifetime_from = \"introspection\"".to_owned());
            let url = format!("url = \"{origin}{}\"", super::INTROSPECTION_PATH);
            text += &table("oauth.introspection", &[url]);
        }
        text += &table("oauth.token_reply", &replies);
        if self.proves_callbacks {
            let verify = "verify = \"shopify_hmac\"".to_owned();
            text += &table("oauth.callback", &[verify]);
        }
        if self.rewrites_scopes {
            let lines: Vec<_> = scopes
                .split(' ')
                .map(|scope| format!("\"{}\" = [\"{scope}\"]", rewritten(scope, origin)))
                .collect();
            text += &table("oauth.implies", &lines);
        }
        text + &self.revocation.table(origin)
    }
}

/// A scope as a provider that rewrites scopes has it in its replies.
pub(super) fn rewritten(scope: &str, origin: &str) -> String {
    format!("{origin}/auth/{scope}")
}

impl RefreshDialect {
    fn lines(&self, origin: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if self.unsupported {
            lines.push("supported = false".to_owned());
        }
        if self.elsewhere {
            lines.push(format!("url = \"{origin}{}\"", super::REFRESH_PATH));
        }
        if !self.params.is_empty() {
            let params = self
                .params
                .iter()
                .map(|(name, value)| format!("{name} = \"{value}\""));
            let params: Vec<_> = params.collect();
            lines.push(format!("params = {{ {} }}", params.join(", ")));
        }
        if !self.repeats.is_empty() {
            let sent = self.repeats.iter().map(|repeated| match repeated {
                Repeated::Scope => "\"scope\"",
                Repeated::RedirectUri => "\"redirect_uri\"",
            });
            let sent: Vec<_> = sent.collect();
            lines.push(format!("send = [{}]", sent.join(", ")));
        }
        lines.extend(self.rotates.map(|word| format!("rotates = \"{word}\"")));
        if self.ends_access_token {
            lines.push("ends_access_token = true".to_owned());
        }
        for (key, value) in [
            ("reuse_grace_s", self.reuse_grace),
            ("idle_ttl_s", self.idle_ttl),
            ("absolute_ttl_s", self.absolute_ttl),
        ] {
            lines.extend(value.map(|value| format!("{key} = {}", value.as_secs())));
        }
        lines
    }
}

impl Replies {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.calls_forms_web_pages {
            lines.push("format = \"form\"".to_owned());
        }
        if let Some(source) = self.scope_from {
            lines.push(format!("scope_from = \"{source}\""));
        }
        if self.scope_from == Some("callback") {
            lines.push(format!("scope = \"{}\"", super::CALLBACK_SCOPES));
            lines.push("scope_separators = \",\"".to_owned());
        }
        if let Some(below) = self.nested_below {
            for field in ["access_token", "refresh_token", "expires_in", "scope"] {
                lines.push(format!("{field} = \"{below}.{field}\""));
            }
        }
        if let Some(field) = &self.refresh_expires_in {
            lines.push(format!("refresh_expires_in = \"{field}\""));
        }
        if let Some(lifetime) = self.documented_lifetime {
            lines.push(format!("lifetime_s = {}", lifetime.as_secs()));
        }
        if let Some(DeadGrant { error, .. }) = &self.dead_grant {
            lines.push(format!("dead_grant = [\"{error}\"]"));
        }
        lines
    }
}

/// A table of a TOML file; nothing when there is nothing to say.
fn table(name: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("\n[{name}]\n{}\n", lines.join("\n"))
}
