//! What the provider knows: its client, its people, what it issued and what it saw. Nothing here speaks HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use attache::base::{Clock, Random, Timestamp};
use attache::catalogue::ScopeSet;
use url::Url;

use super::behaviour::Behaviour;
use super::dialect::{Dialect, rewritten};
use super::{CANARY, Request, Violation};

/// RFC 6749 section 4.1.2 recommends ten minutes at most.
const CODE_LIFETIME: Duration = Duration::from_mins(10);

/// The provider's state.
pub(super) struct Ledger {
    pub(super) name: String,
    pub(super) base: Url,
    pub(super) clock: Clock,
    random: Random,
    pub(super) behaviour: Behaviour,
    pub(super) dialect: Dialect,

    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) redirect_uri: Option<String>,

    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) signed_in: Option<String>,
    pub(super) undecided: BTreeMap<String, AuthorizationRequest>,
    codes: BTreeMap<String, Code>,
    grants: Vec<Grant>,
    access_tokens: BTreeMap<String, Token>,
    refresh_tokens: BTreeMap<String, Token>,

    pub(super) requests: Vec<Request>,
    pub(super) refreshes_in_flight: BTreeSet<String>,
    pub(super) violations: Vec<Violation>,
    pub(super) canaries: Vec<String>,
}

/// What one person has at the provider.
#[derive(Default)]
pub(super) struct Account {
    /// Names of things by their number.
    pub(super) things: BTreeMap<u64, String>,
    pub(super) things_ever: u64,
}

/// An authorization request whose page is shown and not yet answered.
pub(super) struct AuthorizationRequest {
    pub(super) redirect_uri: String,
    pub(super) state: String,
    pub(super) challenge: String,
    pub(super) scopes: ScopeSet,
}

/// An authorization code.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) grant: GrantId,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) expires_at: Timestamp,
    pub(super) presented: bool,
}

/// Which grant a code or a token belongs to: its token family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GrantId(usize);

/// What one person has allowed once.
pub(super) struct Grant {
    pub(super) person: String,
    pub(super) scopes: ScopeSet,
    /// Of its authorization request.
    pub(super) redirect_uri: String,
    pub(super) refreshes: usize,
    ends_at: Option<Timestamp>,
    dead_since: Option<Timestamp>,
}

/// An access token or a refresh token.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) grant: GrantId,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) issued_at: Timestamp,
    /// Since when it is spent: a refresh token that was rotated, or an access token that was revoked.
    pub(super) spent_at: Option<Timestamp>,
    /// How often a refresh token was used.
    pub(super) uses: usize,
}

impl Ledger {
    pub(super) fn new(name: &str, base: Url, clock: Clock) -> Self {
        // Seeded by the name: two providers issue different secrets, and every run issues the same.
        let seed = name
            .bytes()
            .fold(7_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
        let mut ledger = Self {
            name: name.to_owned(),
            base,
            clock,
            random: Random::seeded(seed),
            behaviour: Behaviour::good(),
            dialect: Dialect::default(),
            client_id: format!("{name}-client"),
            client_secret: String::new(),
            redirect_uri: None,
            accounts: BTreeMap::new(),
            signed_in: None,
            undecided: BTreeMap::new(),
            codes: BTreeMap::new(),
            grants: Vec::new(),
            access_tokens: BTreeMap::new(),
            refresh_tokens: BTreeMap::new(),
            requests: Vec::new(),
            refreshes_in_flight: BTreeSet::new(),
            violations: Vec::new(),
            canaries: Vec::new(),
        };
        ledger.client_secret = ledger.secret("client_secret");
        ledger
    }

    pub(super) fn issuer(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    pub(super) fn url(&self, path: &str) -> Url {
        self.base.join(path).expect("a path of the provider")
    }

    pub(super) fn sign_in(&mut self, person: &str) {
        self.accounts.entry(person.to_owned()).or_default();
        self.signed_in = Some(person.to_owned());
    }

    /// A new secret that can be recognised wherever it turns up.
    pub(super) fn secret(&mut self, kind: &str) -> String {
        let number = self.canaries.len() + 1;
        let chance = self.random.token();
        let secret = format!("{CANARY}{}_{kind}_{number}_{}", self.name, chance.expose());
        self.canaries.push(secret.clone());
        secret
    }

    pub(super) fn violate(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    // -- grants ------------------------------------------------------------------------------------------------------

    pub(super) fn grant(&mut self, person: &str, scopes: ScopeSet, redirect_uri: &str) -> GrantId {
        let lifetime = self.behaviour.refresh.grant_lifetime;
        self.grants.push(Grant {
            person: person.to_owned(),
            scopes,
            redirect_uri: redirect_uri.to_owned(),
            refreshes: 0,
            ends_at: lifetime.map(|lifetime| self.clock.now() + lifetime),
            dead_since: None,
        });
        GrantId(self.grants.len() - 1)
    }

    pub(super) fn grant_of(&self, id: GrantId) -> Option<&Grant> {
        self.grants
            .get(id.0)
            .filter(|grant| grant.dead_since.is_none() && !self.is_over(grant.ends_at))
    }

    /// The grant covers these scopes alone from now on.
    pub(super) fn narrow(&mut self, id: GrantId, scopes: ScopeSet) {
        if let Some(grant) = self.grants.get_mut(id.0) {
            grant.scopes = scopes;
        }
    }

    pub(super) fn count_refresh(&mut self, id: GrantId) -> usize {
        let Some(grant) = self.grants.get_mut(id.0) else {
            return 0;
        };
        grant.refreshes += 1;
        grant.refreshes
    }

    pub(super) fn revoke_grant(&mut self, id: GrantId) {
        let now = self.clock.now();
        if let Some(grant) = self.grants.get_mut(id.0) {
            grant.dead_since.get_or_insert(now);
        }
    }

    pub(super) fn revoke_grants_of(&mut self, person: &str) {
        let now = self.clock.now();
        for grant in self
            .grants
            .iter_mut()
            .filter(|grant| grant.person == person)
        {
            grant.dead_since.get_or_insert(now);
        }
    }

    /// Everything that this person has granted and not taken back.
    pub(super) fn granted_by(&self, person: &str) -> ScopeSet {
        let alive = |grant: &&Grant| grant.dead_since.is_none() && grant.person == person;
        let scopes = self.grants.iter().filter(alive).map(|grant| &grant.scopes);
        scopes.fold(ScopeSet::default(), |all, some| all.union(some))
    }

    pub(super) fn withdraw(&mut self, person: &str, scope: &str) {
        for grant in self
            .grants
            .iter_mut()
            .filter(|grant| grant.person == person)
        {
            grant.scopes = grant.scopes.difference(&ScopeSet::parse(scope, ""));
        }
    }

    pub(super) fn live_grants_of(&self, person: &str) -> usize {
        self.grants
            .iter()
            .filter(|grant| grant.dead_since.is_none() && grant.person == person)
            .count()
    }

    /// These scopes as a token reply names them.
    pub(super) fn scope_words(&self, scopes: &ScopeSet) -> String {
        if !self.dialect.rewrites_scopes {
            return scopes.to_string();
        }
        let words: Vec<_> = scopes
            .iter()
            .map(|scope| rewritten(scope, &self.issuer()))
            .collect();
        words.join(" ")
    }

    // -- codes -------------------------------------------------------------------------------------------------------

    pub(super) fn issue_code(&mut self, grant: GrantId, request: &AuthorizationRequest) -> String {
        let text = self.secret("code");
        let code = Code {
            grant,
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            expires_at: self.clock.now() + CODE_LIFETIME,
            presented: false,
        };
        self.codes.insert(text.clone(), code);
        text
    }

    /// The code as it was before this presentation: from now on it counts as presented.
    pub(super) fn present_code(&mut self, text: &str) -> Option<Code> {
        let code = self.codes.get_mut(text)?;
        let before = code.clone();
        code.presented = true;
        Some(before)
    }

    pub(super) fn grant_behind(&self, code: &str) -> Option<GrantId> {
        self.codes.get(code).map(|code| code.grant)
    }

    // -- tokens ------------------------------------------------------------------------------------------------------

    pub(super) fn issue_access_token(&mut self, grant: GrantId) -> String {
        let expires_at = self.clock.now() + self.behaviour.access_token_lifetime;
        let text = self.secret("access_token");
        let token = Token::new(grant, self.clock.now(), Some(expires_at));
        self.access_tokens.insert(text.clone(), token);
        text
    }

    /// The newest access token of the grant, if it was issued in this second.
    pub(super) fn access_token_of_this_second(&self, grant: GrantId) -> Option<String> {
        let now = self.clock.now();
        self.access_tokens
            .iter()
            .find(|(_, token)| token.grant == grant && token.issued_at == now)
            .map(|(text, _)| text.clone())
    }

    pub(super) fn end_access_tokens_of(&mut self, grant: GrantId) {
        let now = self.clock.now();
        for token in self.access_tokens.values_mut() {
            if token.grant == grant {
                token.spent_at.get_or_insert(now);
            }
        }
    }

    pub(super) fn issue_refresh_token(&mut self, grant: GrantId) -> String {
        let lifetime = self.refresh_token_lifetime();
        let expires_at = lifetime.map(|lifetime| self.clock.now() + lifetime);
        let text = self.secret("refresh_token");
        let token = Token::new(grant, self.clock.now(), expires_at);
        self.refresh_tokens.insert(text.clone(), token);
        text
    }

    pub(super) fn refresh_token_lifetime(&self) -> Option<Duration> {
        if self.behaviour.refresh.dies_with_access {
            return Some(self.behaviour.access_token_lifetime);
        }
        self.behaviour.refresh_token_lifetime
    }

    /// Counts a use of a refresh token, and puts its end off where a use does that.
    pub(super) fn use_refresh_token(&mut self, text: &str) -> usize {
        let prolonged = self
            .behaviour
            .refresh_token_lifetime
            .filter(|_| self.behaviour.refresh.use_prolongs)
            .map(|lifetime| self.clock.now() + lifetime);
        let Some(token) = self.refresh_tokens.get_mut(text) else {
            return 0;
        };
        token.uses += 1;
        token.expires_at = prolonged.or(token.expires_at);
        token.uses
    }

    /// Whether the API takes this access token: alive, or dead for so short a time that nobody there knows it.
    pub(super) fn opens_the_api(&self, token: &Token) -> bool {
        let grant = self.grants.get(token.grant.0);
        let dead_since = [token.spent_at, grant.and_then(|grant| grant.dead_since)];
        let dead_since = dead_since.into_iter().flatten().min();
        dead_since
            .is_none_or(|since| self.clock.now() < since + self.behaviour.revoked_tokens_linger)
    }

    /// Whether a token of either kind would be any loss.
    pub(super) fn is_live(&self, text: &str) -> bool {
        let token = self.access_token(text).or_else(|| self.refresh_token(text));
        token.is_some_and(|token| {
            token.spent_at.is_none()
                && !self.is_over(token.expires_at)
                && self.grant_of(token.grant).is_some()
        })
    }

    /// The grant itself, dead or alive.
    pub(super) fn grant_ever(&self, id: GrantId) -> Option<&Grant> {
        self.grants.get(id.0)
    }

    pub(super) fn access_token(&self, text: &str) -> Option<&Token> {
        self.access_tokens.get(text)
    }

    pub(super) fn refresh_token(&self, text: &str) -> Option<&Token> {
        self.refresh_tokens.get(text)
    }

    pub(super) fn spend_refresh_token(&mut self, text: &str) {
        let now = self.clock.now();
        if let Some(token) = self.refresh_tokens.get_mut(text) {
            token.spent_at.get_or_insert(now);
        }
    }

    /// Every access token dies; the grants and their refresh tokens live on.
    pub(super) fn spend_access_tokens(&mut self) {
        let now = self.clock.now();
        for token in self.access_tokens.values_mut() {
            token.spent_at.get_or_insert(now);
        }
    }

    pub(super) fn spend_access_token(&mut self, text: &str) {
        let now = self.clock.now();
        if let Some(token) = self.access_tokens.get_mut(text) {
            token.spent_at.get_or_insert(now);
        }
    }

    pub(super) fn is_over(&self, moment: Option<Timestamp>) -> bool {
        moment.is_some_and(|moment| moment <= self.clock.now())
    }
}

impl Token {
    fn new(grant: GrantId, issued_at: Timestamp, expires_at: Option<Timestamp>) -> Self {
        Self {
            grant,
            expires_at,
            issued_at,
            spent_at: None,
            uses: 0,
        }
    }
}
