//! The provider file by which the gateway gets to know a fake provider.

use url::Url;

/// The file's text. Its name must be `{name}.toml`.
pub(super) fn provider_file(name: &str, base: &Url, issuer: &str) -> String {
    let base = base.as_str().trim_end_matches('/');
    format!("name = \"{name}\"\n# {base} {issuer}\n")
}
