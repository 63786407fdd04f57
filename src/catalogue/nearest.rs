//! The known name that a misspelt one was probably meant to be.

/// The closest of `known` to `given`, if it is close enough that the guess helps more than it misleads.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = given.chars().count().div_ceil(3);
    known
        .into_iter()
        .map(|name| (strsim::levenshtein(given, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["read_only", "destructive", "scopes"];
        assert_eq!(nearest("readonly", known), Some("read_only"));
        assert_eq!(nearest("nmae", ["name", "docs"]), Some("name"));
        assert_eq!(nearest("scope", known), Some("scopes"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("drop_tables", known), None);
    }
}
