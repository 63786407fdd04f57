//! Where a request may be sent on to: hosts, by name or by the end of their name.
//!
//! Owns what a file may allow. Refuses to know how a redirect is followed: that is the `upstream` floor's, which never
//! takes the credential along.

use serde::Deserialize;

/// `redirect = { to = ["*.example.com"] }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectRule {
    to: Vec<HostPattern>,
}

/// A host, or `*.` and the end of a host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct HostPattern {
    host: String,
    below: bool,
}

impl TryFrom<String> for HostPattern {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        let (host, below) = match source.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (source.as_str(), false),
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let labels = host.split('.').count();
        if !host.split('.').all(is_label) || (below && labels < 2) {
            return Err(format!(
                "`{source}` in `redirect.to` is no host: write `files.example.com`, or `*.example.com` for every host below it"
            ));
        }
        Ok(Self {
            host: host.to_owned(),
            below,
        })
    }
}

impl RedirectRule {
    /// Whether nothing is allowed by it.
    pub(super) fn is_empty(&self) -> bool {
        self.to.is_empty()
    }

    /// Whether a request may be sent on to `host`, as a URL spells it.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        self.to.iter().any(|pattern| {
            if pattern.below {
                host.strip_suffix(&pattern.host)
                    .and_then(|rest| rest.strip_suffix('.'))
                    .is_some_and(|rest| !rest.is_empty())
            } else {
                host == pattern.host
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_allows_what_it_says_and_nothing_that_looks_like_it() {
        let rule = json!({"to": ["*.files.example", "cdn.example"]});
        let rule: RedirectRule = serde_json::from_value(rule).unwrap();
        for good in ["a.files.example", "a.b.files.example", "cdn.example"] {
            assert!(rule.allows(good), "{good}");
        }
        for bad in [
            "files.example",
            ".files.example",
            "evilfiles.example",
            "a.files.example.evil",
            "a.cdn.example",
            "",
        ] {
            assert!(!rule.allows(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in [
            "*",
            "*.",
            "*.com",
            "A.example",
            "a*.example",
            "a.example/x",
            "https://a.example",
            "",
        ] {
            let rule = json!({"to": [bad]});
            assert!(
                serde_json::from_value::<RedirectRule>(rule).is_err(),
                "{bad}"
            );
        }
    }
}
