//! What a token says (RFC 7519 section 4.1, RFC 9068 section 2.2).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{AccessGrant, AccessTokenRefusal, LONGEST_NAME, TrustedIssuer};
use crate::base::Timestamp;

#[derive(Deserialize)]
pub(super) struct Claims {
    /// A single text: RFC 7519 has no lists of issuers.
    iss: String,
    sub: Option<Value>,
    aud: Option<OneOrMore>,
    exp: Option<f64>,
    nbf: Option<f64>,
    /// RFC 9068 section 2.2.3.
    scope: Option<String>,
    /// What Microsoft Entra ID (a text) and Okta (a list) call `scope`.
    scp: Option<OneOrMore>,
    /// RFC 9068 section 2.2.
    client_id: Option<String>,
    /// OpenID Connect Core section 2; also Microsoft Entra ID, version 2.
    azp: Option<String>,
    /// Okta.
    cid: Option<String>,
    /// Microsoft Entra ID, version 1.
    appid: Option<String>,
    name: Option<String>,
    preferred_username: Option<String>,
    /// RFC 7800: the key that the sender must hold.
    cnf: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let all: &[String] = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        };
        all.iter().map(String::as_str)
    }
}

impl Claims {
    /// Whether a token of this issuer with these claims lets somebody in.
    pub(super) fn check(
        &self,
        trusted: &TrustedIssuer,
        resource: &str,
        now: Timestamp,
        skew: Duration,
    ) -> Result<(), AccessTokenRefusal> {
        if self.iss != trusted.issuer {
            return Err(AccessTokenRefusal::NotTrusted);
        }
        let audiences = self.aud.as_ref().ok_or(AccessTokenRefusal::Claim("aud"))?;
        let is_ours = |audience| {
            resource == audience || trusted.audiences.iter().any(|ours| ours == audience)
        };
        if !audiences.iter().any(is_ours) {
            return Err(AccessTokenRefusal::AnotherAudience);
        }
        if self.expires()? + skew <= now {
            return Err(AccessTokenRefusal::Expired);
        }
        if let Some(seconds) = self.nbf
            && date("nbf", seconds)? > now + skew
        {
            return Err(AccessTokenRefusal::NotYet);
        }
        if self.cnf.is_some() {
            return Err(AccessTokenRefusal::Bound);
        }
        let carried: Vec<_> = self.scopes().collect();
        if !trusted
            .scopes
            .iter()
            .all(|needed| carried.contains(&needed.as_str()))
        {
            return Err(AccessTokenRefusal::MissingScopes);
        }
        Ok(())
    }

    /// Who sends it.
    pub(super) fn grant(&self) -> Result<AccessGrant, AccessTokenRefusal> {
        let subject = self.sub.as_ref().and_then(Value::as_str);
        let subject = subject.filter(|subject| is_name(subject));
        let clients = [&self.client_id, &self.azp, &self.cid, &self.appid];
        let client = clients.into_iter().flatten().find(|client| is_name(client));
        let names = [&self.name, &self.preferred_username];
        Ok(AccessGrant {
            subject: subject.ok_or(AccessTokenRefusal::Claim("sub"))?.to_owned(),
            client: client
                .ok_or(AccessTokenRefusal::Claim("client_id"))?
                .clone(),
            name: names
                .into_iter()
                .flatten()
                .find(|name| is_name(name))
                .cloned(),
            expires: self.expires()?,
        })
    }

    fn expires(&self) -> Result<Timestamp, AccessTokenRefusal> {
        let seconds = self.exp.ok_or(AccessTokenRefusal::Claim("exp"))?;
        date("exp", seconds)
    }

    fn scopes(&self) -> impl Iterator<Item = &str> {
        let listed = self.scp.iter().flat_map(OneOrMore::iter);
        self.scope
            .iter()
            .map(String::as_str)
            .chain(listed)
            .flat_map(str::split_ascii_whitespace)
    }
}

/// A `NumericDate`: seconds, perhaps with a fraction.
fn date(claim: &'static str, seconds: f64) -> Result<Timestamp, AccessTokenRefusal> {
    /// The year 9999.
    const LAST: f64 = 253_402_300_799.0;
    if !(0.0..=LAST).contains(&seconds) {
        return Err(AccessTokenRefusal::Claim(claim));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was just checked, and a fraction of a second does not matter"
    )]
    Ok(Timestamp::from_unix(seconds as i64))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_NAME && !text.chars().any(char::is_control)
}
