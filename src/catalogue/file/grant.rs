//! `[oauth.capture.*]` and `[oauth.tenants]`: what is kept of a login besides its tokens.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::request_keys::request_keys;
use crate::catalogue::CapturedFrom;
use crate::catalogue::field_path::FieldPath;
use crate::catalogue::field_text::FieldText;
use crate::catalogue::placeholder::is_name;
use crate::catalogue::request::RequestTemplate;
use crate::catalogue::url_template::UrlTemplate;
use crate::catalogue::variables::Pattern;

/// What the identifier of a tenant looks like where the file does not say it: one path segment, and no host.
const IDENTIFIER: &str = "[A-Za-z0-9][A-Za-z0-9_-]{0,127}";

/// `[oauth.capture.<name>]`: a value of the login that addresses are made of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaptureFile {
    /// Where it comes from.
    #[serde(with = "CapturedFromFile")]
    pub(crate) from: CapturedFrom,
    /// Where it stands in the token reply, or the name of the parameter of the callback.
    pub(crate) path: String,
    /// What it looks like. It has no default: whoever writes an address says what may stand in it.
    pub(crate) pattern: Pattern,
}

#[derive(Deserialize)]
#[serde(remote = "CapturedFrom", rename_all = "snake_case")]
enum CapturedFromFile {
    Token,
    Callback,
}

/// `[oauth.tenants]`: what a grant reaches, asked for right after the login.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "TenantsKeys")]
pub(crate) struct TenantsFile {
    /// Where it is asked for; the path is that of the request.
    pub(crate) url: UrlTemplate,
    /// The scheme, host and port of it.
    pub(crate) origin: UrlTemplate,
    pub(crate) request: RequestTemplate,
    /// The list in the reply.
    pub(crate) items: FieldPath,
    pub(crate) id: FieldText,
    pub(crate) label: FieldText,
    /// What is kept of each item.
    pub(crate) captures: BTreeMap<String, TenantCapture>,
    /// The argument that says which of several is meant.
    pub(crate) argument: String,
}

/// A value of a tenant.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "TenantCaptureKeys")]
pub(crate) struct TenantCapture {
    pub(crate) path: FieldPath,
    pub(crate) pattern: Pattern,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path, or `{ path = \"…\", pattern = \"…\" }`")]
enum TenantCaptureKeys {
    Path(FieldPath),
    Table(TenantCaptureTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantCaptureTable {
    path: FieldPath,
    pattern: Pattern,
}

impl From<TenantCaptureKeys> for TenantCapture {
    fn from(keys: TenantCaptureKeys) -> Self {
        match keys {
            TenantCaptureKeys::Path(path) => Self {
                path,
                pattern: Pattern::constant(IDENTIFIER),
            },
            TenantCaptureKeys::Table(TenantCaptureTable { path, pattern }) => {
                Self { path, pattern }
            }
        }
    }
}

request_keys! {
    struct TenantsKeys {
        items: FieldPath,
        id: FieldText,
        label: FieldText,
        capture: BTreeMap<String, TenantCapture>,
        argument: String,
    }
}

impl TryFrom<TenantsKeys> for TenantsFile {
    type Error = String;

    fn try_from(mut keys: TenantsKeys) -> Result<Self, String> {
        let problem = |problem: String| format!("`[oauth.tenants]`: {problem}");
        let mut request = keys.request();
        if request.base.is_some() {
            return Err(problem("its address is whole: it has no `base`".to_owned()));
        }
        let address = [&mut request.get, &mut request.post]
            .into_iter()
            .flatten()
            .next();
        let address = address
            .ok_or_else(|| problem("it has a `get` or a `post` with a whole address".to_owned()))?;
        let url = UrlTemplate::try_from(address.clone()).map_err(problem)?;
        let (origin, path) = url.split().map_err(problem)?;
        *address = path;
        if !is_name(&keys.argument) {
            return Err(problem(format!(
                "`{}` is no name for an argument",
                keys.argument
            )));
        }
        if keys.capture.is_empty() {
            return Err(problem(
                "`capture` names nothing: then no address needs it".to_owned(),
            ));
        }
        Ok(Self {
            request: RequestTemplate::parse(request).map_err(problem)?,
            url,
            origin,
            items: keys.items,
            id: keys.id,
            label: keys.label,
            captures: keys.capture,
            argument: keys.argument,
        })
    }
}
