//! `[webhooks.<name>]` and `ATTACHE_WEBHOOKS_<NAME>_…`: where events go.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::resolve::Problems;
use super::source::Environment;
use crate::base::Secret;
use crate::egress;
use crate::gateway::{Webhook, WebhookSettings};

/// `[webhooks.<name>]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookSection {
    url: Option<String>,
    secret: Option<Secret>,
    secret_file: Option<PathBuf>,
    events: Option<Vec<String>>,
    #[serde(default)]
    with_account: bool,
}

const PREFIX: &str = "ATTACHE_WEBHOOKS_";

/// The webhooks of file and environment; what is wrong with any of them goes to `problems`.
pub(super) fn resolve(
    sections: &BTreeMap<String, WebhookSection>,
    environment: &Environment,
    egress: &egress::Settings,
    problems: &mut Problems,
) -> Vec<Webhook> {
    let mut settings = BTreeMap::new();
    for (name, section) in sections {
        settings.insert(name.clone(), from_file(name, section, problems));
    }
    from_environment(environment, &mut settings, problems);
    let mut webhooks = Vec::new();
    for (name, settings) in &settings {
        if !is_name(name) {
            let message = "a webhook's name has 1 to 40 letters, digits, `-` and `_`";
            problems.add(&format!("webhooks.{name}"), message.to_owned());
        }
        match Webhook::new(name, settings, egress) {
            Ok(webhook) => webhooks.push(webhook),
            Err(found) => {
                for problem in found {
                    let place = format!("webhooks.{name}.{}", problem.setting());
                    problems.add(&place, problem.to_string());
                }
            }
        }
    }
    webhooks
}

fn is_name(name: &str) -> bool {
    let known = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    (1..=40).contains(&name.len()) && name.bytes().all(known)
}

fn from_file(name: &str, section: &WebhookSection, problems: &mut Problems) -> WebhookSettings {
    let place = format!("webhooks.{name}");
    let file = section.secret_file.as_deref();
    let secret = file.and_then(|path| problems.secret_file(&format!("{place}.secret_file"), path));
    if section.secret.is_some() && file.is_some() {
        let message = "secret and secret_file are both set; keep one";
        problems.add(&place, message.to_owned());
    }
    WebhookSettings {
        url: section.url.clone(),
        secret: section.secret.clone().or(secret),
        events: section.events.clone(),
        with_account: section.with_account,
    }
}

/// `_URL`, `_SECRET`, `_SECRET_FILE`, `_EVENTS` (with commas between) and `_WITH_ACCOUNT`.
fn from_environment(
    environment: &Environment,
    settings: &mut BTreeMap<String, WebhookSettings>,
    problems: &mut Problems,
) {
    for (rest, value) in environment.with_prefix(PREFIX) {
        let place = format!("{PREFIX}{rest}");
        if let Some(name) = rest.strip_suffix("_URL") {
            of(settings, name).url = Some(value.to_owned());
        } else if let Some(name) = rest.strip_suffix("_SECRET") {
            of(settings, name).secret = Some(Secret::new(value));
        } else if let Some(name) = rest.strip_suffix("_SECRET_FILE") {
            of(settings, name).secret = problems.secret_file(&place, Path::new(value));
        } else if let Some(name) = rest.strip_suffix("_EVENTS") {
            let kinds = value.split(',').map(|kind| kind.trim().to_owned());
            of(settings, name).events = Some(kinds.collect());
        } else if let Some(name) = rest.strip_suffix("_WITH_ACCOUNT") {
            match value.parse() {
                Ok(with_account) => of(settings, name).with_account = with_account,
                Err(_) => problems.add(&place, format!("`{value}` is neither true nor false")),
            }
        } else {
            let message =
                "is not known; it ends in _URL, _SECRET, _SECRET_FILE, _EVENTS or _WITH_ACCOUNT";
            problems.add(&place, message.to_owned());
        }
    }
}

fn of<'a>(
    settings: &'a mut BTreeMap<String, WebhookSettings>,
    name: &str,
) -> &'a mut WebhookSettings {
    settings.entry(name.to_ascii_lowercase()).or_default()
}

#[cfg(test)]
mod tests {
    use crate::config::Environment;
    use crate::config::fixture::resolve;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn webhooks_come_from_the_file_and_from_the_environment() {
        let file = format!(
            "[egress]\ndangerously_allow_loopback = ['localhost:9']\n\
             [webhooks.ops]\nurl = 'https://ops.example.com/x'\nsecret = '{SECRET}'\n\
             [webhooks.own]\nurl = 'http://localhost:9/x'\nsecret = '{SECRET}'\nevents = ['connection.expired']\n"
        );
        let environment = Environment::from([
            ("ATTACHE_WEBHOOKS_OPS_URL", "https://other.example.com/y"),
            ("ATTACHE_WEBHOOKS_CHAT_URL", "https://chat.example.com/"),
            ("ATTACHE_WEBHOOKS_CHAT_SECRET", SECRET),
            (
                "ATTACHE_WEBHOOKS_CHAT_EVENTS",
                "connection.revoked, connection.connected",
            ),
            ("ATTACHE_WEBHOOKS_CHAT_WITH_ACCOUNT", "true"),
        ]);
        let config = resolve(&file, &environment).unwrap();
        let seen: Vec<_> = config
            .webhooks
            .iter()
            .map(|known| (known.name(), known.origin(), known.events().len()))
            .collect();
        let expected = [
            ("chat", "https://chat.example.com", 2),
            ("ops", "https://other.example.com", 4),
            ("own", "http://localhost:9", 1),
        ];
        assert_eq!(
            seen,
            expected.map(|(name, origin, kinds)| (name, origin.to_owned(), kinds))
        );
    }

    #[test]
    fn every_problem_of_every_webhook_is_reported() {
        let file = "[webhooks.a]\n[webhooks.b]\nurl = 'http://ops.example.com/'\nsecret = 'hunter2'\nevents = ['x']\n\
                    [webhooks.'c d']\nurl = 'https://10.0.0.1/'\nsecret_file = '/no/such'\n";
        let environment = Environment::from([
            ("ATTACHE_WEBHOOKS_A_URI", "x"),
            ("ATTACHE_WEBHOOKS_A_WITH_ACCOUNT", "perhaps"),
        ]);
        let problems = resolve(file, &environment).unwrap_err();
        for part in [
            "webhooks.a.url: url is missing",
            "webhooks.a.secret: secret is missing",
            "webhooks.b.url: ",
            "webhooks.b.secret: ",
            "webhooks.b.events: `x`",
            "webhooks.c d: ",
            "webhooks.c d.url: ",
            "webhooks.c d.secret_file: /no/such",
            "ATTACHE_WEBHOOKS_A_URI: is not known",
            "ATTACHE_WEBHOOKS_A_WITH_ACCOUNT: `perhaps`",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(part)),
                "{part} is missing in {problems:#?}"
            );
        }
        assert!(!problems.concat().contains("hunter2"));
        let unknown = resolve("[webhooks.a]\nurll = 'x'\n", &Environment::default()).unwrap_err();
        assert!(unknown[0].contains("unknown field `urll`"), "{unknown:?}");
    }
}
