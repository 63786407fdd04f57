//! What a provider sends back with the browser. All of it is hostile.

use super::{ConnectError, flow_cookie_name};
use crate::base::Secret;
use crate::gateway::Service;

/// What a provider sent back with the browser: every value of each parameter, so that duplicates are seen.
#[derive(Debug, Default)]
pub struct CallbackParameters {
    /// `state` (RFC 6749 section 4.1.2).
    pub state: Vec<String>,
    /// `code`.
    pub code: Vec<String>,
    /// `iss` (RFC 9207).
    pub iss: Vec<String>,
    /// `error` (RFC 6749 section 4.1.2.1).
    pub error: Vec<String>,
    /// Everything else, in order. Only what the provider file names is looked at.
    pub others: Vec<(String, String)>,
}

impl CallbackParameters {
    /// What the flow cookie of this callback is called; none without exactly one `state`.
    #[must_use]
    pub fn flow_cookie_name(&self) -> Option<String> {
        match self.state.as_slice() {
            [state] => Some(flow_cookie_name(&Secret::new(state.as_str()))),
            _ => None,
        }
    }
}

impl CallbackParameters {
    /// All of them, as often as they came.
    pub(super) fn all(&self) -> Vec<(&str, &str)> {
        let named = [
            ("state", &self.state),
            ("code", &self.code),
            ("iss", &self.iss),
            ("error", &self.error),
        ];
        let named = named
            .into_iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value.as_str())));
        let others = self.others.iter();
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        named.chain(others).collect()
    }

    /// The value of another parameter, unless it stands there twice.
    pub(super) fn other(&self, name: &str) -> Option<&str> {
        let mut found = self.others.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// The code, or what the provider said instead of one.
pub(super) fn read_code(
    service: &Service,
    parameters: &CallbackParameters,
) -> Result<Secret, ConnectError> {
    let name = || service.provider.name().to_owned();
    match (parameters.error.as_slice(), parameters.code.as_slice()) {
        ([], [code]) if !code.is_empty() => Ok(Secret::new(code.as_str())),
        ([error], _) if error == "access_denied" => {
            Err(ConnectError::Cancelled { service: name() })
        }
        ([error], _) => Err(ConnectError::RefusedByProvider {
            service: name(),
            error: error_code(error),
        }),
        _ => Err(ConnectError::RefusedByProvider {
            service: name(),
            error: "no code".to_owned(),
        }),
    }
}

/// An error code as RFC 6749 allows it, shortened; anything else is not repeated to the person.
pub(in crate::gateway) fn error_code(text: &str) -> String {
    let plain = text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if plain && !text.is_empty() {
        text.to_owned()
    } else {
        "an error it did not name clearly".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_error_codes_are_repeated() {
        assert_eq!(
            error_code("temporarily_unavailable"),
            "temporarily_unavailable"
        );
        for hostile in ["", "<script>", "a b", "ö", &"x".repeat(65)] {
            assert_eq!(error_code(hostile), "an error it did not name clearly");
        }
    }
}
