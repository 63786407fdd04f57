//! The parameters of a query or a form, by the rules of RFC 6749 section 3.1 and 3.2: one without a value counts as
//! absent, one that is repeated makes the request invalid.

use url::form_urlencoded;

/// The parameters of one request.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded` bytes: a query or a form body.
    pub(super) fn parse(encoded: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(encoded).into_owned();
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// The value of `name`, when it is there exactly once.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// Every value of `name`: for the checkboxes of our own pages.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let matching = self.0.iter().filter(move |(key, _)| key == name);
        matching.map(|(_, value)| value.as_str())
    }

    /// A name that is there more than once, if any.
    pub(super) fn repeated(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
            .windows(2)
            .find(|pair| pair[0] == pair[1])
            .map(|pair| pair[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_value_is_absent_and_a_repeated_one_is_no_value() {
        let parameters = Parameters::parse(b"a=1&b=&c=x+y%26z&d=1&d=2");
        assert_eq!(parameters.one("a"), Some("1"));
        assert_eq!(parameters.one("b"), None);
        assert_eq!(parameters.one("c"), Some("x y&z"));
        assert_eq!(parameters.one("d"), None);
        assert_eq!(parameters.repeated(), Some("d"));
        assert_eq!(parameters.all("d").collect::<Vec<_>>(), ["1", "2"]);
    }
}
