//! What a file says about renewing access and taking it back: whether it can all be true at once.

use super::accounts::OF_AN_AUTHORIZATION;
use super::{Report, providers};
use crate::catalogue::file::{OAuthFile, RevokeFile, RevokeRequestFile, RotationFile};
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::url_template::UrlTemplate;
use crate::catalogue::{ClientAuth, RevocationAuth, RevocationTokens};

/// What a token request holds by itself (RFC 6749 sections 4.1.3 and 6).
const OF_THE_PROTOCOL: [&str; 8] = [
    "grant_type",
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "scope",
    "client_id",
    "client_secret",
];

pub(super) fn refresh_rules_agree(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let refresh = &file.provider.oauth.refresh;
        let rules = refresh.rules();
        let says_more = refresh.url.is_some()
            || !refresh.params.is_empty()
            || !refresh.send.is_empty()
            || refresh.rotates.is_some()
            || refresh.single_use.is_some()
            || refresh.reuse_grace_s.is_some()
            || refresh.ends_access_token
            || refresh.idle_ttl_s.is_some()
            || refresh.absolute_ttl_s.is_some();
        let mut add = |key: &str, message: &str, remedy: &str| {
            report.add(file, format!("oauth.refresh.{key}"), message, remedy);
        };
        if !refresh.supported && says_more {
            add(
                "supported",
                "there is no refresh, and yet the file says how it works",
                "keep `supported = false` alone, or remove it",
            );
        }
        if refresh.rotates == Some(RotationFile::Never) && rules.single_use {
            add(
                "single_use",
                "a refresh token that is never replaced and works once could be refreshed once",
                "remove `single_use`, or say how often the token is replaced",
            );
        }
        if rules.reuse_grace.is_some() && !rules.single_use {
            add(
                "reuse_grace_s",
                "a refresh token that can be used often needs no grace",
                "remove it, or correct `rotates` and `single_use`",
            );
        }
        if let (Some(idle), Some(absolute)) = (rules.idle_ttl, rules.absolute_ttl)
            && absolute < idle
        {
            add(
                "absolute_ttl_s",
                "the whole grant would end before its refresh token can",
                "correct one of the two, or leave `idle_ttl_s` out",
            );
        }
    }
}

pub(super) fn lifetimes_are_positive(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let OAuthFile {
            refresh,
            token_reply,
            ..
        } = &file.provider.oauth;
        for (place, seconds) in [
            ("oauth.refresh.reuse_grace_s", refresh.reuse_grace_s),
            ("oauth.refresh.idle_ttl_s", refresh.idle_ttl_s),
            ("oauth.refresh.absolute_ttl_s", refresh.absolute_ttl_s),
            ("oauth.token_reply.lifetime_s", token_reply.lifetime_s),
        ] {
            if seconds == Some(0) {
                report.add(
                    file,
                    place,
                    "a lifetime of zero seconds is none",
                    "write the seconds, or leave the key out",
                );
            }
        }
    }
}

pub(super) fn fixed_parameters_are_free(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let OAuthFile {
            authorize,
            token,
            refresh,
            ..
        } = &file.provider.oauth;
        for name in authorize.params.keys() {
            if OF_AN_AUTHORIZATION.contains(&name.as_str()) || authorize.carries_scopes(name) {
                report.add(
                    file,
                    "oauth.authorize.params",
                    format!("`{name}` is filled in by the gateway"),
                    "remove it: a file must not say where a login goes back to, or what proves it",
                );
            }
        }
        for (place, params) in [
            ("oauth.token.params", &token.params),
            ("oauth.refresh.params", &refresh.params),
        ] {
            for name in params.keys() {
                if OF_THE_PROTOCOL.contains(&name.as_str()) {
                    report.add(
                        file,
                        place,
                        format!("`{name}` is filled in by the gateway"),
                        "remove it; `[oauth.refresh] send` is the way to have scopes and redirect URI repeated",
                    );
                }
            }
        }
    }
}

pub(super) fn revocation_names_the_token_once(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let RevokeFile::Request(request) = &file.provider.oauth.revoke else {
            continue;
        };
        let in_path = names(&request.url, "token");
        let in_body = request.token_param.is_some();
        if in_path && in_body {
            report.add(
                file,
                "oauth.revoke.token_param",
                "the token stands in the address and in the body",
                "keep the one that the provider documents",
            );
        }
        if !in_path && !in_body && request.auth != RevocationAuth::Bearer {
            report.add(
                file,
                "oauth.revoke",
                "nothing in the request names the token",
                "add `token_param`, use `{token}` in the address, or `auth = \"bearer\"`",
            );
        }
        if request.send_hint && !in_body {
            report.add(
                file,
                "oauth.revoke.send_hint",
                "the hint would be sent without a token that it is about",
                "remove it, or add `token_param`",
            );
        }
        for name in ["token", "client_id"] {
            if request
                .url
                .host
                .variables()
                .any(|variable| variable == name)
            {
                report.add(
                    file,
                    "oauth.revoke",
                    format!("`{{{name}}}` would choose the host"),
                    "use it in the path alone",
                );
            }
        }
    }
}

pub(super) fn revocation_rules_agree(files: &[ParsedFile], report: &mut Report) {
    for file in providers(files) {
        let oauth = &file.provider.oauth;
        let RevokeFile::Request(request) = &oauth.revoke else {
            continue;
        };
        let (id_is_sent, secret_is_sent) = sent_in_body(oauth, request);
        for (key, named, is_sent) in [
            (
                "client_id_param",
                request.client_id_param.is_some(),
                id_is_sent,
            ),
            (
                "client_secret_param",
                request.client_secret_param.is_some(),
                secret_is_sent,
            ),
        ] {
            if named && !is_sent {
                report.add(
                    file,
                    format!("oauth.revoke.{key}"),
                    "it is not sent in the body of this request",
                    "remove it, or use `auth = \"client\"` with `client_auth = \"post\"`",
                );
            }
        }
        if request.tokens == RevocationTokens::Refresh && !oauth.refresh.supported {
            report.add(
                file,
                "oauth.revoke.tokens",
                "only refresh tokens could be taken back, and the provider has none",
                "write `tokens = \"access\"`, or `unsupported = true`",
            );
        }
    }
}

/// Whether client id and client secret go into the body of a revocation.
fn sent_in_body(oauth: &OAuthFile, request: &RevokeRequestFile) -> (bool, bool) {
    match (request.auth, oauth.client_auth) {
        (RevocationAuth::Client, ClientAuth::Post) => (true, true),
        (RevocationAuth::Client, ClientAuth::None) => (true, false),
        _ => (false, false),
    }
}

fn names(url: &UrlTemplate, name: &str) -> bool {
    url.variables().any(|variable| variable == name)
}
