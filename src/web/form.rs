//! Forms that change something: they must come from our own pages, in the session that showed them.

use axum::http::{HeaderMap, header};
use serde::Deserialize;

use crate::base::Secret;
use crate::gateway::{Links, SignedIn};

/// The fields of a form that only confirms.
#[derive(Deserialize)]
pub(super) struct Confirmation {
    /// The session's form token; `pages::CSRF_FIELD`.
    #[serde(default)]
    csrf: String,
}

/// Whether this form was sent by one of our own pages in this session: the session's form token and the browser's
/// word for where it comes from. Pages are sent with `no-referrer`, so that `Origin` may be `null`; newer browsers
/// say `Sec-Fetch-Site` instead.
pub(super) fn is_genuine(
    form: &Confirmation,
    signed_in: &SignedIn,
    headers: &HeaderMap,
    links: &Links,
) -> bool {
    is_from_here(headers, links) && Secret::new(form.csrf.as_str()) == signed_in.form_token
}

/// Whether the browser says that one of our own pages sent this form. Enough where there is no session that a form could be
/// forged in.
pub(super) fn is_from_here(headers: &HeaderMap, links: &Links) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == links.origin(),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::HeaderValue;

    use super::*;
    use crate::base::{PersonId, Random};
    use crate::identity::Principal;

    #[test]
    fn a_form_from_elsewhere_or_from_another_session_is_not_genuine() {
        let random = Random::seeded(1);
        let principal = Principal {
            id: PersonId::new(&random),
            issuer: "i".into(),
            subject: "s".into(),
            name: "n".into(),
        };
        let signed_in = SignedIn {
            principal: Arc::new(principal),
            form_token: Secret::new("right"),
        };
        let links = Links::new("http://127.0.0.1:1").unwrap();
        let judge = |csrf: &str, site: Option<&'static str>, origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            site.map(|value| headers.insert("sec-fetch-site", HeaderValue::from_static(value)));
            origin.map(|value| headers.insert(header::ORIGIN, HeaderValue::from_static(value)));
            is_genuine(
                &Confirmation { csrf: csrf.into() },
                &signed_in,
                &headers,
                &links,
            )
        };
        assert!(judge("right", Some("same-origin"), Some("null")));
        assert!(judge("right", None, Some("http://127.0.0.1:1")));
        assert!(!judge("wrong", Some("same-origin"), None));
        assert!(!judge("", Some("same-origin"), None));
        assert!(!judge(
            "right",
            Some("cross-site"),
            Some("http://127.0.0.1:1")
        ));
        assert!(!judge("right", Some("same-site"), None));
        assert!(!judge("right", None, Some("http://localhost:1")));
        assert!(!judge("right", None, Some("null")));
        assert!(!judge("right", None, None));
    }
}
