//! The doctor: looks at everything that a start of the gateway depends on, and changes nothing.
//!
//! Owns what is looked at and how grave each finding is. Refuses to know in which words a person is told: that is the
//! command line's. No finding holds a secret.

mod address;
mod backups;
mod clock;
mod data_folder;
mod endings;
mod key;
mod port;
mod services;

use std::path::PathBuf;

pub use address::AddressFinding;
pub use backups::BackupFinding;
pub use clock::ClockFinding;
pub use data_folder::DataFolderFinding;
pub use endings::EndingFinding;
pub use key::KeyFinding;
pub use port::PortFinding;
pub use services::{ServiceFinding, Standing};

use crate::base::{Clock, Random};
use crate::config::{Config, ConfigProblem, Environment, Options};
use crate::gateway::Links;
use crate::store::{Condition, MasterKeys, OpenError, Store};

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// As it should be.
    Ok,
    /// The gateway runs, and somebody should look at it.
    Warning,
    /// The gateway does not start, or does not do what it is for.
    Problem,
}

/// One thing that was looked at, and how it stands.
#[derive(Debug)]
pub enum Finding {
    /// The settings as a whole.
    Configuration(ConfigurationFinding),
    /// The key that everything in the store is sealed with.
    MasterKey(KeyFinding),
    /// The machine's clock.
    Clock(ClockFinding),
    /// Where browsers and clients are told to find the gateway.
    PublicUrl(AddressFinding),
    /// The address and port to listen on.
    Port(PortFinding),
    /// Who may look into the data folder.
    DataFolder(DataFolderFinding),
    /// State at rest.
    Store(StoreFinding),
    /// One service, or the provider files as a whole.
    Services(ServiceFinding),
    /// The backups of the store.
    Backups(BackupFinding),
    /// What can be foreseen about connections.
    Endings(EndingFinding),
}

/// How the settings stand.
#[derive(Debug)]
pub enum ConfigurationFinding {
    /// They can be used; the public URL is a finding of its own.
    Right {
        /// The file that was read, if there is one.
        file: Option<PathBuf>,
    },
    /// Something is wrong with one of them.
    Wrong(ConfigProblem),
    /// What depends on them was not looked at, since they are wrong.
    RestNotExamined,
}

/// How the store stands.
#[derive(Debug)]
pub enum StoreFinding {
    /// What a look at it showed.
    Seen {
        /// Its folder.
        folder: PathBuf,
        /// What was seen.
        condition: Condition,
    },
    /// It would not open.
    Failed(OpenError),
    /// It was not looked at, since there is no key to open it with.
    NotExamined {
        /// Its folder.
        folder: PathBuf,
    },
}

impl Finding {
    /// How it is to be taken.
    #[must_use]
    pub fn gravity(&self) -> Gravity {
        match self {
            Self::Configuration(finding) => finding.gravity(),
            Self::MasterKey(finding) => finding.gravity(),
            Self::Clock(finding) => finding.gravity(),
            Self::PublicUrl(finding) => finding.gravity(),
            Self::Port(finding) => finding.gravity(),
            Self::DataFolder(finding) => finding.gravity(),
            Self::Store(finding) => finding.gravity(),
            Self::Services(finding) => finding.gravity(),
            Self::Backups(finding) => finding.gravity(),
            Self::Endings(finding) => finding.gravity(),
        }
    }
}

impl ConfigurationFinding {
    fn gravity(&self) -> Gravity {
        match self {
            Self::Right { .. } => Gravity::Ok,
            Self::RestNotExamined => Gravity::Warning,
            Self::Wrong(_) => Gravity::Problem,
        }
    }
}

impl StoreFinding {
    fn gravity(&self) -> Gravity {
        match self {
            Self::Seen { condition, .. } => match condition {
                Condition::Absent | Condition::InUse | Condition::Whole { .. } => Gravity::Ok,
                Condition::NotTried { .. } => Gravity::Warning,
                Condition::RecordsDamaged { .. } => Gravity::Problem,
            },
            Self::NotExamined { .. } => Gravity::Warning,
            Self::Failed(_) => Gravity::Problem,
        }
    }

    /// Whether a process has the store open.
    fn is_in_use(&self) -> bool {
        matches!(
            self,
            Self::Seen {
                condition: Condition::InUse,
                ..
            }
        )
    }
}

/// Looks at everything, in the order in which a start comes upon it. Whether a gateway runs or not, nothing is changed.
pub async fn examine(
    options: &Options,
    environment: &Environment,
    clock: &Clock,
    random: &Random,
) -> Vec<Finding> {
    let problems = match Config::resolve(options, environment) {
        Ok(config) => {
            let links = address::links(&config);
            let address = vec![address::examine(&config)];
            return examine_all(&config, links.as_ref(), address, clock, random).await;
        }
        Err(problems) => problems,
    };
    // Whoever has only the public URL wrong is told the rest as well.
    let Some(config) = address::settings_without(options, environment) else {
        return wrong_configuration(problems, clock);
    };
    let address = problems.into_iter().map(AddressFinding::Wrong).collect();
    examine_all(&config, None, address, clock, random).await
}

async fn examine_all(
    config: &Config,
    links: Option<&Links>,
    address: Vec<AddressFinding>,
    clock: &Clock,
    random: &Random,
) -> Vec<Finding> {
    let (key, key_finding) = key::examine(config);
    let store = examine_store(config, key, &key_finding, random).await;
    let is_in_use = store.is_in_use();
    let port = port::examine(config.bind, links, is_in_use || is_answered(config)).await;
    let file = config.file.clone();
    let mut findings = vec![
        Finding::Configuration(ConfigurationFinding::Right { file }),
        Finding::Clock(clock::examine(clock, Some(&config.store))),
        Finding::DataFolder(data_folder::examine(&config.data_dir)),
        Finding::MasterKey(key_finding),
        Finding::Store(store),
        Finding::Port(port),
    ];
    findings.extend(address.into_iter().map(Finding::PublicUrl));
    let services = services::examine(config, links);
    findings.extend(services.into_iter().map(Finding::Services));
    let socket = config.control_socket().ok().filter(|_| is_in_use);
    if config.store.store_exists() {
        let backups = backups::examine(&config.backups, socket.as_deref(), clock);
        findings.push(Finding::Backups(backups));
    }
    // Without a gateway there is nobody who may read the store: that it is looked at must change nothing in it.
    if let Some(socket) = socket {
        let endings = endings::examine(&socket);
        findings.extend(endings.into_iter().map(Finding::Endings));
    }
    findings
}

/// Whether somebody listens on the control socket of the data folder: a gateway without its store does, too.
fn is_answered(config: &Config) -> bool {
    let socket = config.control_socket();
    socket.is_ok_and(|path| std::os::unix::net::UnixStream::connect(path).is_ok())
}

fn wrong_configuration(problems: Vec<ConfigProblem>, clock: &Clock) -> Vec<Finding> {
    let wrong = problems.into_iter().map(ConfigurationFinding::Wrong);
    let all = wrong.chain([ConfigurationFinding::RestNotExamined]);
    let mut findings: Vec<_> = all.map(Finding::Configuration).collect();
    findings.push(Finding::Clock(clock::examine(clock, None)));
    findings
}

async fn examine_store(
    config: &Config,
    key: Option<MasterKeys>,
    key_finding: &KeyFinding,
    random: &Random,
) -> StoreFinding {
    let folder = config.store.store_dir();
    let Some(key) = key else {
        // Without a store, a key that is still to be made is none that is missing.
        let is_new = matches!(key_finding, KeyFinding::NotMadeYet(_));
        let condition = Condition::Absent;
        return if is_new || !config.store.store_exists() {
            StoreFinding::Seen { folder, condition }
        } else {
            StoreFinding::NotExamined { folder }
        };
    };
    let scratch = std::env::temp_dir();
    match Store::examine(&config.store, key, random.clone(), scratch).await {
        Ok(condition) => StoreFinding::Seen { folder, condition },
        Err(error) => StoreFinding::Failed(error),
    }
}
