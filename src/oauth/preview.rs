//! What would be sent to a provider, without sending it: for whoever writes a provider file.
//!
//! The requests are made by the very functions that make the real ones. In the place of everything that only a login or a
//! registration knows stands a word in capitals.

use std::future::{Ready, ready};
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use http::{Request, Response};
use oauth2::{AsyncHttpClient, RefreshToken};
use url::Url;

use super::authorization::{AuthorizationUrlRequest, authorization_url};
use super::code_verifier::challenge;
use super::revocation;
use super::token::{RefreshRequest, exchange_request, refresh_request, token_client};
use super::token_endpoint::dress;
use super::{ProfileError, TokenError};
use crate::base::Secret;
use crate::catalogue::{ClientAuth, OAuthProfile, Pkce, ReplyFormat, ScopeSet, TokenEndpoint};
use crate::connection::ClientRegistration;

/// As long as a verifier must be (RFC 7636 section 4.1).
const CODE_VERIFIER: &str = "CODE_VERIFIER_MADE_ANEW_FOR_EVERY_AUTHORIZATION";

/// Everything that is sent for one connection, in the order of its life.
#[derive(Debug)]
pub struct Preview {
    /// Where the browser is sent.
    pub authorization_url: String,
    /// The code for tokens.
    pub exchange: Request<Vec<u8>>,
    /// The renewal; none where the provider has no refresh tokens.
    pub refresh: Option<Request<Vec<u8>>>,
    /// What takes the tokens back, one request after the other; empty where the provider cannot be asked.
    pub revocation: Vec<Request<Vec<u8>>>,
}

/// The requests of a login that asks for `scopes`, of its renewal and of its end.
///
/// # Errors
/// When the profile cannot be followed, as the real request would say.
pub fn preview(
    profile: &OAuthProfile,
    redirect_uri: &Url,
    scopes: &ScopeSet,
) -> Result<Preview, TokenError> {
    let registration = registration(profile);
    let verifier = (profile.pkce != Pkce::Off).then(|| Secret::new(CODE_VERIFIER));
    let url = authorization_url(
        profile,
        &registration,
        &AuthorizationUrlRequest {
            redirect_uri,
            state: &Secret::new("STATE"),
            verifier: verifier.as_ref(),
            scopes,
        },
    )?;
    let authorization_url = match &verifier {
        // A hash of a made-up verifier tells nobody anything.
        Some(verifier) => url
            .as_str()
            .replace(challenge(verifier).as_str(), "CODE_CHALLENGE"),
        None => url.into(),
    };
    let exchange = recorded(&profile.token, profile.token_reply.format, |recorder| {
        let client = token_client(profile, &registration, &profile.token.url);
        let code = Secret::new("CODE");
        let request = exchange_request(&client, &code, verifier.as_ref(), redirect_uri);
        let _ = request.request_async(recorder).now_or_never();
    })?;
    let refresh_token = Secret::new("REFRESH_TOKEN");
    let supported = profile.refresh.supported;
    let endpoint = &profile.refresh_endpoint.endpoint;
    let refresh = supported.then(|| {
        recorded(endpoint, profile.token_reply.format, |recorder| {
            let client = token_client(profile, &registration, &endpoint.url);
            let request = RefreshRequest {
                refresh_token: &refresh_token,
                granted: scopes,
                redirect_uri,
            };
            let token = RefreshToken::new("REFRESH_TOKEN".to_owned());
            let request = refresh_request(&client, profile, &request, &token);
            let _ = request.request_async(recorder).now_or_never();
        })
    });
    let access = Secret::new("ACCESS_TOKEN");
    let held = supported.then_some(&refresh_token);
    Ok(Preview {
        authorization_url,
        exchange,
        refresh: refresh.transpose()?,
        revocation: revocation::requests(profile, &registration, &access, held)?,
    })
}

/// A registration in words.
fn registration(profile: &OAuthProfile) -> ClientRegistration {
    let has_secret = profile.client_auth != ClientAuth::None;
    ClientRegistration {
        client_id: "CLIENT_ID".to_owned(),
        client_secret: has_secret.then(|| Secret::new("CLIENT_SECRET")),
    }
}

/// What `send` gives to the client of the `oauth2` crate, as it would go to `endpoint`.
fn recorded(
    endpoint: &TokenEndpoint,
    format: ReplyFormat,
    send: impl FnOnce(&Recorder),
) -> Result<Request<Vec<u8>>, TokenError> {
    let recorder = Recorder::default();
    send(&recorder);
    let request = recorder.request.into_inner();
    let request = request.unwrap_or_else(PoisonError::into_inner);
    // Without a request the crate itself has refused to make one: the endpoints of a profile are whole addresses.
    dress(
        endpoint,
        format,
        request.ok_or(ProfileError::ProofKeyMissing)?,
    )
}

/// A client that keeps a request and answers nothing.
#[derive(Default)]
struct Recorder {
    request: Mutex<Option<Request<Vec<u8>>>>,
}

impl<'c> AsyncHttpClient<'c> for Recorder {
    type Error = TokenError;
    type Future = Ready<Result<Response<Vec<u8>>, TokenError>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        let mut kept = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(request);
        ready(Ok(Response::new(Vec::new())))
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
    use http::{HeaderMap, Method};

    use super::*;
    use crate::catalogue::{
        BodyEncoding, Revocation, RevocationAuth, RevocationReach, RevocationRequest,
        RevocationTokens, TokenEncoding,
    };
    use crate::oauth::fake_provider::FakeProvider;
    use crate::oauth::{exchange, refresh, revoke};

    /// What a provider file decides of a request.
    fn decided(headers: &HeaderMap, body: &str) -> Vec<String> {
        let header = |name| headers.get(name).map(|value| value.to_str().unwrap());
        [ACCEPT, AUTHORIZATION, CONTENT_TYPE]
            .map(header)
            .into_iter()
            .chain([Some(body)])
            .map(|text| text.unwrap_or("none").to_owned())
            .collect()
    }

    fn redirect_uri() -> Url {
        Url::parse("https://attache.example/oauth/callback/acme").unwrap()
    }

    #[tokio::test]
    async fn it_shows_what_is_really_sent() {
        let provider = FakeProvider::start().await;
        let scopes = ScopeSet::parse("read write:all", "");
        for (auth, encoding) in [
            (ClientAuth::Post, TokenEncoding::Form),
            (ClientAuth::Basic, TokenEncoding::Form),
            (ClientAuth::SecretKey, TokenEncoding::Json),
            (ClientAuth::None, TokenEncoding::Json),
        ] {
            let mut profile = provider.profile();
            profile.client_auth = auth;
            profile.token.encoding = encoding;
            profile.token.params = vec![("audience".to_owned(), "api".to_owned())];
            profile.refresh_endpoint.sends_scope = true;
            profile.refresh_endpoint.sends_redirect_uri = true;
            profile.revocation = revocation(&provider.url("/revoke"));
            let shown = preview(&profile, &redirect_uri(), &scopes).unwrap();
            send_all(&provider, &profile, &scopes).await;
            let sent = provider.seen();
            let sent = sent[sent.len() - 4..].iter();
            let sent: Vec<_> = sent
                .map(|seen| (seen.target.clone(), decided(&seen.headers, &seen.body)))
                .collect();
            let all = [shown.exchange].into_iter();
            let all = all.chain(shown.refresh).chain(shown.revocation);
            let shown: Vec<_> = all
                .map(|request| {
                    let body = std::str::from_utf8(request.body()).unwrap();
                    let target = request.uri().path().to_owned();
                    (target, decided(request.headers(), body))
                })
                .collect();
            assert_eq!(shown, sent, "{auth:?}");
        }
    }

    /// A login with the words of the preview, its renewal and its end.
    async fn send_all(provider: &FakeProvider, profile: &OAuthProfile, scopes: &ScopeSet) {
        for _ in 0..4 {
            provider.answers(
                200,
                "application/json",
                r#"{"access_token":"a","token_type":"bearer"}"#,
            );
        }
        let (egress, registration) = (provider.egress(), registration(profile));
        let (code, verifier) = (Secret::new("CODE"), Secret::new(CODE_VERIFIER));
        exchange(
            &egress,
            profile,
            &registration,
            &code,
            Some(&verifier),
            &redirect_uri(),
        )
        .await
        .unwrap();
        let token = Secret::new("REFRESH_TOKEN");
        let request = RefreshRequest {
            refresh_token: &token,
            granted: scopes,
            redirect_uri: &redirect_uri(),
        };
        refresh(&egress, profile, &registration, &request)
            .await
            .unwrap();
        let access = Secret::new("ACCESS_TOKEN");
        revoke(&egress, profile, &registration, Some(&access), Some(&token))
            .await
            .unwrap();
    }

    fn revocation(url: &str) -> Revocation {
        Revocation::Request(RevocationRequest {
            method: Method::POST,
            url: url.to_owned(),
            auth: RevocationAuth::Client,
            encoding: BodyEncoding::Form,
            token_param: Some("token".to_owned()),
            client_id_param: "client_id".to_owned(),
            client_secret_param: "client_secret".to_owned(),
            send_hint: true,
            tokens: RevocationTokens::RefreshThenAccess,
            success_statuses: Vec::new(),
            confirmed_by: None,
            already_dead: Vec::new(),
            reach: RevocationReach::Token,
        })
    }

    #[test]
    fn the_address_of_the_login_holds_words_for_what_is_made_anew_each_time() {
        let profile = crate::oauth::fake_provider::profile_at("https://provider.example");
        let scopes = ScopeSet::parse("read", "");
        let url = preview(&profile, &redirect_uri(), &scopes)
            .unwrap()
            .authorization_url;
        for part in [
            "client_id=CLIENT_ID",
            "state=STATE",
            "code_challenge=CODE_CHALLENGE",
            "scope=read",
        ] {
            assert!(url.contains(part), "{part} in {url}");
        }
    }

    #[test]
    fn what_a_provider_has_not_is_not_shown() {
        let mut profile = crate::oauth::fake_provider::profile_at("https://provider.example");
        profile.refresh.supported = false;
        profile.pkce = Pkce::Off;
        let shown = preview(&profile, &redirect_uri(), &ScopeSet::default()).unwrap();
        assert!(shown.refresh.is_none() && shown.revocation.is_empty());
        assert!(!shown.authorization_url.contains("code_challenge"));
        let body = String::from_utf8(shown.exchange.into_body()).unwrap();
        assert!(!body.contains("code_verifier"), "{body}");
    }
}
