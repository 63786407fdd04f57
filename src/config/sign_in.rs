//! `mode`, `[sign_in]`, and what they demand of the address: who may be a person here, and who vouches for them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::file::File;
use super::resolve::Problems;
use super::source::Environment;
use crate::base::Secret;
use crate::egress;
use crate::gateway::SignInSettings;
use crate::identity::{GroupRules, Mode, SessionLimits};
use crate::oauth::IssuerSettings;

/// `[sign_in]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInSection {
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    scopes: Option<Vec<String>>,
    groups_claim: Option<String>,
    #[serde(default)]
    admin_groups: Vec<String>,
    #[serde(default)]
    member_groups: Vec<String>,
    name: Option<String>,
    idle_hours: Option<u32>,
    absolute_hours: Option<u32>,
}

const SECRET: &str = "ATTACHE_SIGN_IN_CLIENT_SECRET";
const SECRET_FILE: &str = "ATTACHE_SIGN_IN_CLIENT_SECRET_FILE";
const LISTEN_ANYWAY: &str = "ATTACHE_DANGEROUSLY_LISTEN_WITHOUT_SIGN_IN";

/// The mode and, where it needs one, the issuer. What is wrong goes to `problems`.
pub(super) fn resolve(
    file: &File,
    environment: &Environment,
    egress: &egress::Settings,
    problems: &mut Problems,
) -> (Mode, Option<SignInSettings>) {
    let mode = mode(file, environment, problems);
    let secret = secret(file, environment, problems);
    match (mode.has_issuer(), &file.sign_in) {
        (true, Some(section)) => (mode, settings(section, secret, egress, problems)),
        (true, None) => {
            let message = "is missing: in mode team and sso people sign in with an OpenID Connect issuer; add \
                           [sign_in] with issuer and client_id (see sign-in.md), or set mode = \"local\"";
            problems.add("sign_in", message.to_owned());
            (mode, None)
        }
        (false, Some(_)) => {
            let message = "does nothing in mode local, where nobody signs in with an issuer; set mode = \"team\" or \
                           \"sso\", or remove it";
            problems.add("sign_in", message.to_owned());
            (mode, None)
        }
        (false, None) => {
            if secret.is_some() {
                let message =
                    "does nothing in mode local; set mode = \"team\" or \"sso\", or remove it";
                problems.add(SECRET, message.to_owned());
            }
            (mode, None)
        }
    }
}

fn mode(file: &File, environment: &Environment, problems: &mut Problems) -> Mode {
    const VARIABLE: &str = "ATTACHE_MODE";
    let (place, name) = match (environment.find(VARIABLE), &file.mode) {
        (Some(name), _) => (VARIABLE, name),
        (None, Some(name)) => ("mode", name.as_str()),
        (None, None) => return Mode::default(),
    };
    Mode::named(name).unwrap_or_else(|| {
        let message = format!(
            "`{name}` is no mode; there are local (one person on their own computer), team and sso (people sign in with \
             an issuer)"
        );
        problems.add(place, message);
        Mode::default()
    })
}

fn secret(file: &File, environment: &Environment, problems: &mut Problems) -> Option<Secret> {
    let section = file.sign_in.as_ref();
    let named = section.and_then(|section| section.client_secret_file.as_deref());
    let (value, in_file) = (environment.find(SECRET), environment.find(SECRET_FILE));
    if value.is_some() && in_file.is_some() {
        problems.add(SECRET, format!("{SECRET_FILE} is set as well; keep one"));
    }
    if let Some(value) = value {
        return Some(Secret::new(value));
    }
    match (in_file, named) {
        (Some(path), _) => problems.secret_file(SECRET_FILE, Path::new(path)),
        (None, Some(path)) => problems.secret_file("sign_in.client_secret_file", path),
        (None, None) => None,
    }
}

fn settings(
    section: &SignInSection,
    client_secret: Option<Secret>,
    egress: &egress::Settings,
    problems: &mut Problems,
) -> Option<SignInSettings> {
    if client_secret.as_ref().is_some_and(is_empty) {
        let message =
            "holds no secret; a client without one names no file, and proof keys protect it";
        problems.add("sign_in.client_secret_file", message.to_owned());
    }
    let issuer = issuer(section.issuer.as_deref(), egress, problems);
    let client_id = section.client_id.clone().filter(|id| !id.is_empty());
    if client_id.is_none() {
        let message = "is missing: register Attache at the issuer, with PUBLIC_URL/sign-in/callback as redirect URI, \
                       and write here the client id that it gives you";
        problems.add("sign_in.client_id", message.to_owned());
    }
    let scopes = scopes(section, problems);
    let groups = groups(section, problems);
    let sessions = sessions(section, problems);
    if section.name.as_deref().is_some_and(|name| !is_name(name)) {
        let message = "is what stands on the button after \"Sign in with\": 1 to 60 characters";
        problems.add("sign_in.name", message.to_owned());
    }
    let (issuer, host) = issuer?;
    let name = section.name.clone().unwrap_or(host);
    Some(SignInSettings {
        issuer: IssuerSettings {
            issuer,
            client_id: client_id?,
            client_secret,
            scopes,
        },
        name,
        groups,
        sessions,
    })
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= 60
}

fn is_empty(secret: &Secret) -> bool {
    *secret == Secret::new("")
}

/// The issuer as it is written, and its host.
fn issuer(
    text: Option<&str>,
    egress: &egress::Settings,
    problems: &mut Problems,
) -> Option<(String, String)> {
    const PLACE: &str = "sign_in.issuer";
    let Some(text) = text else {
        let message = "is missing: write it exactly as the issuer calls itself, such as https://id.example.com/realms/acme";
        problems.add(PLACE, message.to_owned());
        return None;
    };
    let url = Url::parse(text).ok();
    let plain = url.filter(|url| {
        let bare = url.query().is_none() && url.fragment().is_none();
        bare && url.username().is_empty() && url.password().is_none()
    });
    let Some((url, host)) = plain.and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some((url, host))
    }) else {
        let message = format!(
            "`{text}` is no issuer: it is a web address without query, fragment, user name and password"
        );
        problems.add(PLACE, message);
        return None;
    };
    let Ok(address) = url.as_str().parse() else {
        problems.add(PLACE, format!("`{text}` is no web address"));
        return None;
    };
    if let Err(error) = egress.admit(&address) {
        let message = format!(
            "{error}. An issuer is reached over https at a public address, or on this very machine where \
             egress.dangerously_allow_loopback names it"
        );
        problems.add(PLACE, message);
        return None;
    }
    Some((text.to_owned(), host))
}

fn scopes(section: &SignInSection, problems: &mut Problems) -> Vec<String> {
    let Some(scopes) = &section.scopes else {
        return ["openid", "profile"].map(str::to_owned).into();
    };
    // RFC 6749 section 3.3.
    let is_scope = |scope: &String| {
        let known = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        !scope.is_empty() && scope.chars().all(known)
    };
    for wrong in scopes.iter().filter(|scope| !is_scope(scope)) {
        problems.add("sign_in.scopes", format!("`{wrong}` is no scope"));
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        let message = "`openid` is not among them; without it the issuer vouches for nobody";
        problems.add("sign_in.scopes", message.to_owned());
    }
    scopes.clone()
}

fn groups(section: &SignInSection, problems: &mut Problems) -> GroupRules {
    for (place, groups) in [
        ("sign_in.admin_groups", &section.admin_groups),
        ("sign_in.member_groups", &section.member_groups),
    ] {
        if groups.iter().any(|group| group.trim().is_empty()) {
            let message =
                "a group has no name; write groups as the issuer writes them in the claim";
            problems.add(place, message.to_owned());
        }
    }
    let claim = section.groups_claim.clone();
    if claim
        .as_deref()
        .is_some_and(|claim| claim.trim().is_empty())
    {
        let message = "names no claim; without this setting it is `groups`";
        problems.add("sign_in.groups_claim", message.to_owned());
    }
    GroupRules {
        claim: claim.unwrap_or_else(|| "groups".to_owned()),
        admins: section.admin_groups.clone(),
        members: section.member_groups.clone(),
    }
}

fn sessions(section: &SignInSection, problems: &mut Problems) -> SessionLimits {
    const MOST: u32 = 24 * 90;
    let usual = SessionLimits::OF_AN_ISSUER;
    let mut hours = |place: &str, hours: Option<u32>, usual: Duration| match hours {
        None => usual,
        Some(hours) if (1..=MOST).contains(&hours) => Duration::from_hours(hours.into()),
        Some(hours) => {
            let message = format!("{hours} is not between 1 and {MOST} hours");
            problems.add(place, message);
            usual
        }
    };
    let absolute = hours(
        "sign_in.absolute_hours",
        section.absolute_hours,
        usual.absolute,
    );
    let idle = usual.idle.unwrap_or(absolute).min(absolute);
    let idle = hours("sign_in.idle_hours", section.idle_hours, idle);
    if idle > absolute {
        let message =
            "is more than absolute_hours, so that no session would ever end by it; make it less";
        problems.add("sign_in.idle_hours", message.to_owned());
    }
    SessionLimits {
        idle: Some(idle),
        absolute,
    }
}

/// Whether this address may be listened on: where nobody has to sign in, nobody else may reach it; where people do, it must
/// be known what they type into their browsers.
pub(super) fn check_address(
    mode: Mode,
    bind: SocketAddr,
    has_public_url: bool,
    file: &File,
    environment: &Environment,
    problems: &mut Problems,
) {
    let is_reachable = !bind.ip().is_loopback();
    let anyway = listens_anyway(file, environment, problems);
    if mode.has_issuer() && anyway {
        let message = "says that nobody has to sign in, and mode team and sso that everybody has to; remove it";
        problems.add("dangerously_listen_without_sign_in", message.to_owned());
    }
    if mode == Mode::Local && is_reachable && !anyway {
        let message = format!(
            "{bind} can be reached by others, and in mode local nobody has to sign in with an issuer; set mode = \"team\" \
             with [sign_in], or listen on 127.0.0.1, or, where something else keeps others away (a container whose port \
             only this machine sees), set dangerously_listen_without_sign_in = true"
        );
        problems.add("bind", message);
    }
    if has_public_url {
        return;
    }
    if mode.has_issuer() {
        let message = "is missing: the issuer sends people back to it, so set it to what they type into a browser, such \
                       as https://attache.example.com";
        problems.add("public_url", message.to_owned());
    } else if is_reachable {
        let message = format!(
            "listening on {bind}, which others can reach, needs to know its own address: set it to what people \
             type into a browser, such as https://attache.example.com"
        );
        problems.add("public_url", message);
    }
}

/// `dangerously_listen_without_sign_in`.
pub(super) fn listens_anyway(
    file: &File,
    environment: &Environment,
    problems: &mut Problems,
) -> bool {
    let Some(text) = environment.find(LISTEN_ANYWAY) else {
        return file.dangerously_listen_without_sign_in;
    };
    text.parse().unwrap_or_else(|_| {
        problems.add(LISTEN_ANYWAY, format!("`{text}` is neither true nor false"));
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::fixture::resolve as resolve_with;

    fn resolve(text: &str) -> Result<Config, Vec<String>> {
        resolve_with(text, &Environment::default())
    }

    const TEAM: &str = "mode = 'team'\npublic_url = 'https://attache.example.com'\nbind = '0.0.0.0:8080'\n\
                        [sign_in]\nissuer = 'https://id.example.com/realms/acme'\nclient_id = 'attache'\n";

    #[test]
    fn a_team_needs_an_issuer_and_gets_what_is_usual() {
        let config = resolve(TEAM).unwrap();
        assert_eq!(config.mode, Mode::Team);
        let sign_in = config.sign_in.unwrap();
        assert_eq!(sign_in.issuer.issuer, "https://id.example.com/realms/acme");
        assert_eq!(sign_in.issuer.scopes, ["openid", "profile"]);
        assert!(sign_in.issuer.client_secret.is_none());
        assert_eq!(sign_in.name, "id.example.com");
        assert_eq!(sign_in.groups.claim, "groups");
        assert_eq!(sign_in.sessions, SessionLimits::OF_AN_ISSUER);
        let environment = Environment::from([("ATTACHE_MODE", "sso"), (SECRET, "hunter2")]);
        let config = resolve_with(TEAM, &environment).unwrap();
        assert_eq!(config.mode, Mode::Sso);
        let secret = config.sign_in.unwrap().issuer.client_secret;
        assert!(secret == Some(Secret::new("hunter2")));
    }

    #[test]
    fn every_problem_of_a_sign_in_is_reported_and_no_secret() {
        let file = "mode = 'team'\nbind = '0.0.0.0:8080'\n\
                    [sign_in]\nissuer = 'http://id.example.com'\nclient_secret_file = '/no/such'\nscopes = ['profile', 'a b']\n\
                    groups_claim = ''\nadmin_groups = ['']\nmember_groups = [' ']\nname = ''\nidle_hours = 9\n\
                    absolute_hours = 8\n";
        let environment = Environment::from([(LISTEN_ANYWAY, "perhaps")]);
        let problems = resolve_with(file, &environment).unwrap_err();
        for part in [
            "public_url: is missing",
            "sign_in.issuer: the gateway does not connect",
            "sign_in.client_id: is missing",
            "sign_in.client_secret_file: /no/such",
            "sign_in.scopes: `openid`",
            "sign_in.scopes: `a b`",
            "sign_in.groups_claim: ",
            "sign_in.admin_groups: ",
            "sign_in.member_groups: ",
            "sign_in.name: ",
            "sign_in.idle_hours: is more",
            "ATTACHE_DANGEROUSLY_LISTEN_WITHOUT_SIGN_IN: `perhaps`",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(part)),
                "{part} is missing in {problems:#?}"
            );
        }
        let both = Environment::from([(SECRET, "hunter2"), (SECRET_FILE, "/x")]);
        let problems = resolve_with(TEAM, &both).unwrap_err().concat();
        assert!(problems.contains("keep one") && !problems.contains("hunter2"));
        for (hours, message) in [("0", "0 is not between"), ("9999", "9999 is not between")] {
            let problems = resolve(&format!("{TEAM}absolute_hours = {hours}\n")).unwrap_err();
            assert!(problems.concat().contains(message), "{problems:?}");
        }
    }

    #[test]
    fn an_issuer_is_a_plain_address_that_may_be_reached() {
        let with = |issuer: &str| {
            let file = format!(
                "{}\n[egress]\ndangerously_allow_loopback = ['localhost:9']\n",
                TEAM.replace("https://id.example.com/realms/acme", issuer)
            );
            resolve(&file)
        };
        assert!(with("http://localhost:9/x").is_ok());
        for wrong in [
            "id.example.com",
            "http://localhost:8/x",
            "https://10.0.0.1",
            "https://127.0.0.1",
            "https://u:p@id.example.com",
            "https://id.example.com/?a=b",
            "https://id.example.com/#a",
            "file:///etc/passwd",
        ] {
            let problems = with(wrong).unwrap_err();
            assert!(
                problems[0].starts_with("sign_in.issuer"),
                "{wrong}: {problems:?}"
            );
        }
    }

    #[test]
    fn modes_and_sections_must_fit() {
        let unknown = resolve("mode = 'demo'\n").unwrap_err();
        assert!(unknown[0].contains("`demo` is no mode"), "{unknown:?}");
        let missing = resolve("mode = 'sso'\npublic_url = 'https://a.example'\n").unwrap_err();
        assert!(missing[0].starts_with("sign_in: is missing"), "{missing:?}");
        let useless = resolve("[sign_in]\nissuer = 'https://id.example.com'\n").unwrap_err();
        assert!(
            useless[0].contains("does nothing in mode local"),
            "{useless:?}"
        );
        let useless = resolve_with("", &Environment::from([(SECRET, "x")])).unwrap_err();
        assert!(useless[0].starts_with(SECRET), "{useless:?}");
    }

    #[test]
    fn where_nobody_signs_in_others_are_kept_out() {
        let open = "bind = '0.0.0.0:8080'\npublic_url = 'https://attache.example.com'\n";
        let refused = resolve(open).unwrap_err();
        assert!(
            refused.len() == 1 && refused[0].contains("dangerously_listen_without_sign_in"),
            "{refused:?}"
        );
        let anyway = format!("{open}dangerously_listen_without_sign_in = true\n");
        assert!(resolve(&anyway).unwrap().listens_without_sign_in);
        assert!(!resolve("").unwrap().listens_without_sign_in);
        let environment = Environment::from([(LISTEN_ANYWAY, "true")]);
        assert!(resolve_with(open, &environment).is_ok());
        let contradiction = resolve_with(TEAM, &environment).unwrap_err();
        assert!(contradiction[0].contains("remove it"), "{contradiction:?}");
    }
}
