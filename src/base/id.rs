//! Identifiers that show what they name: `per_…`, `con_…`, `agt_…`, each with 128 random bits.

use std::fmt;

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Serialize};

use super::Random;

/// Lowercase Crockford base32: no letter that is read as a digit, nothing that needs escaping in a URL or a path.
fn alphabet() -> Encoding {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("0123456789abcdefghjkmnpqrstvwxyz");
    specification
        .encoding()
        .expect("the alphabet has 32 distinct symbols")
}

/// Why a text is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an identifier that starts with `{prefix}` and goes on with 26 letters and digits"
)]
pub struct InvalidId {
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new identifier.
            #[must_use]
            pub fn new(random: &Random) -> Self {
                Self::from_bytes(random.bytes())
            }

            /// The identifier that these 128 bits spell: for identifiers derived from a key.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(format!(concat!($prefix, "{}"), alphabet().encode(&bytes)))
            }

            /// Reads an identifier.
            ///
            /// # Errors
            /// [`InvalidId`] when the prefix, the length or a character is wrong.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { prefix: $prefix };
                let body = text.strip_prefix($prefix).ok_or(invalid.clone())?;
                let known = body.len() == 26 && alphabet().decode(body.as_bytes()).is_ok();
                known.then(|| Self(text.to_owned())).ok_or(invalid)
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id!(
    /// A person, whoever vouches for them.
    PersonId,
    "per_"
);
id!(
    /// A connection of one person to one account at one service.
    ConnectionId,
    "con_"
);
id!(
    /// An agent: one client that acts for one person and holds an agent token.
    AgentId,
    "agt_"
);
id!(
    /// Something that was announced to the outside.
    EventId,
    "evt_"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_reads_back_and_others_are_refused() {
        let id = ConnectionId::new(&Random::seeded(1));
        assert_eq!(ConnectionId::parse(id.as_str()), Ok(id.clone()));
        for wrong in [
            "",
            "con_",
            "per_00000000000000000000000000",
            "con_../../../../../../../etc",
            "con_0000",
        ] {
            assert!(ConnectionId::parse(wrong).is_err(), "{wrong} was accepted");
        }
        assert!(PersonId::parse(id.as_str()).is_err());
    }
}
