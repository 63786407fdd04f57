//! The first line each way on the control socket, and what two versions make of each other.
//!
//! Both lines may grow fields; a reader ignores those it does not know. That, and the three words of [`Wanted`], is all
//! that versions must agree on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest first line that is read, in bytes.
pub(super) const LONGEST_LINE: u64 = 4_096;

/// What whoever connects says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its version.
    pub attache: Version,
    /// What it wants.
    pub wants: Wanted,
    /// For [`Wanted::Mcp`]: the services that are offered; all when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// MCP, one message a line, until one side closes.
    Mcp,
    /// One command in a line, one answer in a line.
    Command,
    /// That the gateway ends in order. The connection is closed when it has.
    End,
}

/// What the gateway answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Its version.
    pub attache: Version,
    /// Its process.
    pub pid: u32,
    /// Why it does not go on, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What keeps it from its store, in a sentence: until that is over, everything is answered with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A version of Attache: major, minor, patch. What follows a hyphen does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u64, u64, u64);

/// A text that is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version looks like 1.2.3")]
pub struct InvalidVersion;

/// How a bridge's version stands to the gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The gateway is as new as the bridge or newer: it serves.
    Serves,
    /// The gateway is older: it ends in order, and the bridge starts its own version.
    GivesWay,
}

impl Version {
    /// The version of this program.
    ///
    /// # Panics
    /// Never: Cargo refuses packages without a version.
    #[must_use]
    pub fn of_this_program() -> Self {
        env!("CARGO_PKG_VERSION")
            .parse()
            .expect("Cargo knows what a version is")
    }

    /// What becomes of a gateway of version `gateway` when a bridge of this version finds it. Only the newer one ever
    /// replaces, so two versions side by side come to rest.
    #[must_use]
    pub fn meets(self, gateway: Self) -> Relation {
        if self > gateway {
            Relation::GivesWay
        } else {
            Relation::Serves
        }
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let mut parts = numbers.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => {
                Ok(Self(major, minor, patch))
            }
            _ => Err(InvalidVersion),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn only_an_older_gateway_gives_way() {
        assert_eq!(version("0.2.0").meets(version("0.1.9")), Relation::GivesWay);
        assert_eq!(
            version("0.10.0").meets(version("0.9.9")),
            Relation::GivesWay
        );
        assert_eq!(version("0.1.9").meets(version("0.2.0")), Relation::Serves);
        assert_eq!(
            version("1.0.0").meets(version("1.0.0-rc.1")),
            Relation::Serves
        );
    }

    #[test]
    fn the_lines_are_fixed_and_may_grow() {
        let hello = Hello {
            attache: version("1.2.3"),
            wants: Wanted::Mcp,
            services: Vec::new(),
        };
        let line = r#"{"attache":"1.2.3","wants":"mcp"}"#;
        assert_eq!(serde_json::to_string(&hello).unwrap(), line);
        let grown = r#"{"attache":"1.2.3","wants":"mcp","as":"someone"}"#;
        assert_eq!(serde_json::from_str::<Hello>(grown).unwrap(), hello);
        for wrong in [
            "{}",
            r#"{"attache":"x","wants":"mcp"}"#,
            r#"{"attache":"1.2.3","wants":"tea"}"#,
        ] {
            assert!(serde_json::from_str::<Hello>(wrong).is_err(), "{wrong}");
        }
    }
}
