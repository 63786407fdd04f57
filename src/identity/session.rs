//! Browser sessions and the one-time links that begin them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{PersonId, Secret, Timestamp};

/// A signed-in browser. Found by the digest of its cookie; the cookie itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who is signed in.
    pub person: PersonId,
    /// What every form of this session must carry back (CSRF).
    #[serde(with = "crate::base::secret::for_sealing")]
    pub form_token: Secret,
    /// When it began.
    pub created: Timestamp,
    /// When it ends at the latest.
    pub expires: Timestamp,
}

impl Session {
    /// How long a session lasts.
    pub const LIFETIME: Duration = Duration::from_hours(7 * 24);

    /// A session that begins now.
    #[must_use]
    pub fn begin(person: PersonId, form_token: Secret, now: Timestamp) -> Self {
        Self {
            person,
            form_token,
            created: now,
            expires: now + Self::LIFETIME,
        }
    }

    /// Whether it still holds.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires
    }
}

/// What a one-time sign-in link stands for. Found by the digest of the link's last part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInLink {
    /// Who will be signed in.
    pub person: PersonId,
    /// When it stops working.
    pub expires: Timestamp,
}

impl SignInLink {
    /// How long a link works if nobody uses it.
    pub const LIFETIME: Duration = Duration::from_hours(12);
}
