//! `[oauth.introspection]`: where the lifetime of an access token is asked for.

use serde::Deserialize;

use crate::catalogue::IntrospectionAuth;
use crate::catalogue::url_template::UrlTemplate;

/// `[oauth.introspection]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntrospectionFile {
    pub(crate) url: UrlTemplate,
    #[serde(with = "IntrospectionAuthFile", default)]
    pub(crate) auth: IntrospectionAuth,
}

#[derive(Deserialize)]
#[serde(remote = "IntrospectionAuth", rename_all = "snake_case")]
enum IntrospectionAuthFile {
    Client,
    ClientBasic,
    Bearer,
}
