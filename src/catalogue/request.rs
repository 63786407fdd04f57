//! The request of a tool: a method, a path, a query, headers and a body, with places for arguments.
//!
//! Architecture invariant: arguments never change scheme, host, port or the number of path segments that the template
//! promises. Values are encoded when they go in, and the finished address is parsed again and compared.

use http::{HeaderValue, Method, Request, header};
use url::Url;

use super::RenderError;
use super::arguments::Arguments;
use super::body_template::BodyTemplate;
use super::constant_headers::ConstantHeaders;
use super::path_template::PathTemplate;
use super::query_template::QueryTemplate;
use super::variables::Variables;

/// The request of a tool, before its arguments are known.
#[derive(Clone, Debug)]
pub(super) struct RequestTemplate {
    pub(super) method: Method,
    pub(super) path: PathTemplate,
    pub(super) query: QueryTemplate,
    pub(super) headers: ConstantHeaders,
    pub(super) body: Option<RequestBody>,
}

/// The body of a request, by its encoding.
#[derive(Clone, Debug)]
pub(super) enum RequestBody {
    /// `application/json`.
    Json(BodyTemplate),
    /// `application/x-www-form-urlencoded`: written as a query is.
    Form(QueryTemplate),
}

impl RequestBody {
    fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Json(template) => template.arguments(),
            Self::Form(template) => template.arguments().collect(),
        }
    }

    /// The media type and the bytes.
    fn render(&self, arguments: Arguments<'_>) -> Result<(HeaderValue, Vec<u8>), RenderError> {
        Ok(match self {
            Self::Json(template) => {
                let body = template
                    .render(arguments)
                    .unwrap_or_else(|| serde_json::json!({}));
                let media_type = HeaderValue::from_static("application/json");
                (media_type, body.to_string().into_bytes())
            }
            Self::Form(template) => {
                let media_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                (media_type, template.render(arguments)?.into_bytes())
            }
        })
    }
}

impl RequestTemplate {
    /// Every argument that is named, as often as it is.
    pub(super) fn arguments(&self) -> Vec<&str> {
        self.path
            .places()
            .map(|place| place.name.as_str())
            .chain(self.query.arguments())
            .chain(self.body.iter().flat_map(RequestBody::arguments))
            .collect()
    }

    /// Path and query alone, as they follow the base address.
    pub(super) fn render_target(&self, arguments: Arguments<'_>) -> Result<Target, RenderError> {
        Ok(Target {
            path: self.path.render(|name| arguments.text(name))?,
            query: self.query.render(arguments)?,
        })
    }

    /// The whole request, without any credential.
    pub(super) fn render(
        &self,
        variables: &Variables,
        arguments: Arguments<'_>,
    ) -> Result<Request<Vec<u8>>, RenderError> {
        let url = self.render_target(arguments)?.under(variables.base())?;
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(url.as_str())
            .body(Vec::new())
            .map_err(|_| RenderError::TooLong)?;
        request.headers_mut().clone_from(self.headers.map());
        if let Some(body) = &self.body {
            let (media_type, body) = body.render(arguments)?;
            *request.body_mut() = body;
            request
                .headers_mut()
                .insert(header::CONTENT_TYPE, media_type);
        }
        Ok(request)
    }
}

/// Path and query, rendered.
pub(super) struct Target {
    path: String,
    query: String,
}

impl Target {
    /// The full address, proven to be below `base`: same scheme, host and port, and exactly the path that was rendered.
    fn under(&self, base: &Url) -> Result<Url, RenderError> {
        let prefix = base.as_str().trim_end_matches('/');
        let mut text = format!("{prefix}{}", self.path);
        if !self.query.is_empty() {
            text.push('?');
            text.push_str(&self.query);
        }
        let path = format!("{}{}", base.path().trim_end_matches('/'), self.path);
        let is_as_promised = |url: &Url| {
            url.scheme() == base.scheme()
                && url.host() == base.host()
                && url.port() == base.port()
                && url.path() == if path.is_empty() { "/" } else { path.as_str() }
                && url.query().unwrap_or_default() == self.query
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        };
        Url::parse(&text)
            .ok()
            .filter(is_as_promised)
            .ok_or_else(|| RenderError::AddressChanged {
                expected: format!("{prefix}{}", self.path),
            })
    }
}
