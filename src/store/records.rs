//! The typed views: what is kept under which prefix, written once.
//!
//! No key holds a service, an e-mail address or the name of an account: keys are random identifiers, digests of random
//! texts, or keyed hashes.

use super::{Store, Table};
use crate::base::{PersonId, Timestamp};
use crate::connection::{
    AuthorizationRequest, ConnectTicket, Connection, Credential, DefaultAccount, Delivery,
    Tombstone, Usage,
};
use crate::identity::{
    Agent, AgentsStopped, Principal, Session, Sightings, SignInAttempt, SignInLink, Standing,
};

impl Store {
    /// People, by person id.
    #[must_use]
    pub fn people(&self) -> Table<Principal> {
        self.table("per")
    }

    /// From issuer and subject to a person, by [`Store::index`] of the two.
    #[must_use]
    pub fn person_index(&self) -> Table<PersonId> {
        self.table("idp")
    }

    /// How people stand here, by person id.
    #[must_use]
    pub fn standings(&self) -> Table<Standing> {
        self.table("sta")
    }

    /// Agents, by agent id.
    #[must_use]
    pub fn agents(&self) -> Table<Agent> {
        self.table("agt")
    }

    /// People who have stopped all of their agents, by person id.
    #[must_use]
    pub fn stopped_agents(&self) -> Table<AgentsStopped> {
        self.table("stp")
    }

    /// Which clients were seen with an agent's token, by person id and agent id.
    #[must_use]
    pub fn sightings(&self) -> Table<Sightings> {
        self.table("see")
    }

    /// Browser sessions, by the digest of their cookie.
    #[must_use]
    pub fn sessions(&self) -> Table<Session> {
        self.table("ses")
    }

    /// One-time sign-in links, by the digest of their last part.
    #[must_use]
    pub fn sign_in_links(&self) -> Table<SignInLink> {
        self.table("sig")
    }

    /// Sign-ins under way, by the digest of their `state`.
    #[must_use]
    pub fn sign_in_attempts(&self) -> Table<SignInAttempt> {
        self.table("sia")
    }

    /// Connections, by person id and connection id.
    #[must_use]
    pub fn connections(&self) -> Table<Connection> {
        self.table("con")
    }

    /// Credentials, under the keys of their connections.
    #[must_use]
    pub fn credentials(&self) -> Table<Credential> {
        self.table("cre")
    }

    /// What connections were used for, under their keys.
    #[must_use]
    pub fn uses(&self) -> Table<Usage> {
        self.table("use")
    }

    /// Credentials that must still be revoked, by person id, connection id and a random part.
    #[must_use]
    pub fn tombstones(&self) -> Table<Tombstone> {
        self.table("tom")
    }

    /// The account that a person uses by default at a service, by person id and [`Store::index`] of the service.
    #[must_use]
    pub fn default_accounts(&self) -> Table<DefaultAccount> {
        self.table("def")
    }

    /// Connect tickets, by the digest of their link's last part.
    #[must_use]
    pub fn tickets(&self) -> Table<ConnectTicket> {
        self.table("tic")
    }

    /// Authorization requests under way, by the digest of their `state`.
    #[must_use]
    pub fn authorization_requests(&self) -> Table<AuthorizationRequest> {
        self.table("aut")
    }

    /// Events on their way to webhooks, by the second in which they were put down, event id, and a digest of the webhook's
    /// name.
    #[must_use]
    pub fn deliveries(&self) -> Table<Delivery> {
        self.table("evt")
    }

    /// Webhooks that said that they want no events any more, by a digest of their name and their address: since when.
    #[must_use]
    pub fn gone_webhooks(&self) -> Table<Timestamp> {
        self.table("hok")
    }
}
