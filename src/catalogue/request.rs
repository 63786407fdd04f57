//! The request of a tool: a method, a path, a query, headers and a body, with places for arguments.
//!
//! Architecture invariant: arguments never change scheme, host, port or the number of path segments that the template
//! promises, and never add a header. Values are encoded when they go in, and the finished address is parsed again and compared.

use http::{HeaderName, HeaderValue, Method, Request, header};
use serde_json::Value;
use url::Url;

use super::RenderError;
use super::condition::parse_header_name;
use super::constant_headers::{ConstantHeaders, is_not_ours};
use super::field_path::FieldPath;
use super::graphql::Graphql;
use super::header_templates::HeaderTemplates;
use super::path_template::PathTemplate;
use super::places::{InCall, Places};
use super::query_template::QueryTemplate;
use super::redirect::RedirectRule;
use super::request_body::{Content, HeaderJson, MultipartForm, MultipartRelated, RequestBody};
use super::value_template::{Quoted, ValueTemplate};
use super::variables::Variables;

/// A request of a provider file, before its arguments are known. The same for a tool, a step, an item of a list, a poll,
/// a next page and the account call.
#[derive(Clone, Debug)]
pub(super) struct RequestTemplate {
    pub(super) method: Method,
    /// The name of the base address, where it is not `base_url`.
    pub(super) base: Option<String>,
    pub(super) path: PathTemplate,
    pub(super) query: QueryTemplate,
    /// Those of the provider, the same with every request.
    pub(super) shared_headers: ConstantHeaders,
    pub(super) headers: HeaderTemplates,
    pub(super) header_json: Option<HeaderJson>,
    pub(super) body: Option<RequestBody>,
    /// The operation that the body was made of.
    pub(super) graphql: Option<Graphql>,
    /// Gets a text of its own with every call, so that the provider recognises a repetition.
    pub(super) idempotency_header: Option<HeaderName>,
    /// Where the request may be sent on to; without one, nowhere.
    pub(super) redirect: Option<RedirectRule>,
}

/// The keys of a request, as they stand in a file wherever a request does.
#[derive(Debug, Default)]
pub(super) struct RequestKeys {
    pub(super) base: Option<String>,
    pub(super) get: Option<String>,
    pub(super) post: Option<String>,
    pub(super) put: Option<String>,
    pub(super) patch: Option<String>,
    pub(super) delete: Option<String>,
    pub(super) query: QueryTemplate,
    pub(super) headers: HeaderTemplates,
    pub(super) header_json: Option<HeaderJson>,
    pub(super) body: Option<ValueTemplate>,
    pub(super) form: Option<QueryTemplate>,
    pub(super) graphql: Option<Graphql>,
    pub(super) raw: Option<Content>,
    pub(super) multipart_related: Option<MultipartRelated>,
    pub(super) multipart_form: Option<MultipartForm>,
    pub(super) null_body: bool,
    pub(super) idempotency_header: Option<String>,
    pub(super) redirect: Option<RedirectRule>,
}

impl RequestBody {
    /// Reads the one body of a request; `graphql` is a JSON body.
    fn parse(keys: &mut RequestKeys) -> Result<Option<Self>, String> {
        let graphql = keys.graphql.as_ref().map(Graphql::body);
        let bodies = [
            keys.body.take().map(Self::Json),
            keys.form.take().map(Self::Form),
            graphql.map(Self::Json),
            keys.raw.take().map(Self::Raw),
            keys.multipart_related.take().map(Self::MultipartRelated),
            keys.multipart_form.take().map(Self::MultipartForm),
            keys.null_body.then_some(Self::Null),
        ];
        let mut bodies = bodies.into_iter().flatten();
        match (bodies.next(), bodies.next()) {
            (body, None) => Ok(body),
            _ => Err(
                "`body`, `form`, `graphql`, `raw`, `multipart_related`, `multipart_form` and `null_body` exclude each \
                 other"
                    .to_owned(),
            ),
        }
    }
}

impl RequestTemplate {
    /// Reads the keys of a request; the error says what is wrong with them, and the caller where they stand.
    pub(super) fn parse(mut keys: RequestKeys) -> Result<Self, String> {
        let body = RequestBody::parse(&mut keys)?;
        let mut lines = [
            (Method::GET, keys.get),
            (Method::POST, keys.post),
            (Method::PUT, keys.put),
            (Method::PATCH, keys.patch),
            (Method::DELETE, keys.delete),
        ]
        .into_iter()
        .filter_map(|(method, path)| Some((method, path?)));
        let (Some((method, path)), None) = (lines.next(), lines.next()) else {
            return Err(
                "it has exactly one of `get`, `post`, `put`, `patch` and `delete`".to_owned(),
            );
        };
        if keys.graphql.is_some() && method != Method::POST {
            return Err("`graphql` needs a `post`".to_owned());
        }
        if method == Method::GET && body.is_some() {
            return Err("a `get` has no `body`".to_owned());
        }
        if keys.redirect.is_some() && method != Method::GET {
            return Err("only a `get` is sent on by a `redirect`".to_owned());
        }
        if keys.redirect.as_ref().is_some_and(RedirectRule::is_empty) {
            return Err("`redirect` names no host: without it, redirects are refused".to_owned());
        }
        let idempotency_header = keys
            .idempotency_header
            .map(|name| parse_header_name(&name))
            .transpose()?;
        if let Some(name) = idempotency_header.as_ref().filter(|name| is_not_ours(name)) {
            return Err(format!(
                "the header `{name}` cannot be set by a provider file: it belongs to the connection or the credential"
            ));
        }
        Ok(Self {
            path: PathTemplate::parse(&path)?,
            method,
            base: keys.base,
            query: keys.query,
            shared_headers: ConstantHeaders::default(),
            headers: keys.headers,
            header_json: keys.header_json,
            body,
            graphql: keys.graphql,
            idempotency_header,
            redirect: keys.redirect,
        })
    }

    /// What captures and tests look at in a reply: its body, or the data in it where the request is GraphQL. An error when
    /// the operation says that it was not done.
    pub(super) fn data_of<'v>(&self, body: &'v Value) -> Result<&'v Value, NotDone> {
        let Some(graphql) = &self.graphql else {
            return Ok(body);
        };
        let data = graphql.data.find(body).ok_or(NotDone)?;
        let is_done = |path: &FieldPath| path.find(data) == Some(&Value::Bool(true));
        match &graphql.success {
            Some(success) if !is_done(success) => Err(NotDone),
            _ => Ok(data),
        }
    }

    /// A path of [`RequestTemplate::data_of`] as one of the whole reply.
    pub(super) fn path_in_data(&self, path: &FieldPath) -> FieldPath {
        match &self.graphql {
            Some(graphql) => graphql.data.joined(path),
            None => path.clone(),
        }
    }

    /// Every place that is named, as often as it is.
    pub(super) fn places(&self) -> Vec<&str> {
        self.path
            .places()
            .map(|place| place.name.as_str())
            .chain(self.query.places())
            .chain(self.headers.places())
            .chain(self.body.iter().flat_map(RequestBody::places))
            .chain(self.header_json.iter().flat_map(HeaderJson::places))
            .collect()
    }

    /// The places that go into text, with their quoters.
    pub(super) fn quoted(&self) -> Vec<Quoted<'_>> {
        let in_path = self.path.places().filter_map(|place| {
            Some(Quoted {
                name: &place.name,
                quoter: place.quoter?,
                list: None,
            })
        });
        in_path
            .chain(self.query.quoted())
            .chain(self.headers.quoted())
            .chain(self.body.iter().flat_map(RequestBody::quoted))
            .chain(self.header_json.iter().flat_map(HeaderJson::quoted))
            .collect()
    }

    /// Path and query alone, as they follow the base address.
    pub(super) fn render_target(&self, places: &dyn Places) -> Result<Target, RenderError> {
        Ok(Target {
            path: self.path.render(|name| places.text(name))?,
            query: self.query.render(places)?,
        })
    }

    /// The whole request, without any credential. `unique` is the same for every request of one call.
    pub(super) fn render(
        &self,
        variables: &Variables,
        places: &dyn Places,
        unique: &str,
    ) -> Result<Request<Vec<u8>>, RenderError> {
        let base = variables.base(self.base.as_deref())?;
        let places: &dyn Places = &InCall {
            outside: places,
            unique,
        };
        let url = self.render_target(places)?.under(base)?;
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(url.as_str())
            .body(Vec::new())
            .map_err(|_| RenderError::TooLong)?;
        let headers = request.headers_mut();
        headers.clone_from(self.shared_headers.map());
        headers.extend(self.headers.render(places)?);
        if let Some(header_json) = &self.header_json
            && let Some((name, value)) = header_json.render(places)?
        {
            headers.insert(name, value);
        }
        if let Some(name) = &self.idempotency_header {
            let unique = HeaderValue::from_str(unique)
                .map_err(|_| RenderError::refused("unique", "cannot stand in a header"))?;
            headers.insert(name, unique);
        }
        if let Some(body) = &self.body {
            let (media_type, body) = body.render(places, unique)?;
            *request.body_mut() = body;
            request
                .headers_mut()
                .insert(header::CONTENT_TYPE, media_type);
        }
        Ok(request)
    }
}

/// A GraphQL operation brought no data, or says that it was not done.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotDone;

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

#[cfg(test)]
mod tests;
