//! `[[access_tokens]]`: the issuers whose access tokens agents may bear, in the mode `sso`.

use http::Uri;
use serde::Deserialize;

use super::resolve::Problems;
use crate::egress;
use crate::gateway::SignInSettings;
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

/// The trusted issuers; what is wrong with any of them goes to `problems`. People sign in to the pages
/// with `sign_in`: a person of another issuer could never connect a service.
pub(super) fn resolve(
    sections: &[AccessTokenSection],
    mode: Mode,
    sign_in: Option<&SignInSettings>,
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
        let vouching = sign_in.map(|sign_in| &sign_in.issuer);
        if let Some(vouching) =
            vouching.filter(|known| section.audiences.contains(&known.client_id))
        {
            let message = format!(
                "`{}` is the client with which people sign in: its ID tokens would be taken for access tokens. Name the \
                 resource",
                vouching.client_id
            );
            problems.add("access_tokens.audiences", message);
        }
        if let Some(vouching) = vouching
            && section.issuer != vouching.issuer
        {
            let message = format!(
                "people sign in with {}, and a person is an issuer's: nobody of {} could open the pages to \
                 connect a service. Name the same issuer as in [sign_in]",
                vouching.issuer, section.issuer
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

#[cfg(test)]
mod tests {
    use crate::config::Environment;
    use crate::config::fixture::resolve;

    /// What is wrong with this configuration.
    fn problems(text: &str) -> Vec<String> {
        resolve(text, &Environment::default())
            .err()
            .unwrap_or_default()
    }

    const SSO: &str = "mode = 'sso'\npublic_url = 'https://attache.example.com'\n[sign_in]\n\
                       issuer = 'https://id.example.com'\nclient_id = 'attache'\n[[access_tokens]]\n";

    #[test]
    fn an_issuer_is_trusted_with_little_to_say() {
        let sound = format!("{SSO}issuer = 'https://id.example.com'");
        assert_eq!(problems(&sound), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_is_named() {
        for (section, expected) in [
            (
                "issuer = 'https://other.example'",
                "Name the same issuer as in [sign_in]",
            ),
            ("issuer = 'id'", "access_tokens.issuer: "),
            ("issuer = 'http://id.example.com'", "access_tokens.issuer: "),
            (
                "issuer = 'https://id.example.com?x=1'",
                "neither a query nor a fragment",
            ),
            (
                "issuer = 'https://id.example.com'\njwks_url = 'https://127.0.0.1/keys'",
                "access_tokens.jwks_url: ",
            ),
            (
                "issuer = 'https://id.example.com'\naudiences = ['attache']",
                "ID tokens would be taken for access tokens",
            ),
            (
                "issuer = 'https://id.example.com'\nscopes = ['a b']",
                "is not a scope",
            ),
            (
                "issuer = 'https://id.example.com'\nalgorithms = []",
                "it allows none",
            ),
            (
                "issuer = 'https://id.example.com'\nalgorithms = ['HS256']",
                "HS256",
            ),
            (
                "issuer = 'https://id.example.com'\nalgorithms = ['none']",
                "none",
            ),
        ] {
            let found = problems(&format!("{SSO}{section}"));
            assert!(
                found.iter().any(|problem| problem.contains(expected)),
                "{section}: {found:?}"
            );
        }
        let twice = format!(
            "{SSO}issuer = 'https://id.example.com'\n[[access_tokens]]\nissuer = 'https://id.example.com'"
        );
        assert!(problems(&twice)[0].contains("stands twice"));
        let team = SSO.replace("sso", "team");
        let found = problems(&format!("{team}issuer = 'https://id.example.com'"));
        assert!(found[0].contains("in the mode `sso` only"), "{found:?}");
    }
}
