//! Chance as a value: the operating system's, or a seeded source for tests whose output is a snapshot.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng, TryRng};

use super::Secret;

/// Where random bytes come from. Cloning a seeded source shares its state.
#[derive(Clone)]
pub enum Random {
    /// The operating system's generator.
    System,
    /// A reproducible sequence. Only for tests: everything it makes can be predicted.
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    /// A reproducible source.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Fills `bytes` with random bytes.
    ///
    /// # Panics
    /// When the operating system cannot give random bytes: no safe work is possible then.
    pub fn fill(&self, bytes: &mut [u8]) {
        match self {
            Self::System => SysRng
                .try_fill_bytes(bytes)
                .expect("the operating system's random generator works"),
            Self::Seeded(source) => source
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fill_bytes(bytes),
        }
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random UUID (RFC 9562 section 5.4), for what others are to recognise a request by.
    #[must_use]
    pub fn uuid(&self) -> String {
        let mut bytes = self.bytes::<16>();
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let text = HEXLOWER.encode(&bytes);
        let parts = [
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..],
        ];
        parts.join("-")
    }

    /// 256 random bits as 43 characters of unpadded base64url: for state values, tickets, cookies and the like.
    #[must_use]
    pub fn token(&self) -> Secret {
        Secret::new(BASE64URL_NOPAD.encode(&self.bytes::<32>()))
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::System => "Random::System",
            Self::Seeded(_) => "Random::Seeded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_the_system_does_not() {
        assert_eq!(
            Random::seeded(7).bytes::<16>(),
            Random::seeded(7).bytes::<16>()
        );
        assert_ne!(Random::System.bytes::<16>(), Random::System.bytes::<16>());
        assert_eq!(Random::System.token().expose().len(), 43);
    }

    #[test]
    fn a_uuid_has_the_form_of_version_4() {
        let form = regex::Regex::new(
            "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        )
        .unwrap();
        for seed in 0..100 {
            let uuid = Random::seeded(seed).uuid();
            assert!(form.is_match(&uuid), "{uuid}");
        }
        assert_ne!(Random::System.uuid(), Random::System.uuid());
    }
}
