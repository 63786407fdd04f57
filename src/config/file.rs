//! The configuration file: one TOML document. Unknown keys are errors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::access_tokens::AccessTokenSection;
use super::sign_in::SignInSection;
use super::webhooks::WebhookSection;
use crate::base::Secret;
use crate::gateway::Limits;
use crate::mcp;

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Address and port to listen on.
    pub(super) bind: Option<String>,
    /// Who may be a person here, and how they sign in.
    pub(super) mode: Option<String>,
    /// Whether to listen where others reach it although nobody has to sign in.
    #[serde(default)]
    pub(super) dangerously_listen_without_sign_in: bool,
    /// Where browsers and clients find this gateway.
    pub(super) public_url: Option<String>,
    /// The proxies that may say from where a request comes: addresses and networks.
    #[serde(default)]
    pub(super) trusted_proxies: Vec<String>,
    /// Where the store and the master key live.
    pub(super) data_dir: Option<PathBuf>,
    /// A folder with more provider files.
    pub(super) providers: Option<PathBuf>,
    /// Seconds without use after which a gateway that runs in the background ends.
    pub(super) idle_exit_seconds: Option<u64>,
    /// The file that holds the master key.
    #[serde(rename = "master_key_file")]
    pub(super) master_key: Option<PathBuf>,
    /// The program, with its arguments, that prints the master key.
    pub(super) key_command: Option<Vec<String>>,
    /// The file that holds the master key of before.
    #[serde(rename = "previous_key_file")]
    pub(super) previous_key: Option<PathBuf>,
    /// The program, with its arguments, that prints the master key of before.
    pub(super) previous_key_command: Option<Vec<String>>,
    #[serde(default)]
    pub(super) egress: EgressSection,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) mcp: mcp::Settings,
    #[serde(default)]
    pub(super) store: StoreSection,
    #[serde(default)]
    pub(super) backup: BackupSection,
    pub(super) sign_in: Option<SignInSection>,
    #[serde(default)]
    pub(super) services: BTreeMap<String, ServiceSection>,
    #[serde(default)]
    pub(super) webhooks: BTreeMap<String, WebhookSection>,
    #[serde(default)]
    pub(super) access_tokens: Vec<AccessTokenSection>,
}

/// `[egress]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EgressSection {
    /// `host:port` pairs on this machine that providers may live on. Dangerous: every other loopback address stays
    /// out of reach.
    #[serde(default)]
    pub(super) dangerously_allow_loopback: Vec<String>,
}

/// `[store]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "what people write says its unit")]
pub(super) struct StoreSection {
    /// Memory for the pages of the store's files, in bytes.
    pub(super) cache_bytes: Option<u64>,
    /// Memory for sealed records as they are read, in bytes.
    pub(super) record_cache_bytes: Option<u64>,
    /// What is kept free of the disk, in bytes.
    pub(super) floor_bytes: Option<u64>,
    /// The size of the file that is freed when the disk is full, in bytes.
    pub(super) ballast_bytes: Option<u64>,
}

/// `[backup]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupSection {
    /// Whether the running gateway makes backups by itself.
    pub(super) automatic: Option<bool>,
    /// Where backups are kept.
    pub(super) folder: Option<PathBuf>,
    /// Hours between two of them.
    pub(super) every_hours: Option<u32>,
    /// How many of those made by themselves are kept.
    pub(super) keep: Option<usize>,
}

/// `[services.<id>]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceSection {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) client_secret_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
}
