//! The token endpoint of one provider, as the `oauth2` crate's HTTP client: requests leave in the form that the
//! provider wants, replies come back in the form of the RFC.

use std::future::Future;
use std::pin::Pin;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request, Response, Uri};
use oauth2::AsyncHttpClient;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::profile_error::{check_parameters, parse_headers};
use super::token::TOKEN_REQUEST_DEADLINE;
use super::token_reply::{Grant, standardise};
use super::{ProfileError, TokenError};
use crate::base::Secret;
use crate::catalogue::{BodyEncoding, ReplyFormat, TokenEncoding, TokenEndpoint, TokenReplyRules};
use crate::egress::{Egress, Limits};

/// Far above any real token reply, far below anything that hurts.
const MAX_REPLY_BYTES: usize = 256 << 10;

/// What one request to a token or revocation endpoint may cost.
pub(super) const LIMITS: Limits = Limits {
    headers: TOKEN_REQUEST_DEADLINE,
    total: TOKEN_REQUEST_DEADLINE,
    wire_bytes: MAX_REPLY_BYTES,
    decoded_bytes: MAX_REPLY_BYTES,
};

/// Sends the token requests of one grant.
pub(super) struct TokenEndpointClient<'a> {
    pub(super) egress: &'a Egress,
    pub(super) endpoint: &'a TokenEndpoint,
    pub(super) rules: &'a TokenReplyRules,
    pub(super) grant: Grant,
    /// Those that the request holds, so that no error repeats one of them.
    pub(super) secrets: Vec<&'a Secret>,
}

impl<'c> AsyncHttpClient<'c> for TokenEndpointClient<'_> {
    type Error = TokenError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, TokenError>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl TokenEndpointClient<'_> {
    /// Sends a form-encoded request of the `oauth2` crate and answers it with a standard reply.
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TokenError> {
        let request = dress(self.endpoint, self.rules.format, request)?;
        let reply = self.egress.send(request, LIMITS).await?;
        let standard = standardise(&reply, self.rules, self.grant, &self.secrets)?;
        let mut response = Response::new(standard.to_string().into_bytes());
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

/// The request with the provider's fixed parameters and headers, in its encoding. With [`TokenEncoding::Query`] its
/// address holds secrets: nothing here or on the way out writes an address down.
pub(super) fn dress(
    endpoint: &TokenEndpoint,
    format: ReplyFormat,
    request: Request<Vec<u8>>,
) -> Result<Request<Vec<u8>>, TokenError> {
    check_parameters(
        &endpoint.params,
        &[
            "grant_type",
            "code",
            "code_verifier",
            "redirect_uri",
            "refresh_token",
            "scope",
            "client_id",
            "client_secret",
            "client_assertion",
            "client_assertion_type",
        ],
    )?;
    let fixed_headers = parse_headers(&endpoint.headers)?;
    let (mut parts, body) = request.into_parts();
    let parameters: Vec<(String, String)> = form_urlencoded::parse(&body)
        .into_owned()
        .chain(endpoint.params.iter().cloned())
        .collect();
    parts.headers.insert(ACCEPT, accepted(format));
    parts.headers.extend(fixed_headers);
    let body = match endpoint.encoding {
        TokenEncoding::Form => put_into_body(&mut parts.headers, BodyEncoding::Form, &parameters),
        TokenEncoding::Json => put_into_body(&mut parts.headers, BodyEncoding::Json, &parameters),
        TokenEncoding::Query => {
            parts.headers.remove(CONTENT_TYPE);
            parts.uri = with_query(&parts.uri, &parameters)?;
            Vec::new()
        }
    };
    Ok(Request::from_parts(parts, body))
}

/// What a reply may be.
fn accepted(format: ReplyFormat) -> HeaderValue {
    HeaderValue::from_static(match format {
        ReplyFormat::Auto | ReplyFormat::Json => "application/json",
        ReplyFormat::Form => "application/x-www-form-urlencoded",
    })
}

/// The address with parameters in its query; addresses of provider files have none of their own.
fn with_query(address: &Uri, parameters: &[(String, String)]) -> Result<Uri, ProfileError> {
    let mut url = Url::parse(&address.to_string()).map_err(|_| ProfileError::TokenAddress)?;
    url.query_pairs_mut().extend_pairs(parameters);
    Uri::try_from(url.as_str()).map_err(|_| ProfileError::TokenAddress)
}

fn put_into_body(
    headers: &mut HeaderMap,
    encoding: BodyEncoding,
    parameters: &[(String, String)],
) -> Vec<u8> {
    let (content_type, body) = encode(encoding, parameters);
    headers.insert(CONTENT_TYPE, content_type);
    body
}

/// Parameters as a body, with its content type.
pub(super) fn encode(
    encoding: BodyEncoding,
    parameters: &[(String, String)],
) -> (HeaderValue, Vec<u8>) {
    match encoding {
        BodyEncoding::Form => {
            let body = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(parameters)
                .finish();
            let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            (content_type, body.into_bytes())
        }
        BodyEncoding::Json => {
            let object: serde_json::Map<_, _> = parameters
                .iter()
                .map(|(name, value)| (name.clone(), Value::String(value.clone())))
                .collect();
            let body = Value::Object(object).to_string();
            (
                HeaderValue::from_static("application/json"),
                body.into_bytes(),
            )
        }
    }
}
