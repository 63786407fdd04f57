//! What the provider knows: its client, its people, what it issued and what it saw. Nothing here speaks HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use attache::base::{Clock, Random, Timestamp};
use attache::catalogue::ScopeSet;
use url::Url;

use super::behaviour::Behaviour;
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
    alive: bool,
}

/// An access token or a refresh token.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) grant: GrantId,
    pub(super) expires_at: Option<Timestamp>,
    /// A refresh token that was rotated, or an access token that was revoked.
    pub(super) spent: bool,
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

    pub(super) fn grant(&mut self, person: &str, scopes: ScopeSet) -> GrantId {
        self.grants.push(Grant {
            person: person.to_owned(),
            scopes,
            alive: true,
        });
        GrantId(self.grants.len() - 1)
    }

    pub(super) fn grant_of(&self, id: GrantId) -> Option<&Grant> {
        self.grants.get(id.0).filter(|grant| grant.alive)
    }

    pub(super) fn revoke_grant(&mut self, id: GrantId) {
        if let Some(grant) = self.grants.get_mut(id.0) {
            grant.alive = false;
        }
    }

    pub(super) fn revoke_grants_of(&mut self, person: &str) {
        for grant in self
            .grants
            .iter_mut()
            .filter(|grant| grant.person == person)
        {
            grant.alive = false;
        }
    }

    /// Everything that this person has granted and not taken back.
    pub(super) fn granted_by(&self, person: &str) -> ScopeSet {
        let alive = |grant: &&Grant| grant.alive && grant.person == person;
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
            .filter(|grant| grant.alive && grant.person == person)
            .count()
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
        self.access_tokens
            .insert(text.clone(), Token::new(grant, Some(expires_at)));
        text
    }

    pub(super) fn issue_refresh_token(&mut self, grant: GrantId) -> String {
        let lifetime = self.behaviour.refresh_token_lifetime;
        let expires_at = lifetime.map(|lifetime| self.clock.now() + lifetime);
        let text = self.secret("refresh_token");
        self.refresh_tokens
            .insert(text.clone(), Token::new(grant, expires_at));
        text
    }

    pub(super) fn access_token(&self, text: &str) -> Option<&Token> {
        self.access_tokens.get(text)
    }

    pub(super) fn refresh_token(&self, text: &str) -> Option<&Token> {
        self.refresh_tokens.get(text)
    }

    pub(super) fn spend_refresh_token(&mut self, text: &str) {
        if let Some(token) = self.refresh_tokens.get_mut(text) {
            token.spent = true;
        }
    }

    pub(super) fn spend_access_token(&mut self, text: &str) {
        if let Some(token) = self.access_tokens.get_mut(text) {
            token.spent = true;
        }
    }

    pub(super) fn is_over(&self, moment: Option<Timestamp>) -> bool {
        moment.is_some_and(|moment| moment <= self.clock.now())
    }
}

impl Token {
    fn new(grant: GrantId, expires_at: Option<Timestamp>) -> Self {
        Self {
            grant,
            expires_at,
            spent: false,
        }
    }
}
