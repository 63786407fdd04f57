//! Who sent the browser back: the `iss` parameter of the authorization response.

use thiserror::Error;

use crate::catalogue::OAuthProfile;

/// Why a callback must not be acted on. Nothing of what it brought may be used or shown, its error text included.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IssuerError {
    /// The provider always sends `iss`, and this callback has none.
    #[error(
        "the provider always names itself in the callback, and this callback names no one: start over"
    )]
    Missing,
    /// Someone else answered.
    #[error(
        "this callback was not sent by {expected}: someone else answered in its place; start over"
    )]
    Different {
        /// The issuer that was asked.
        expected: String,
    },
    /// `iss` stands more than once.
    #[error("this callback names its sender more than once: start over")]
    Duplicated,
}

/// Checks `iss` against mix-up attacks (RFC 9207 section 2.4): an exact comparison of strings, without any
/// normalisation. `iss` are all values of the parameter, as decoded from the query. A profile that names no issuer has
/// nothing to compare with; what arrives is then ignored.
///
/// # Errors
/// When the callback must be dropped.
pub fn check_issuer(profile: &OAuthProfile, iss: &[String]) -> Result<(), IssuerError> {
    check(profile.issuer.as_deref(), profile.iss_required, iss)
}

/// The same, for an issuer that always names itself, or may leave it out.
pub(super) fn check(
    expected: Option<&str>,
    is_required: bool,
    iss: &[String],
) -> Result<(), IssuerError> {
    match (expected, iss) {
        (_, []) if is_required => Err(IssuerError::Missing),
        (None, _) | (_, []) => Ok(()),
        (Some(expected), [one]) if one == expected => Ok(()),
        (Some(expected), [_]) => Err(IssuerError::Different {
            expected: expected.to_owned(),
        }),
        (Some(_), [_, _, ..]) => Err(IssuerError::Duplicated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::fake_provider::profile_at;

    const ISSUER: &str = "https://provider.example";

    fn checked(issuer: Option<&str>, iss_required: bool, iss: &[&str]) -> Result<(), IssuerError> {
        let mut profile = profile_at(ISSUER);
        profile.issuer = issuer.map(str::to_owned);
        profile.iss_required = iss_required;
        let iss: Vec<_> = iss.iter().map(|&value| value.to_owned()).collect();
        check_issuer(&profile, &iss)
    }

    #[test]
    fn only_the_exact_issuer_passes() {
        assert_eq!(checked(Some(ISSUER), true, &[ISSUER]), Ok(()));
        assert_eq!(checked(Some(ISSUER), false, &[]), Ok(()));
        assert_eq!(checked(Some(ISSUER), true, &[]), Err(IssuerError::Missing));
        for wrong in [
            "",
            "https://provider.example/",
            "https://Provider.example",
            "HTTPS://provider.example",
            "https://provider.example:443",
            "http://provider.example",
            "https://provider.example ",
            "https://provider.example.evil.example",
            "https%3A%2F%2Fprovider.example",
        ] {
            let outcome = checked(Some(ISSUER), false, &[wrong]);
            assert!(
                matches!(outcome, Err(IssuerError::Different { .. })),
                "{wrong}"
            );
        }
        assert_eq!(
            checked(Some(ISSUER), true, &[ISSUER, ISSUER]),
            Err(IssuerError::Duplicated)
        );
    }

    #[test]
    fn without_an_issuer_there_is_nothing_to_compare() {
        assert_eq!(checked(None, false, &["https://anyone.example"]), Ok(()));
        assert_eq!(checked(None, false, &[]), Ok(()));
        assert_eq!(checked(None, true, &[]), Err(IssuerError::Missing));
    }
}
