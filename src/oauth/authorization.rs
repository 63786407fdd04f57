//! Where the browser is sent to ask for access.

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, RedirectUrl};
use url::Url;

use super::ProfileError;
use super::code_verifier::challenge;
use super::profile_error::check_parameters;
use crate::base::Secret;
use crate::catalogue::{OAuthProfile, Pkce, ScopeSet};
use crate::connection::ClientRegistration;

/// What differs from one authorization request to the next.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationUrlRequest<'a> {
    /// Where the provider sends the browser back to: of this provider configuration alone (RFC 9700 section 4.4.2.2).
    pub redirect_uri: &'a Url,
    /// The value that ties the callback to this request and to the browser that began it.
    pub state: &'a Secret,
    /// The proof key, from [`CodeVerifier`](super::CodeVerifier); only its challenge goes into the URL.
    pub verifier: Option<&'a Secret>,
    /// What is asked for.
    pub scopes: &'a ScopeSet,
}

/// The URL of an authorization request: RFC 6749 section 4.1.1, with the challenge of RFC 7636 section 4.3.
///
/// # Errors
/// When the profile fixes a parameter of the protocol, or requires a proof key and there is none.
pub fn authorization_url(
    profile: &OAuthProfile,
    registration: &ClientRegistration,
    request: &AuthorizationUrlRequest<'_>,
) -> Result<Url, ProfileError> {
    check_parameters(
        &profile.authorization_params,
        &[
            "response_type",
            "client_id",
            "client_secret",
            "redirect_uri",
            "state",
            "code_challenge",
            "code_challenge_method",
            &profile.scope_param,
            profile
                .optional_scopes
                .as_ref()
                .map_or(&profile.scope_param, |optional| &optional.param),
        ],
    )?;
    let client = BasicClient::new(ClientId::new(registration.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(profile.authorization_endpoint.clone()))
        .set_redirect_uri(RedirectUrl::from_url(request.redirect_uri.clone()));
    let mut url = client.authorize_url(|| CsrfToken::new(request.state.expose().to_owned()));
    match (profile.pkce, request.verifier) {
        (Pkce::Off, _) | (Pkce::Optional, None) => {}
        (Pkce::Required, None) => return Err(ProfileError::ProofKeyMissing),
        (Pkce::Required | Pkce::Optional, Some(verifier)) => {
            url = url.set_pkce_challenge(challenge(verifier));
        }
    }
    let optional = profile.optional_scopes.as_ref();
    let required = optional.map_or_else(
        || request.scopes.clone(),
        |optional| request.scopes.difference(&optional.scopes),
    );
    let refusable = request.scopes.difference(&required);
    let optional_param = optional.map_or(&profile.scope_param, |optional| &optional.param);
    for (param, scopes) in [
        (&profile.scope_param, &required),
        (optional_param, &refusable),
    ] {
        if !scopes.is_empty() {
            url = url.add_extra_param(param.clone(), scopes.join(&profile.scope_separator));
        }
    }
    for (name, value) in &profile.authorization_params {
        url = url.add_extra_param(name.clone(), value.clone());
    }
    Ok(url.url().0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::catalogue::OptionalScopes;
    use crate::oauth::fake_provider::{profile_at, registration};

    fn query(url: &Url) -> BTreeMap<String, String> {
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let query: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(pairs.len(), query.len(), "no parameter stands twice");
        query
    }

    fn url_of(profile: &OAuthProfile, verifier: Option<&Secret>) -> Result<Url, ProfileError> {
        authorization_url(
            profile,
            &registration(),
            &AuthorizationUrlRequest {
                redirect_uri: &"https://attache.example/oauth/callback/acme"
                    .parse()
                    .unwrap(),
                state: &Secret::new("the state & more"),
                verifier,
                scopes: &ScopeSet::parse("read write:all", ""),
            },
        )
    }

    #[test]
    fn the_url_says_everything_once_and_nothing_secret() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let mut profile = profile_at("https://provider.example");
        profile.authorization_endpoint = "https://provider.example/authorize?tenant=7"
            .parse()
            .unwrap();
        profile.authorization_params = vec![("prompt".to_owned(), "consent".to_owned())];
        let url = url_of(&profile, Some(&verifier)).unwrap();
        assert!(
            url.as_str()
                .starts_with("https://provider.example/authorize?tenant=7&")
        );
        let expected = [
            ("tenant", "7"),
            ("response_type", "code"),
            ("client_id", "client id"),
            (
                "redirect_uri",
                "https://attache.example/oauth/callback/acme",
            ),
            ("state", "the state & more"),
            (
                "code_challenge",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            ),
            ("code_challenge_method", "S256"),
            ("scope", "read write:all"),
            ("prompt", "consent"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query(&url), BTreeMap::from(expected));
        assert!(
            !url.as_str().contains(verifier.expose()) && !url.as_str().contains("client+secret")
        );
    }

    #[test]
    fn scopes_go_where_and_how_the_provider_wants_them() {
        let mut profile = profile_at("https://provider.example");
        profile.scope_param = "user_scope".to_owned();
        profile.scope_separator = ",".to_owned();
        profile.authorization_params = vec![("scope".to_owned(), String::new())];
        let query = query(&url_of(&profile, None).unwrap());
        assert_eq!(query["user_scope"], "read,write:all");
        assert_eq!(query["scope"], "");
    }

    #[test]
    fn scopes_that_may_be_refused_have_their_own_parameter() {
        let mut profile = profile_at("https://provider.example");
        profile.optional_scopes = Some(OptionalScopes {
            param: "optional_scope".to_owned(),
            scopes: ScopeSet::parse("write:all never:asked", ""),
        });
        let query = query(&url_of(&profile, None).unwrap());
        assert_eq!(query["scope"], "read");
        assert_eq!(query["optional_scope"], "write:all");
    }

    #[test]
    fn proof_keys_follow_the_profile() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let mut profile = profile_at("https://provider.example");
        profile.pkce = Pkce::Off;
        assert!(!query(&url_of(&profile, Some(&verifier)).unwrap()).contains_key("code_challenge"));
        profile.pkce = Pkce::Required;
        assert_eq!(url_of(&profile, None), Err(ProfileError::ProofKeyMissing));
    }

    #[test]
    fn a_fixed_parameter_cannot_take_the_place_of_one_of_ours() {
        let mut profile = profile_at("https://provider.example");
        for name in [
            "state",
            "redirect_uri",
            "client_id",
            "response_type",
            "code_challenge_method",
            "scope",
        ] {
            profile.authorization_params = vec![(name.to_owned(), "x".to_owned())];
            let refusal = ProfileError::ReservedParameter {
                name: name.to_owned(),
            };
            assert_eq!(url_of(&profile, None), Err(refusal));
        }
    }
}
