//! What a file says about learning lifetime and scopes of a token: whether it can all be true at once.

use super::{Report, providers};
use crate::catalogue::file::OAuthFile;
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::{ClientAuth, IntrospectionAuth, LifetimeSource, ScopeSource};

/// What a callback holds by itself (RFC 6749 section 4.1.2, RFC 9207).
const OF_A_CALLBACK: [&str; 4] = ["code", "error", "iss", "state"];

pub(super) fn lifetime_has_one_source(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let OAuthFile {
            token_reply,
            introspection,
            ..
        } = &file.provider.oauth;
        let is_asked_for = token_reply.lifetime_from == LifetimeSource::Introspection;
        if is_asked_for && introspection.is_none() {
            report.add(
                file,
                "oauth.token_reply.lifetime_from",
                "the lifetime is to be asked for, and nothing says where",
                "add `[oauth.introspection]` with its `url`, or remove the key",
            );
        }
        if !is_asked_for && introspection.is_some() {
            report.add(
                file,
                "oauth.introspection",
                "nothing is asked there: lifetimes are read in token replies",
                "write `lifetime_from = \"introspection\"` in `[oauth.token_reply]`, or remove the table",
            );
        }
        for (key, is_there) in [
            ("expires_in", token_reply.expires_in.is_some()),
            ("lifetime_s", token_reply.lifetime_s.is_some()),
        ] {
            if is_asked_for && is_there {
                report.add(
                    file,
                    format!("oauth.token_reply.{key}"),
                    "the lifetime is asked for, and yet the file says it otherwise",
                    "remove it, or `lifetime_from`: whoever knows the lifetime need not ask",
                );
            }
        }
    }
}

pub(super) fn scopes_have_one_source(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let reply = &file.provider.oauth.token_reply;
        for (key, is_there) in [
            ("scope", reply.scope.is_some()),
            ("scope_separators", reply.scope_separators.is_some()),
        ] {
            if reply.scope_from == ScopeSource::None && is_there {
                report.add(
                    file,
                    format!("oauth.token_reply.{key}"),
                    "the provider never says what was granted, and yet the file says how it is read",
                    "remove it, or correct `scope_from`",
                );
            }
        }
        let parameter = reply.scope.as_deref().unwrap_or("scope");
        if reply.scope_from == ScopeSource::Callback && OF_A_CALLBACK.contains(&parameter) {
            report.add(
                file,
                "oauth.token_reply.scope",
                format!("`{parameter}` is a parameter of the protocol in every callback"),
                "name the parameter of the callback that says what was granted",
            );
        }
    }
}

pub(super) fn client_secret_is_there(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let oauth = &file.provider.oauth;
        if oauth.client_auth != ClientAuth::None {
            continue;
        }
        let auth = oauth.introspection.as_ref().map(|asked| asked.auth);
        for (place, needs_secret) in [
            (
                "oauth.callback.verify",
                oauth.callback.verification().is_some(),
            ),
            (
                "oauth.introspection.auth",
                auth == Some(IntrospectionAuth::ClientBasic),
            ),
        ] {
            if needs_secret {
                report.add(
                    file,
                    place,
                    "it needs the client secret, and clients of this provider have none",
                    "correct `client_auth`, or remove it",
                );
            }
        }
    }
}
