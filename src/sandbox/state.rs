//! Everything the Sandbox remembers, as one value: what is in it, what belongs together, and what is forgotten when.
//!
//! Knows nothing of files and of HTTP. Tokens, codes, cookies and handles are here as digests; only a client's secret
//! is kept as it is, because a client that comes back after a restart is told its secret again. That is acceptable for
//! a demonstration service whose file only its owner can read, and for nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::accounts::Account;
use super::digest::Digest;
use super::scope::ScopeSet;
use crate::base::{Secret, Timestamp};

/// The version of the file's format.
pub(super) const FORMAT: u32 = 1;

/// How long a used refresh token is remembered, so that its reuse is noticed.
const REUSE_MEMORY: Duration = Duration::from_hours(30 * 24);

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// [`FORMAT`] of whoever wrote it.
    pub(super) format: u32,
    /// Where the Sandbox last listened: its issuer depends on it.
    pub(super) port: Option<u16>,
    /// The registered clients by client id.
    pub(super) clients: BTreeMap<String, Client>,
    /// Each account's notes, oldest first.
    pub(super) notes: BTreeMap<Account, Vec<Note>>,
    /// Signed-in browsers by the digest of their cookie.
    pub(super) sessions: BTreeMap<Digest, Session>,
    /// Authorization requests that wait for a person's answer, by the digest of their handle.
    pub(super) requests: BTreeMap<Digest, PendingRequest>,
    /// What people allowed, by grant id.
    pub(super) grants: BTreeMap<String, Grant>,
    /// Authorization codes.
    pub(super) codes: BTreeMap<Digest, Code>,
    /// Access tokens.
    pub(super) access_tokens: BTreeMap<Digest, AccessToken>,
    /// Refresh tokens.
    pub(super) refresh_tokens: BTreeMap<Digest, RefreshToken>,
}

/// A registered client. There is one for each name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    /// What the consent page calls it.
    pub(super) name: String,
    /// Its secret, in clear (see the module's first paragraph).
    #[serde(serialize_with = "in_clear")]
    pub(super) secret: Secret,
    /// The only redirect URI that is accepted, character by character.
    pub(super) redirect_uri: String,
}

/// Writes a client's secret into the state file.
fn in_clear<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    /// `note_…`
    pub(super) id: String,
    /// What it says.
    pub(super) text: String,
    /// When it was written.
    pub(super) created_at: Timestamp,
}

/// A browser in which somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    /// Who.
    pub(super) account: Account,
    /// Until when.
    pub(super) expires_at: Timestamp,
}

/// A validated authorization request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PendingRequest {
    /// The browser that brought it, by the digest of its cookie: nobody else can answer it.
    pub(super) browser: Digest,
    /// Who asks.
    pub(super) client_id: String,
    /// Where the answer goes.
    pub(super) redirect_uri: String,
    /// The client's `state`, given back as it is.
    pub(super) state: Option<String>,
    /// What is asked for.
    pub(super) scope: ScopeSet,
    /// PKCE's S256 challenge (RFC 7636).
    pub(super) code_challenge: String,
    /// Until when it can be answered.
    pub(super) expires_at: Timestamp,
}

/// What one person once allowed one client: the consent, and the family that its code and tokens form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    /// Whom.
    pub(super) client_id: String,
    /// Who.
    pub(super) account: Account,
    /// What.
    pub(super) scope: ScopeSet,
    /// When.
    pub(super) granted_at: Timestamp,
}

/// An authorization code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Code {
    /// The grant it stands for.
    pub(super) grant: String,
    /// The redirect URI it was sent to.
    pub(super) redirect_uri: String,
    /// PKCE's S256 challenge.
    pub(super) challenge: String,
    /// Until when it can be redeemed.
    pub(super) expires_at: Timestamp,
    /// Whether it was redeemed. Remembered as long as its grant lives, so that a second use is noticed.
    pub(super) used: bool,
}

/// An access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessToken {
    /// The grant it acts for.
    pub(super) grant: String,
    /// What it may do: the grant's scopes or fewer.
    pub(super) scope: ScopeSet,
    /// When it was issued.
    pub(super) issued_at: Timestamp,
    /// Until when it works.
    pub(super) expires_at: Timestamp,
}

/// A refresh token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshToken {
    /// The grant it renews.
    pub(super) grant: String,
    /// When it was issued.
    pub(super) issued_at: Timestamp,
    /// When it was exchanged for the next one.
    pub(super) used_at: Option<Timestamp>,
}

impl State {
    /// A Sandbox that nobody has used yet.
    pub(super) fn new() -> Self {
        Self {
            format: FORMAT,
            port: None,
            clients: BTreeMap::new(),
            notes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            requests: BTreeMap::new(),
            grants: BTreeMap::new(),
            codes: BTreeMap::new(),
            access_tokens: BTreeMap::new(),
            refresh_tokens: BTreeMap::new(),
        }
    }

    /// Takes a grant back, with everything that came of it.
    pub(super) fn revoke_grant(&mut self, id: &str) {
        self.grants.remove(id);
        self.forget_orphans();
    }

    /// The grant and the access token behind `token`, while it works.
    pub(super) fn access(&self, token: &str, now: Timestamp) -> Option<(&AccessToken, &Grant)> {
        let access = self.access_tokens.get(&Digest::of(token))?;
        let grant = self.grants.get(&access.grant)?;
        (now < access.expires_at).then_some((access, grant))
    }

    /// Forgets what has run out at `now`, and every grant that nothing can use any more.
    pub(super) fn forget_expired(&mut self, now: Timestamp) {
        self.sessions.retain(|_, session| now < session.expires_at);
        self.requests.retain(|_, request| now < request.expires_at);
        self.access_tokens.retain(|_, token| now < token.expires_at);
        self.codes
            .retain(|_, code| code.used || now < code.expires_at);
        self.refresh_tokens.retain(|_, token| {
            token
                .used_at
                .is_none_or(|used_at| now < used_at + REUSE_MEMORY)
        });
        let (codes, access, refresh) = (&self.codes, &self.access_tokens, &self.refresh_tokens);
        self.grants.retain(|id, _| {
            codes.values().any(|code| !code.used && code.grant == *id)
                || access.values().any(|token| token.grant == *id)
                || refresh
                    .values()
                    .any(|token| token.used_at.is_none() && token.grant == *id)
        });
        self.forget_orphans();
    }

    fn forget_orphans(&mut self) {
        let grants = &self.grants;
        self.codes
            .retain(|_, code| grants.contains_key(&code.grant));
        self.access_tokens
            .retain(|_, token| grants.contains_key(&token.grant));
        self.refresh_tokens
            .retain(|_, token| grants.contains_key(&token.grant));
    }
}
