//! What each finding is called: what it is, why it matters, what to do.

use std::path::Path;

use super::Line;
use crate::app::doctor::{
    AddressFinding, ClockFinding, ConfigurationFinding, DataFolderFinding, EndingFinding, Finding,
    Gravity, KeyFinding, PortFinding, ServiceFinding, Standing, StoreFinding,
};
use crate::gateway::ServicesProblem;
use crate::store::{Condition, MasterKeyError, OpenError};

const KEEP_A_COPY: &str = "keep a copy of the key in a safe place apart from the backups of the data folder: without \
                           it nothing in the store can ever be opened";

/// What, why, what to do.
struct Words {
    what: String,
    why: Option<String>,
    remedy: Option<String>,
}

impl Words {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: None,
            remedy: None,
        }
    }

    fn since(self, why: impl Into<String>) -> Self {
        Self {
            why: Some(why.into()),
            ..self
        }
    }

    fn so(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..self
        }
    }
}

/// A finding in words.
pub(super) fn tell(finding: &Finding) -> Line {
    let (check, words) = match finding {
        Finding::Configuration(finding) => ("configuration", configuration(finding)),
        Finding::MasterKey(finding) => ("master_key", master_key(finding)),
        Finding::Clock(finding) => ("clock", clock(*finding)),
        Finding::PublicUrl(finding) => ("public_url", public_url(finding)),
        Finding::Port(finding) => ("port", port(finding)),
        Finding::DataFolder(finding) => ("data_folder", data_folder(finding)),
        Finding::Store(finding) => ("store", store(finding)),
        Finding::Services(finding) => services(finding),
        Finding::Endings(finding) => ("ending", ending(finding)),
    };
    Line {
        check,
        service: about(finding).map(str::to_owned),
        status: match finding.gravity() {
            Gravity::Ok => "ok",
            Gravity::Warning => "warning",
            Gravity::Problem => "problem",
        },
        what: words.what,
        why: words.why,
        what_to_do: words.remedy,
    }
}

/// The service that a finding is about.
fn about(finding: &Finding) -> Option<&str> {
    match finding {
        Finding::Services(
            ServiceFinding::Service { id, .. }
            | ServiceFinding::RedirectUrl { id, .. }
            | ServiceFinding::Wrong(ServicesProblem { service: id, .. }),
        ) => Some(id),
        Finding::Endings(EndingFinding::Soon(line)) => Some(&line.service),
        _ => None,
    }
}

fn ending(finding: &EndingFinding) -> Words {
    match finding {
        EndingFinding::None => {
            Words::new("no connection ends within 14 days, as far as can be foreseen")
        }
        EndingFinding::Soon(line) => Words::new(format!(
            "the {} connection of {} ends at {}",
            line.name, line.account, line.ends
        ))
        .since(line.why.clone())
        .so("the person connects it again before then, on the Connections page"),
        EndingFinding::Unreadable(record) => Words::new(format!(
            "the record `{record}` of a connection cannot be read, so nobody knows when it ends"
        ))
        .since("what is stored was damaged or changed")
        .so("its person removes it on the Connections page, and connects the service again"),
        EndingFinding::NotAsked(why) => Words::new(format!(
            "whether connections end soon was not looked at: {why}"
        ))
        .since("only the running gateway may read its store")
        .so("run the doctor as the user who runs the gateway"),
    }
}

fn configuration(finding: &ConfigurationFinding) -> Words {
    match finding {
        ConfigurationFinding::Right { file: Some(file) } => Words::new(format!(
            "the configuration is understood; it was read from {}",
            file.display()
        )),
        ConfigurationFinding::Right { file: None } => {
            Words::new("the configuration is understood; there is no configuration file")
        }
        ConfigurationFinding::Wrong(problem) => {
            Words::new(format!("{}: {}", problem.place, problem.message))
                .since("with a setting that is not understood, nothing starts")
                .so("correct this setting, then run the doctor again")
        }
        ConfigurationFinding::RestNotExamined => {
            Words::new("what depends on the configuration was not examined")
                .since("with wrong settings, the wrong things would be looked at")
                .so("correct the configuration, then run the doctor again")
        }
    }
}

fn master_key(finding: &KeyFinding) -> Words {
    match finding {
        KeyFinding::InFile(path) => Words::new(format!(
            "the master key is in {}, which its owner alone can read",
            path.display()
        ))
        .so(KEEP_A_COPY),
        KeyFinding::InSharedFile(path) => Words::new(format!(
            "others can read the master key in {}",
            path.display()
        ))
        .since("whoever has the key and the store's files has every credential in them")
        .so(format!(
            "unless it is mounted into a container of its own, run `chmod 600 {}`; and {KEEP_A_COPY}",
            path.display()
        )),
        KeyFinding::InEnvironment => {
            Words::new("the master key comes from the environment").so(KEEP_A_COPY)
        }
        KeyFinding::NotMadeYet(path) => Words::new(format!(
            "there is no master key yet; the first start makes it in {}",
            path.display()
        ))
        .so(format!("after the first start, {KEEP_A_COPY}")),
        KeyFinding::Failed(error) => no_master_key(error),
    }
}

fn no_master_key(error: &MasterKeyError) -> Words {
    match error {
        MasterKeyError::Missing { key, store } => Words::new(format!(
            "the master key {} is missing, but its store {} is there",
            key.display(),
            store.display()
        ))
        .since("nothing in the store opens without it, so no new one is made")
        .so("put the key back from your copy"),
        MasterKeyError::Exposed { path } => Words::new(format!(
            "others can read the master key {}",
            path.display()
        ))
        .since("whoever has the key and the store's files has every credential in them; nothing starts with such a key")
        .so(format!("run `chmod 600 {}`", path.display())),
        MasterKeyError::Malformed { origin } => {
            Words::new(format!("the master key in {origin} is not 32 bytes written as base64"))
                .since("nothing can be sealed or opened with it")
                .so("put the right key back; for a new store, `head -c 32 /dev/urandom | base64` makes one")
        }
        MasterKeyError::File { path, source } => Words::new(format!(
            "the master key file {} cannot be read: {source}",
            path.display()
        ))
        .since("nothing can be sealed or opened without the key")
        .so("name a file that is there and that this user may read"),
    }
}

fn clock(finding: ClockFinding) -> Words {
    match finding {
        ClockFinding::Plausible(now) => Words::new(format!("the clock says {now}")),
        ClockFinding::TooEarly(now) => Words::new(format!(
            "the clock says {now}, which is before this program was written"
        ))
        .since("certificates of providers look invalid, and nothing expires when it should")
        .so("set the machine's clock, best by NTP"),
        ClockFinding::BehindStore { now, written } => Words::new(format!(
            "the clock says {now}, but the store was last written at {written}"
        ))
        .since("after a clock was set back, links and sessions live longer than they should")
        .so("set the machine's clock, best by NTP"),
    }
}

fn public_url(finding: &AddressFinding) -> Words {
    match finding {
        AddressFinding::Wrong(problem) => Words::new(format!(
            "{}: {}",
            problem.place, problem.message
        ))
        .since("every link and every redirect URL is built from the public URL, so nothing starts")
        .so("set it to scheme, host and port of what people type into a browser"),
        AddressFinding::ListeningAddress { url } => {
            Words::new(format!("browsers and clients find the gateway at {url}"))
        }
        AddressFinding::ChangesAtEachStart => {
            Words::new("the gateway's address is another one at each start")
                .since("clients and redirect URLs name the port")
                .so("choose a port with --bind, or set public_url")
        }
        AddressFinding::Direct { url } => {
            Words::new(format!("public_url {url} leads straight to the gateway"))
        }
        AddressFinding::BehindProxy { url, bind } => Words::new(format!(
            "public_url is {url}; a proxy on this machine must pass its requests on to {bind}"
        )),
        AddressFinding::ExposedBesideProxy { url, bind } => Words::new(format!(
            "public_url is {url}, but the gateway speaks plain HTTP to everyone who reaches {bind}"
        ))
        .since("agent tokens and cookies that go there can be read on the way")
        .so("let it listen on 127.0.0.1, or let only the proxy that speaks TLS reach this port"),
        AddressFinding::LocalForOthers { url, bind } => Words::new(format!(
            "public_url {url} leads to this machine, but the gateway listens for others on {bind}"
        ))
        .since("every link that others are shown leads to their own machine")
        .so("set public_url to what others type into a browser, or listen on 127.0.0.1"),
        AddressFinding::Elsewhere { url, bind } => Words::new(format!(
            "public_url {url} leads to this machine, but the gateway listens on {bind}"
        ))
        .since("unless something there passes requests on, every link leads nowhere")
        .so("make public_url and bind agree"),
    }
}

fn port(finding: &PortFinding) -> Words {
    match finding {
        PortFinding::Free(address) => Words::new(format!("{address} is free")),
        PortFinding::Chosen(address) => Words::new(format!(
            "{address} stands for a free port, chosen at each start"
        )),
        PortFinding::HeldByThisGateway(address) => {
            Words::new(format!("a running Attache answers on {address}"))
        }
        PortFinding::HeldByAnotherAttache(address) => Words::new(format!(
            "an Attache answers on {address}, but it does not use this data folder"
        ))
        .since("a gateway with this data folder cannot start there")
        .so("end that one, choose another port with --bind, or name its data folder with --data-dir"),
        PortFinding::Taken(address) => Words::new(format!("another program listens on {address}"))
            .since("the gateway cannot start there")
            .so("end that program, or choose another port with --bind"),
        PortFinding::Refused { address, source } => {
            Words::new(format!("nothing can listen on {address}: {source}"))
                .since("the gateway cannot start there")
                .so("choose an address of this machine with --bind, and a port above 1023")
        }
    }
}

fn data_folder(finding: &DataFolderFinding) -> Words {
    match finding {
        DataFolderFinding::Private(path) => Words::new(format!(
            "the data folder {} is its owner's alone",
            path.display()
        )),
        DataFolderFinding::NotMadeYet(path) => Words::new(format!(
            "there is no data folder yet; the first start makes {}",
            path.display()
        )),
        DataFolderFinding::OpenToRead { path, mode } => Words::new(format!(
            "others may look into the data folder {} (mode {mode:o})",
            path.display()
        ))
        .since("they see when the store is used; what its files hold stays closed to them")
        .so(chmod(path)),
        DataFolderFinding::OpenToWrite { path, mode } => Words::new(format!(
            "others may change the data folder {} (mode {mode:o})",
            path.display()
        ))
        .since("they can take the store or the master key away, or put others in their place")
        .so(chmod(path)),
        DataFolderFinding::NotAFolder(path) => {
            Words::new(format!("the data folder {} is a file", path.display()))
                .since("there is no place for the store")
                .so("name a folder with --data-dir")
        }
        DataFolderFinding::Unreadable { path, source } => Words::new(format!(
            "the data folder {} cannot be read: {source}",
            path.display()
        ))
        .since("the store in it cannot be used")
        .so("run as the user that it belongs to, or name another folder with --data-dir"),
    }
}

fn chmod(folder: &Path) -> String {
    format!("run `chmod 700 {}`", folder.display())
}

fn store(finding: &StoreFinding) -> Words {
    match finding {
        StoreFinding::Seen { folder, condition } => seen(folder, condition),
        StoreFinding::Failed(error) => broken_store(error),
        StoreFinding::NotExamined { folder } => {
            Words::new(format!("the store {} was not examined", folder.display()))
                .since("there is no master key to open it with")
                .so("see to the master key, then run the doctor again")
        }
    }
}

fn seen(folder: &Path, condition: &Condition) -> Words {
    let folder = folder.display();
    match condition {
        Condition::Absent => Words::new(format!(
            "there is no store yet; the first start makes it in {folder}"
        )),
        Condition::InUse => Words::new(format!("a running gateway holds the store {folder}")),
        Condition::Whole { records } => Words::new(format!(
            "the store {folder} opens, and so do its records ({records})"
        )),
        Condition::RecordsDamaged { records, damaged } => Words::new(format!(
            "the store {folder} opens, but {damaged} of its {records} records do not"
        ))
        .since("they were changed outside Attache, or the disk has lost them")
        .so("see to the disk, keep a copy of the folder, and put back a backup"),
        Condition::NotTried { reason } => Words::new(format!(
            "whether the store {folder} opens was not tried: {reason}"
        ))
        .since("so as not to change it, a copy of it is opened, in the folder for temporary files")
        .so("make room there, or point TMPDIR elsewhere"),
    }
}

fn broken_store(error: &OpenError) -> Words {
    match error {
        OpenError::WrongKey { folder } => Words::new(format!(
            "the master key is not the one that the store {} was sealed with",
            folder.display()
        ))
        .since("nothing in the store opens with another key")
        .so("put back the key that this store was made with, or name the store's own data folder"),
        OpenError::Damaged { folder, detail } => Words::new(format!(
            "the store {} is damaged: {detail}",
            folder.display()
        ))
        .since("files of it are gone or were changed outside Attache")
        .so("see to the disk, keep a copy of the folder, and put back a backup"),
        OpenError::NewerFormat { folder, format } => Words::new(format!(
            "the store {} was written in format {format} by a later version of Attache",
            folder.display()
        ))
        .since("this version does not know that format")
        .so("use the version that wrote it"),
        OpenError::InUse { .. } | OpenError::NoSpace { .. } | OpenError::Folder { .. } => {
            Words::new(error.to_string())
                .since("the store cannot be read")
                .so("run as the user that the data folder belongs to, and see to the disk")
        }
    }
}

fn services(finding: &ServiceFinding) -> (&'static str, Words) {
    let words = match finding {
        ServiceFinding::Catalogue(problem) => Words::new(format!(
            "{}, {}: {}",
            problem.file, problem.place, problem.message
        ))
        .since("with a wrong provider file, nothing starts")
        .so(problem.remedy.clone()),
        ServiceFinding::Wrong(problem) => Words::new(problem.to_string())
            .since("with a service that is set up by half or wrongly, nothing starts")
            .so(format!(
                "correct [services.{}] or its environment variables",
                problem.service
            )),
        ServiceFinding::NoneSetUp => Words::new("no service is set up")
            .since("agents see no tools")
            .so("register Attache at one of the services below, or try `attache demo`"),
        ServiceFinding::Service { name, standing, .. } => service(name, standing),
        ServiceFinding::RedirectUrl {
            name,
            url,
            rules,
            page,
            ..
        } => {
            let place = page
                .as_ref()
                .map_or_else(String::new, |page| format!(" at {page}"));
            let words = Words::new(format!("{name} sends people back to {url}"))
                .since(rules.clone())
                .so(format!(
                    "see that exactly this redirect URL is registered{place}"
                ));
            return ("redirect_url", words);
        }
    };
    ("service", words)
}

fn service(name: &str, standing: &Standing) -> Words {
    match standing {
        Standing::SetUp { tools, unconfirmed } => {
            let words = Words::new(format!("{name} is set up, with {tools} tools"));
            if unconfirmed.is_empty() {
                return words;
            }
            let words = Words::new(format!(
                "{}; {} facts of its provider file were never confirmed by a live login",
                words.what,
                unconfirmed.len()
            ));
            words
                .since(unconfirmed.join(" "))
                .so("connect it once, run one of its tools, and disconnect it, before others rely on it")
        }
        Standing::NotSetUp {
            missing,
            page,
            redirect_url,
            unconfirmed,
        } => {
            let page = page
                .as_ref()
                .map_or_else(String::new, |page| format!(" at {page}"));
            let redirect = redirect_url
                .as_ref()
                .map_or_else(String::new, |url| format!(" with the redirect URL {url}"));
            let words = Words::new(format!("{name} is not set up, and agents do not see it"));
            let words = words.so(format!(
                "to offer it, register Attache{page}{redirect}, then set {}",
                missing.join(", ")
            ));
            match unconfirmed {
                0 => words,
                some => words.since(format!(
                    "nobody has set it up; {some} facts of its provider file were never confirmed by a live login"
                )),
            }
        }
    }
}
