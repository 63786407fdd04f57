//! A browser, as its cookie tells it from others: whose forms are its own, and who is signed in in it.
//!
//! The cookie is a random text that exists before anybody signs in; the server remembers it, by its digest, only while
//! somebody is. It is replaced at every sign-in and sign-out, so that a cookie that was planted before is worth nothing.

use std::time::Duration;

use cookie::Cookie;
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};
use subtle::ConstantTimeEq;

use super::accounts::Account;
use super::digest::Digest;
use super::pages::Refused;
use super::parameters::Parameters;
use super::state::State;
use crate::base::{Random, Secret, Timestamp};

const COOKIE_NAME: &str = "sandbox_session";

/// How long a browser stays signed in.
pub(super) const SESSION_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// One browser.
pub(super) struct Browser {
    cookie: Secret,
    /// Whether the browser does not know the cookie yet.
    new: bool,
}

impl Browser {
    /// The browser that sent `headers`; one that brings no cookie of ours gets a new one.
    pub(super) fn read(headers: &HeaderMap, random: &Random) -> Self {
        let known = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .find(|cookie| cookie.name() == COOKIE_NAME && is_ours(cookie.value()));
        match known {
            Some(cookie) => Self {
                cookie: Secret::new(cookie.value()),
                new: false,
            },
            None => Self::new(random),
        }
    }

    /// A browser with a cookie that nobody has seen.
    pub(super) fn new(random: &Random) -> Self {
        Self {
            cookie: random.token(),
            new: true,
        }
    }

    /// What the state knows the browser by.
    pub(super) fn key(&self) -> Digest {
        Digest::of(self.cookie.expose())
    }

    /// What its forms carry: only a page that we gave to this browser can have it.
    pub(super) fn csrf(&self) -> String {
        let derived = Digest::of(&format!("csrf {}", self.cookie.expose()));
        derived.as_str().to_owned()
    }

    /// Whether a form is the browser's own.
    pub(super) fn verify(&self, form: &Parameters) -> Result<(), Refused> {
        let sent = form.one("csrf").unwrap_or_default();
        let own = self.csrf();
        if sent.as_bytes().ct_eq(own.as_bytes()).into() {
            Ok(())
        } else {
            Err(Refused::ForeignForm)
        }
    }

    /// Who is signed in.
    pub(super) fn account(&self, state: &State, now: Timestamp) -> Option<Account> {
        let session = state.sessions.get(&self.key())?;
        (now < session.expires_at).then_some(session.account)
    }

    /// The `Set-Cookie` header that the browser needs, if any. Without `Secure`: this server speaks plain HTTP on this
    /// machine.
    pub(super) fn set_cookie(&self) -> Option<HeaderValue> {
        if !self.new {
            return None;
        }
        let header = format!(
            "{COOKIE_NAME}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax",
            self.cookie.expose(),
            SESSION_LIFETIME.as_secs()
        );
        HeaderValue::try_from(header).ok()
    }
}

fn is_ours(value: &str) -> bool {
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    value.len() == 43 && value.bytes().all(base64url)
}
