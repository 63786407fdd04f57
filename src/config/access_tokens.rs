//! `[[access_tokens]]`: the issuers whose access tokens agents may bear, in the mode `sso`.

use http::Uri;
use serde::Deserialize;

use super::resolve::Problems;
use crate::egress;
use crate::identity::{Mode, SigningAlgorithm, TrustedIssuer};

/// One `[[access_tokens]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessTokenSection {
    issuer: String,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    algorithms: Option<Vec<SigningAlgorithm>>,
    jwks_url: Option<String>,
}

/// The trusted issuers; what is wrong with any of them goes to `problems`. `vouching` is the issuer with which people sign
/// in to the pages: a person of another could never connect a service.
pub(super) fn resolve(
    sections: &[AccessTokenSection],
    mode: Mode,
    vouching: Option<&str>,
    egress: &egress::Settings,
    problems: &mut Problems,
) -> Vec<TrustedIssuer> {
    if !sections.is_empty() && !mode.is_protected_resource() {
        let message = "access tokens are accepted in the mode `sso` only: write mode = \"sso\", or leave this out";
        problems.add("access_tokens", message.to_owned());
    }
    let mut known = Vec::new();
    for section in sections {
        if known.contains(&section.issuer.as_str()) {
            let message = format!("{} stands twice; keep one", section.issuer);
            problems.add("access_tokens.issuer", message);
        }
        known.push(&section.issuer);
        if let Some(vouching) = vouching
            && section.issuer != vouching
        {
            let message = format!(
                "people sign in with {vouching}, and a person is an issuer's: nobody of {} could open the pages to \
                 connect a service. Name the same issuer as in [sign_in]",
                section.issuer
            );
            problems.add("access_tokens.issuer", message);
        }
        check(section, egress, problems);
    }
    sections.iter().map(trusted).collect()
}

fn check(section: &AccessTokenSection, egress: &egress::Settings, problems: &mut Problems) {
    let addresses = [
        ("access_tokens.issuer", Some(&section.issuer)),
        ("access_tokens.jwks_url", section.jwks_url.as_ref()),
    ];
    for (place, address) in addresses {
        let Some(address) = address else { continue };
        match address.parse::<Uri>() {
            Ok(uri) => {
                if let Err(error) = egress.admit(&uri) {
                    problems.add(place, error.to_string());
                }
            }
            Err(_) => problems.add(
                place,
                format!("`{address}` is not a web address; write it like https://id.example.com"),
            ),
        }
    }
    if section.issuer.contains(['?', '#']) {
        // RFC 8414 section 2.
        let message = "an issuer has neither a query nor a fragment".to_owned();
        problems.add("access_tokens.issuer", message);
    }
    if section.algorithms.as_ref().is_some_and(Vec::is_empty) {
        let message = "it allows none; name one like \"RS256\", or leave it out".to_owned();
        problems.add("access_tokens.algorithms", message);
    }
    // RFC 6749 section 3.3: what a scope may hold, since they are repeated in a header.
    let is_scope = |scope: &String| {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        !scope.is_empty() && scope.bytes().all(allowed)
    };
    if let Some(wrong) = section.scopes.iter().find(|scope| !is_scope(scope)) {
        problems.add(
            "access_tokens.scopes",
            format!("`{wrong}` is not a scope: they have no spaces, quotes or backslashes"),
        );
    }
}

fn trusted(section: &AccessTokenSection) -> TrustedIssuer {
    let all = || SigningAlgorithm::ALL.to_vec();
    TrustedIssuer {
        issuer: section.issuer.clone(),
        audiences: section.audiences.clone(),
        algorithms: section.algorithms.clone().unwrap_or_else(all),
        scopes: section.scopes.clone(),
        jwks_url: section.jwks_url.clone(),
    }
}
