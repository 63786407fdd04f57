//! From options, environment and file to one resolved configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use etcetera::{AppStrategy, AppStrategyArgs, choose_app_strategy};
use ipnet::IpNet;

use super::access_tokens;
use super::control_socket;
use super::file::{BackupSection, File, ServiceSection, StoreSection};
use super::keys;
use super::sign_in;
use super::source::Environment;
use super::webhooks;
use crate::base::Secret;
use crate::egress::{self, LoopbackAuthority};
use crate::gateway::{Limits, Links, ServiceSettings, SignInSettings, Webhook};
use crate::identity::{Mode, TrustedIssuer};
use crate::mcp;
use crate::store::{self, KeySource, Shelf, SpaceSettings};

/// Where the gateway listens when nobody says otherwise.
const DEFAULT_BIND: &str = "127.0.0.1:8080";

/// How long a gateway in the background stays without use when nobody says otherwise.
const DEFAULT_IDLE_EXIT: Duration = Duration::from_mins(15);

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--config`: the configuration file.
    pub config: Option<PathBuf>,
    /// `--bind`: address and port.
    pub bind: Option<String>,
    /// `--data-dir`: the data folder.
    pub data_dir: Option<PathBuf>,
    /// `--providers`: a folder with more provider files.
    pub providers: Option<PathBuf>,
    /// `--public-url`: where browsers and clients find this gateway.
    pub public_url: Option<String>,
}

/// Everything that the program needs to know before it starts.
#[derive(Debug)]
pub struct Config {
    /// The file that settings were read from; none when there is none.
    pub file: Option<PathBuf>,
    /// Address and port to listen on.
    pub bind: SocketAddr,
    /// Who may be a person here, and how they sign in.
    pub mode: Mode,
    /// Who vouches for people; none in mode local.
    pub sign_in: Option<SignInSettings>,
    /// Dangerous: others can reach it and nobody has to sign in.
    pub listens_without_sign_in: bool,
    /// Where browsers and clients find this gateway; none: the address it listens on.
    pub public_url: Option<String>,
    /// The proxies that may say, in `X-Forwarded-For`, from where a request comes.
    pub trusted_proxies: Vec<IpNet>,
    /// Where the store and the master key live.
    pub data_dir: PathBuf,
    /// The user's folder for sockets (`XDG_RUNTIME_DIR`).
    pub runtime_dir: Option<PathBuf>,
    /// How long a gateway that runs in the background stays without use; none: as long as the machine runs.
    pub idle_exit: Option<Duration>,
    /// A folder with more provider files.
    pub providers: Option<PathBuf>,
    /// Where the master key comes from.
    pub master_key: KeySource,
    /// Where the master key of before comes from, while a store changes from it to another.
    pub previous_key: Option<KeySource>,
    /// Settings of the way out.
    pub egress: egress::Settings,
    /// What each agent may ask for at once.
    pub limits: Limits,
    /// Settings of the MCP surface.
    pub mcp: mcp::Settings,
    /// Settings of the store.
    pub store: store::Settings,
    /// Where backups are kept, and when one is made by itself.
    pub backups: Shelf,
    /// What is said about each service.
    pub services: BTreeMap<String, ServiceSettings>,
    /// Where events are sent.
    pub webhooks: Vec<Webhook>,
    /// Whose access tokens are accepted.
    pub access_tokens: Vec<TrustedIssuer>,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The setting, and where it was read from.
    pub place: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

/// A value with the place it was read from.
struct Found<T> {
    value: T,
    place: String,
}

impl Config {
    /// Resolves all settings: option, environment, file, default, in this order.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn resolve(
        options: &Options,
        environment: &Environment,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Problems::default();
        let path = config_file(options, environment);
        let file = problems
            .keep(read_file(path.as_deref()))
            .unwrap_or_default();
        let data_dir = problems
            .keep(data_dir(options, environment, &file))
            .unwrap_or_default();
        let bind = problems.keep(bind(options, environment, &file));
        let public_url = public_url(options, environment, &file);
        if let Some(found) = &public_url
            && let Err(error) = Links::new(&found.value)
        {
            problems.add(&found.place, error.to_string());
        }
        let mut services = BTreeMap::new();
        for (id, section) in &file.services {
            services.insert(id.clone(), problems.service(id, section));
        }
        problems.services_from_environment(environment, &mut services);
        let allowed = file.egress.dangerously_allow_loopback.iter();
        let allowed = allowed.filter_map(|text| problems.loopback(text)).collect();
        let egress = egress::Settings {
            dangerously_allow_loopback: allowed,
            ..egress::Settings::default()
        };
        let (mode, sign_in) = sign_in::resolve(&file, environment, &egress, &mut problems);
        if let Some(bind) = bind {
            let has_url = public_url.is_some();
            sign_in::check_address(mode, bind, has_url, &file, environment, &mut problems);
        }
        let people = sign_in.as_ref();
        let access_tokens =
            access_tokens::resolve(&file.access_tokens, mode, people, &egress, &mut problems);
        let proxies = file.trusted_proxies.iter();
        let trusted_proxies = proxies.filter_map(|text| problems.proxy(text)).collect();
        let webhooks = webhooks::resolve(&file.webhooks, environment, &egress, &mut problems);
        let store = store_settings(&data_dir, &StoreSection::default());
        let (master_key, previous_key) = keys::resolve(environment, &file, &store, &mut problems);
        let idle_exit = problems.keep(idle_exit(environment, &file)).flatten();
        let backups = problems.shelf(&file.backup, &data_dir);
        let Problems(problems) = problems;
        match (bind, problems.is_empty()) {
            (Some(bind), true) => Ok(Self {
                file: path,
                bind,
                mode,
                sign_in,
                listens_without_sign_in: mode == Mode::Local && !bind.ip().is_loopback(),
                public_url: public_url.map(|found| found.value),
                trusted_proxies,
                providers: pick_path(
                    options.providers.as_ref(),
                    environment,
                    "ATTACHE_PROVIDERS",
                    file.providers,
                ),
                runtime_dir: environment.find("XDG_RUNTIME_DIR").map(PathBuf::from),
                idle_exit,
                master_key,
                previous_key,
                egress,
                limits: file.limits,
                mcp: file.mcp,
                store: store_settings(&data_dir, &file.store),
                backups,
                services,
                webhooks,
                access_tokens,
                data_dir,
            }),
            _ => Err(problems),
        }
    }
}

impl Config {
    /// Where the gateway of this data folder listens for bridges and commands.
    ///
    /// # Errors
    /// When the data folder's path is too long for a socket and there is no shorter place.
    pub fn control_socket(&self) -> Result<PathBuf, ConfigProblem> {
        control_socket::path(&self.data_dir, self.runtime_dir.as_deref())
    }

    /// The same configuration with its data in a folder of its own below, so that a trial never touches real data.
    #[must_use]
    pub fn in_folder(self, name: &str) -> Self {
        let data_dir = self.data_dir.join(name);
        let store = store::Settings {
            data_dir: data_dir.clone(),
            ..self.store
        };
        let master_key = match self.master_key {
            KeySource::File(_) => KeySource::beside(&store),
            given => given,
        };
        let usual = Shelf::beside(&self.data_dir).folder;
        let backups = if self.backups.folder == usual {
            Shelf::beside(&data_dir).folder
        } else {
            self.backups.folder.join(name)
        };
        Self {
            data_dir,
            master_key,
            store,
            backups: Shelf {
                folder: backups,
                ..self.backups
            },
            ..self
        }
    }
}

fn store_settings(data_dir: &Path, section: &StoreSection) -> store::Settings {
    let defaults = store::Settings::new(data_dir.to_owned());
    store::Settings {
        cache_bytes: section.cache_bytes.unwrap_or(defaults.cache_bytes),
        record_cache_bytes: section
            .record_cache_bytes
            .unwrap_or(defaults.record_cache_bytes),
        space: SpaceSettings {
            floor_bytes: section.floor_bytes,
            ballast_bytes: section.ballast_bytes,
        },
        ..defaults
    }
}

/// The file that is named, or the one in the usual place if it is there.
fn config_file(options: &Options, environment: &Environment) -> Option<PathBuf> {
    let named = options
        .config
        .clone()
        .or_else(|| environment.find("ATTACHE_CONFIG").map(PathBuf::from));
    named.or_else(|| default_config_file().filter(|path| path.exists()))
}

fn read_file(path: Option<&Path>) -> Result<File, ConfigProblem> {
    let Some(path) = path else {
        return Ok(File::default());
    };
    let problem = |message: String| ConfigProblem {
        place: path.display().to_string(),
        message,
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| problem(format!("cannot be read: {error}")))?;
    toml::from_str(&text).map_err(|error| {
        // Only the message: the parser's own rendering repeats the line, and the line may hold a secret.
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].lines().count().max(1)
        });
        ConfigProblem {
            place: format!("{}, line {line}", path.display()),
            message: error.message().to_owned(),
        }
    })
}

fn strategy() -> Option<impl AppStrategy> {
    let names = AppStrategyArgs {
        top_level_domain: "dev".into(),
        author: "attache".into(),
        app_name: "attache".into(),
    };
    choose_app_strategy(names).ok()
}

fn default_config_file() -> Option<PathBuf> {
    strategy().map(|dirs| dirs.config_dir().join("attache.toml"))
}

fn data_dir(
    options: &Options,
    environment: &Environment,
    file: &File,
) -> Result<PathBuf, ConfigProblem> {
    pick_path(
        options.data_dir.as_ref(),
        environment,
        "ATTACHE_DATA_DIR",
        file.data_dir.clone(),
    )
    .or_else(|| strategy().map(|dirs| dirs.data_dir()))
    .ok_or_else(|| ConfigProblem {
        place: "data_dir".into(),
        message: "there is no home folder to put it in; name a folder with --data-dir".into(),
    })
}

fn pick_path(
    option: Option<&PathBuf>,
    environment: &Environment,
    variable: &str,
    file: Option<PathBuf>,
) -> Option<PathBuf> {
    option
        .cloned()
        .or_else(|| environment.find(variable).map(PathBuf::from))
        .or(file)
}

fn bind(
    options: &Options,
    environment: &Environment,
    file: &File,
) -> Result<SocketAddr, ConfigProblem> {
    let found = pick(
        options.bind.as_ref(),
        "--bind",
        environment,
        "ATTACHE_BIND",
        file.bind.as_ref(),
        "bind",
    );
    let found = found.unwrap_or_else(|| Found {
        value: DEFAULT_BIND.to_owned(),
        place: "bind".to_owned(),
    });
    SocketAddr::from_str(&found.value).map_err(|_| ConfigProblem {
        place: found.place,
        message: format!(
            "`{}` is not an address and port; write it like {DEFAULT_BIND}",
            found.value
        ),
    })
}

/// Zero means never.
fn idle_exit(environment: &Environment, file: &File) -> Result<Option<Duration>, ConfigProblem> {
    const VARIABLE: &str = "ATTACHE_IDLE_EXIT_SECONDS";
    let seconds = match environment.find(VARIABLE) {
        Some(text) => Some(text.parse().map_err(|_| ConfigProblem {
            place: VARIABLE.into(),
            message: format!("`{text}` is not a number of seconds; 0 means never"),
        })?),
        None => file.idle_exit_seconds,
    };
    let idle = seconds.map_or(DEFAULT_IDLE_EXIT, Duration::from_secs);
    Ok((!idle.is_zero()).then_some(idle))
}

fn public_url(options: &Options, environment: &Environment, file: &File) -> Option<Found<String>> {
    pick(
        options.public_url.as_ref(),
        "--public-url",
        environment,
        "ATTACHE_PUBLIC_URL",
        file.public_url.as_ref(),
        "public_url",
    )
}

fn pick(
    option: Option<&String>,
    option_name: &str,
    environment: &Environment,
    variable: &str,
    file: Option<&String>,
    key: &str,
) -> Option<Found<String>> {
    let found = |value: &str, place: &str| Found {
        value: value.to_owned(),
        place: place.to_owned(),
    };
    option
        .map(|value| found(value, option_name))
        .or_else(|| {
            environment
                .find(variable)
                .map(|value| found(value, variable))
        })
        .or_else(|| file.map(|value| found(value, key)))
}

fn service<'a>(
    services: &'a mut BTreeMap<String, ServiceSettings>,
    id: &str,
) -> &'a mut ServiceSettings {
    services.entry(id.to_ascii_lowercase()).or_default()
}

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Problems(Vec<ConfigProblem>);

impl Problems {
    pub(super) fn add(&mut self, place: &str, message: String) {
        self.0.push(ConfigProblem {
            place: place.to_owned(),
            message,
        });
    }

    fn keep<T>(&mut self, outcome: Result<T, ConfigProblem>) -> Option<T> {
        outcome.map_err(|problem| self.0.push(problem)).ok()
    }

    fn loopback(&mut self, text: &str) -> Option<LoopbackAuthority> {
        let parsed = LoopbackAuthority::from_str(text);
        parsed
            .map_err(|error| self.add("egress.dangerously_allow_loopback", error.to_string()))
            .ok()
    }

    fn proxy(&mut self, text: &str) -> Option<IpNet> {
        let one = |address: IpAddr| IpNet::from(address);
        let parsed = text.parse().or_else(|_| text.parse().map(one));
        let problem = |_| {
            let message =
                format!("{text:?} is no address or network; write it like \"10.0.0.0/8\"");
            self.add("trusted_proxies", message);
        };
        parsed.map_err(problem).ok()
    }

    fn shelf(&mut self, section: &BackupSection, data_dir: &Path) -> Shelf {
        let usual = Shelf::beside(data_dir);
        if section.every_hours == Some(0) {
            let message = "0 hours are no time; `automatic = false` switches backups off";
            self.add("backup.every_hours", message.into());
        }
        if section.keep == Some(0) {
            let message = "one backup at least is kept; `automatic = false` switches backups off";
            self.add("backup.keep", message.into());
        }
        let every = section
            .every_hours
            .map_or(Shelf::EVERY, |hours| Duration::from_hours(hours.into()));
        Shelf {
            folder: section.folder.clone().unwrap_or(usual.folder),
            every: section.automatic.unwrap_or(true).then_some(every),
            keep: section.keep.unwrap_or(usual.keep),
        }
    }

    pub(super) fn secret_file(&mut self, place: &str, path: &Path) -> Option<Secret> {
        match std::fs::read_to_string(path) {
            Ok(text) => Some(Secret::new(text.trim_end())),
            Err(error) => {
                self.add(place, format!("{} cannot be read: {error}", path.display()));
                None
            }
        }
    }

    fn service(&mut self, id: &str, section: &ServiceSection) -> ServiceSettings {
        let place = format!("services.{id}");
        let from_file = section
            .client_secret_file
            .as_deref()
            .and_then(|path| self.secret_file(&format!("{place}.client_secret_file"), path));
        if section.client_secret.is_some() && section.client_secret_file.is_some() {
            self.add(
                &place,
                "client_secret and client_secret_file are both set; keep one".into(),
            );
        }
        ServiceSettings {
            client_id: section.client_id.clone(),
            client_secret: section.client_secret.clone().or(from_file),
            variables: section.variables.clone(),
        }
    }

    /// `ATTACHE_SERVICES_<ID>_CLIENT_ID`, `_CLIENT_SECRET`, `_CLIENT_SECRET_FILE` and `_VARIABLES_<NAME>`.
    fn services_from_environment(
        &mut self,
        environment: &Environment,
        services: &mut BTreeMap<String, ServiceSettings>,
    ) {
        const PREFIX: &str = "ATTACHE_SERVICES_";
        for (rest, value) in environment.with_prefix(PREFIX) {
            if let Some(id) = rest.strip_suffix("_CLIENT_ID") {
                service(services, id).client_id = Some(value.to_owned());
            } else if let Some(id) = rest.strip_suffix("_CLIENT_SECRET") {
                service(services, id).client_secret = Some(Secret::new(value));
            } else if let Some(id) = rest.strip_suffix("_CLIENT_SECRET_FILE") {
                service(services, id).client_secret =
                    self.secret_file(&format!("{PREFIX}{rest}"), Path::new(value));
            } else if let Some((id, name)) = rest.split_once("_VARIABLES_") {
                service(services, id)
                    .variables
                    .insert(name.to_ascii_lowercase(), value.to_owned());
            } else {
                let message = "is not known; it ends in _CLIENT_ID, _CLIENT_SECRET, _CLIENT_SECRET_FILE or \
                               _VARIABLES_<NAME>";
                self.add(&format!("{PREFIX}{rest}"), message.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(options: &Options, environment: &Environment) -> Result<Config, Vec<String>> {
        Config::resolve(options, environment)
            .map_err(|found| found.iter().map(ToString::to_string).collect())
    }

    fn with_file(text: &str) -> (tempfile::TempDir, Options) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("attache.toml");
        std::fs::write(&path, text).unwrap();
        let options = Options {
            config: Some(path),
            data_dir: Some(dir.path().into()),
            ..Options::default()
        };
        (dir, options)
    }

    #[test]
    fn an_option_beats_the_environment_which_beats_the_file() {
        let (_dir, options) =
            with_file("bind = '127.0.0.1:1'\npublic_url = 'https://file.example'\n");
        let environment = Environment::from([("ATTACHE_BIND", "127.0.0.1:2")]);
        let config = resolve(&options, &environment).unwrap();
        assert_eq!(
            (config.bind.port(), config.public_url.as_deref()),
            (2, Some("https://file.example"))
        );
        let options = Options {
            bind: Some("127.0.0.1:3".into()),
            ..options
        };
        assert_eq!(resolve(&options, &environment).unwrap().bind.port(), 3);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let (_dir, options) = with_file(
            "bind = 'nowhere'\npublic_url = 'http://attache.example.com'\n\
             [egress]\ndangerously_allow_loopback = ['no port']\n[services.acme]\nclient_secret_file = '/no/such'\n",
        );
        let problems = resolve(
            &options,
            &Environment::from([("ATTACHE_SERVICES_ACME_CLINT_ID", "x")]),
        )
        .unwrap_err();
        assert_eq!(problems.len(), 5, "{problems:#?}");
        for part in [
            "bind: `nowhere`",
            "public_url: ",
            "egress.dangerously",
            "services.acme.client",
            "CLINT_ID: is not",
        ] {
            assert!(
                problems.iter().any(|problem| problem.contains(part)),
                "{part} is missing in {problems:#?}"
            );
        }
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line_and_no_line_is_repeated() {
        let (_dir, options) =
            with_file("bind = '127.0.0.1:1'\n[services.acme]\nclient_secret = ['hunter2']\n");
        let problem = resolve(&options, &Environment::default())
            .unwrap_err()
            .remove(0);
        assert!(
            problem.contains("line 3") && !problem.contains("hunter2"),
            "{problem}"
        );
        let (_dir, options) = with_file("publc_url = 'x'\n");
        let problem = resolve(&options, &Environment::default())
            .unwrap_err()
            .remove(0);
        assert!(
            problem.contains("unknown field `publc_url`") && problem.contains("line 1"),
            "{problem}"
        );
    }

    #[test]
    fn backups_are_made_daily_unless_somebody_says_otherwise() {
        let shelf = |text: &str| {
            let (_dir, options) = with_file(text);
            let resolved = resolve(&options, &Environment::default());
            resolved.map(|config| (config.backups, config.data_dir))
        };
        let (usual, data_dir) = shelf("").unwrap();
        assert_eq!(usual, Shelf::beside(&data_dir));
        assert_eq!(
            (usual.every, usual.keep),
            (Some(Duration::from_hours(24)), 7)
        );
        let (off, _) = shelf("[backup]\nautomatic = false\nkeep = 3\n").unwrap();
        assert_eq!((off.every, off.keep), (None, 3));
        let (own, _) = shelf("[backup]\nfolder = '/elsewhere'\nevery_hours = 6\n").unwrap();
        assert_eq!(own.folder, Path::new("/elsewhere"));
        assert_eq!(own.every, Some(Duration::from_hours(6)));
        let problems = shelf("[backup]\nkeep = 0\nevery_hours = 0\n").unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn registrations_come_from_the_environment_too() {
        let (_dir, options) = with_file("[services.git_hub]\nclient_id = 'from-file'\n");
        let environment = Environment::from([
            ("ATTACHE_SERVICES_GIT_HUB_CLIENT_ID", "from-environment"),
            ("ATTACHE_SERVICES_GIT_HUB_CLIENT_SECRET", "s3cret"),
            ("ATTACHE_SERVICES_LOCAL_VARIABLES_PORT", "81"),
        ]);
        let config = resolve(&options, &environment).unwrap();
        assert_eq!(
            config.services["git_hub"].client_id.as_deref(),
            Some("from-environment")
        );
        assert!(config.services["git_hub"].client_secret == Some(Secret::new("s3cret")));
        assert_eq!(config.services["local"].variables["port"], "81");
    }

    #[test]
    fn the_idle_exit_is_a_number_of_seconds_or_never() {
        let (_dir, options) = with_file("idle_exit_seconds = 5\n");
        let idle = |environment| resolve(&options, &environment).map(|config| config.idle_exit);
        let set = |value| Environment::from([("ATTACHE_IDLE_EXIT_SECONDS", value)]);
        let five = Some(Duration::from_secs(5));
        assert_eq!(idle(Environment::default()).unwrap(), five);
        assert_eq!(idle(set("0")).unwrap(), None);
        assert!(idle(set("soon")).unwrap_err()[0].contains("`soon`"));
    }

    #[test]
    fn an_address_that_others_reach_needs_a_public_url() {
        let (_dir, options) = with_file("bind = '0.0.0.0:8080'\n");
        let environment =
            Environment::from([("ATTACHE_DANGEROUSLY_LISTEN_WITHOUT_SIGN_IN", "true")]);
        assert!(
            resolve(&options, &environment).unwrap_err()[0].starts_with("public_url: listening on")
        );
    }
}
