//! The places that are written to, and what is written there: everything follows from a place and a number.

use std::fmt;

use attache::base::{ConnectionId, PersonId, Random, Secret, Timestamp};
use attache::catalogue::{Account, ScopeSet};
use attache::connection::{Connection, Credential, DefaultAccount, GrantedBy, Status};
use attache::identity::Principal;
use attache::store::{Store, StoreError, Table, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How many connections a person has.
const CONNECTIONS: usize = 3;

/// Larger than what sled keeps inside its log.
const LARGE: usize = 300_000;

/// What is kept at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Person,
    Index,
    Connection,
    Credential,
    Default,
}

impl Kind {
    const ALL: [(Self, &str); 5] = [
        (Self::Person, "per"),
        (Self::Index, "idp"),
        (Self::Connection, "con"),
        (Self::Credential, "cre"),
        (Self::Default, "def"),
    ];

    fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(kind, _)| *kind == self);
        known.map_or("?", |(_, name)| name)
    }
}

/// A key in a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    pub(crate) key: String,
}

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind.name(), self.key)
    }
}

/// What is found at a place: nothing, or the number of the write that left it; none when it is what no write left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Written(u64),
    Strange,
}

impl Slot {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (table, key) = text.split_once('/')?;
        let (kind, _) = Kind::ALL.iter().find(|(_, name)| *name == table)?;
        Some(Self {
            kind: *kind,
            key: key.to_owned(),
        })
    }

    /// The places of the person of this number in the store of this seed.
    pub(crate) fn of_person(seed: u64, number: usize) -> Vec<Self> {
        let random = Random::seeded(seed ^ (number as u64) << 32);
        let person = PersonId::new(&random);
        let index = data_encoding::HEXLOWER.encode(&random.bytes::<32>());
        let slot = |kind, key: &str| Self {
            kind,
            key: key.to_owned(),
        };
        let mut slots = vec![
            slot(Kind::Person, person.as_str()),
            slot(Kind::Index, &index),
            slot(Kind::Default, &format!("{person}/{index}")),
        ];
        for _ in 0..CONNECTIONS {
            let key = format!("{person}/{}", ConnectionId::new(&random));
            slots.push(slot(Kind::Connection, &key));
            slots.push(slot(Kind::Credential, &key));
        }
        slots
    }

    /// Whether a gateway would remove what is kept here while it keeps the person.
    pub(crate) fn is_removable(&self) -> bool {
        !matches!(self.kind, Kind::Person)
    }

    /// Puts the value of this number, in the place of whatever is there.
    pub(crate) async fn put(&self, store: &Store, number: u64) -> Result<(), WriteError> {
        let key = self.key.as_str();
        match self.kind {
            Kind::Person => put(&store.people(), key, &principal(key, number)).await,
            Kind::Index => put(&store.person_index(), key, &indexed(number)).await,
            Kind::Connection => put(&store.connections(), key, &connection(key, number)).await,
            Kind::Credential => {
                put(
                    &store.credentials().finishing(),
                    key,
                    &credential(key, number),
                )
                .await
            }
            Kind::Default => put(&store.default_accounts(), key, &default(number)).await,
        }
    }

    /// Removes what is there, and answers whether there was something.
    pub(crate) async fn remove(&self, store: &Store) -> Result<bool, WriteError> {
        let key = self.key.as_str();
        match self.kind {
            Kind::Person => remove(&store.people(), key).await,
            Kind::Index => remove(&store.person_index(), key).await,
            Kind::Connection => remove(&store.connections(), key).await,
            Kind::Credential => remove(&store.credentials(), key).await,
            Kind::Default => remove(&store.default_accounts(), key).await,
        }
    }

    /// Reads what is there. A value is taken for that of the number it carries only when all of it is.
    pub(crate) async fn read(&self, store: &Store) -> Result<Found, StoreError> {
        let key = self.key.as_str();
        match self.kind {
            Kind::Person => {
                let number = |value: &Principal| value.subject.parse().ok();
                find(&store.people(), key, number, principal).await
            }
            Kind::Index => {
                let number = |value: &PersonId| number_of(value.as_str());
                find(&store.person_index(), key, number, |_, n| indexed(n)).await
            }
            Kind::Connection => {
                let number = |value: &Connection| value.account.id.parse().ok();
                find(&store.connections(), key, number, connection).await
            }
            Kind::Credential => {
                let number = |value: &Credential| Some(value.generation);
                find(&store.credentials(), key, number, credential).await
            }
            Kind::Default => {
                let number = |value: &DefaultAccount| value.service.parse().ok();
                find(&store.default_accounts(), key, number, |_, n| default(n)).await
            }
        }
    }
}

async fn put<V>(table: &Table<V>, key: &str, value: &V) -> Result<(), WriteError>
where
    V: Serialize + DeserializeOwned,
{
    match table.get(key).await? {
        None => table.create(key, value).await.map(drop),
        Some(old) => table.replace(&old, value).await.map(drop),
    }
}

async fn remove<V>(table: &Table<V>, key: &str) -> Result<bool, WriteError>
where
    V: Serialize + DeserializeOwned,
{
    match table.get(key).await? {
        None => Ok(false),
        Some(old) => table.delete(&old).await.map(|()| true),
    }
}

async fn find<V: Serialize + DeserializeOwned>(
    table: &Table<V>,
    key: &str,
    number: impl Fn(&V) -> Option<u64>,
    expected: impl Fn(&str, u64) -> V,
) -> Result<Found, StoreError> {
    let Some(record) = table.get(key).await? else {
        return Ok(Found::Nothing);
    };
    let json = |value: &V| serde_json::to_string(value).ok();
    let genuine =
        number(&record.value).filter(|number| json(&expected(key, *number)) == json(&record.value));
    Ok(genuine.map_or(Found::Strange, Found::Written))
}

fn person(key: &str) -> PersonId {
    let person = key.split('/').next().unwrap_or_default();
    PersonId::parse(person).expect("the keys begin with a person")
}

fn principal(key: &str, number: u64) -> Principal {
    Principal {
        id: person(key),
        issuer: "attache:local".to_owned(),
        subject: number.to_string(),
        name: format!("name-{number}"),
    }
}

/// A person id that carries the number.
fn indexed(number: u64) -> PersonId {
    PersonId::from_bytes(u128::from(number).to_be_bytes())
}

fn number_of(id: &str) -> Option<u64> {
    // 26 digits of 5 bits hold 130: the last digit has two of filling. The first ones are zeroes.
    let digits = id.strip_prefix("per_")?;
    let (last, others) = (digits.get(25..)?, digits.get(..25)?);
    let digit = |text: char| "0123456789abcdefghjkmnpqrstvwxyz".find(text);
    let others = others.chars().try_fold(0_u128, |value, text| {
        Some(value << 5 | u128::try_from(digit(text)?).ok()?)
    })?;
    let last = u128::try_from(digit(last.chars().next()?)?).ok()?;
    u64::try_from(others << 3 | last >> 2).ok()
}

fn connection(key: &str, number: u64) -> Connection {
    let id = key.split('/').nth(1).unwrap_or_default();
    Connection {
        id: ConnectionId::parse(id).expect("the keys end with a connection"),
        person: person(key),
        service: "acme".to_owned(),
        account: Account {
            id: number.to_string(),
            label: format!("label-{number}"),
            workspace: None,
        },
        granted_by: GrantedBy {
            issuer: None,
            token_endpoint: "https://acme.example/token".to_owned(),
            client_id: "client".to_owned(),
        },
        requested: ScopeSet::parse("read write", " "),
        granted: ScopeSet::parse("read", " "),
        status: Status::Active,
        since: Timestamp::from_unix(1_700_000_000),
        connects: 1,
        reach: attache::catalogue::Reach::default(),
    }
}

fn credential(key: &str, number: u64) -> Credential {
    // One in fifty is kept outside the log by sled.
    let length = match number % 50 {
        7 => LARGE,
        other => usize::try_from(other * 37).unwrap_or_default(),
    };
    let filler: String = format!("{key}-{number}-")
        .chars()
        .cycle()
        .take(length)
        .collect();
    Credential {
        access_token: Secret::new(format!("access-{number}-{filler}")),
        refresh_token: Some(Secret::new(format!("refresh-{number}"))),
        obtained: Timestamp::from_unix(1_700_000_000),
        expires: None,
        refresh_expires: None,
        generation: number,
        intent: None,
    }
}

fn default(number: u64) -> DefaultAccount {
    DefaultAccount {
        service: number.to_string(),
        connection: ConnectionId::from_bytes([7; 16]),
    }
}
