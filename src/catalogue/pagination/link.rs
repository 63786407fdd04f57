//! What is taken of a link to the next page: parameters by name, and nothing else. Neither scheme nor host nor path of it
//! is ever looked at, so that a hostile link leads nowhere.

use http::{HeaderMap, HeaderName};
use url::form_urlencoded;

/// The parameters `names` of the query of a link, absolute or relative (RFC 3986 section 3.4).
pub(super) fn parameters(link: &str, names: &[String]) -> Vec<(String, String)> {
    let link = link.split('#').next().unwrap_or_default();
    let Some((_, query)) = link.split_once('?') else {
        return Vec::new();
    };
    form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| names.iter().any(|known| known == name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// A query in which `pairs` stand in place of the parameters of the same names; the rest stays as it is written.
pub(super) fn replaced(query: &str, pairs: &[(String, String)]) -> String {
    let is_kept = |pair: &&str| {
        !pair.is_empty()
            && form_urlencoded::parse(pair.as_bytes())
                .all(|(name, _)| pairs.iter().all(|(replaced, _)| *replaced != name))
    };
    let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
    form_urlencoded::Serializer::for_suffix(kept.join("&"), 0)
        .extend_pairs(pairs)
        .finish()
}

/// The target of the link with `rel="next"` (RFC 8288 section 3). One with `results="false"` leads to an empty page: some
/// providers always send a next link.
pub(super) fn next_of_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(links)
        .find(|(_, attributes)| {
            let has = |key: &str, word: &str| {
                attributes.iter().any(|(name, value)| {
                    name.eq_ignore_ascii_case(key)
                        && value
                            .split_ascii_whitespace()
                            .any(|w| w.eq_ignore_ascii_case(word))
                })
            };
            has("rel", "next") && !has("results", "false")
        })
        .map(|(target, _)| target.to_owned())
}

type Link<'h> = (&'h str, Vec<(&'h str, String)>);

/// The links of a header's value: `<target>; name="value", ..`. What cannot be read ends the list.
fn links(value: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    let mut rest = value;
    while let Some((target, after)) = rest
        .trim_start_matches([' ', '\t', ','])
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
    {
        let mut attributes = Vec::new();
        rest = after;
        while let Some((name, value, after)) = attribute(rest) {
            attributes.push((name, value));
            rest = after;
        }
        links.push((target, attributes));
        rest = rest.find(',').map_or("", |at| &rest[at..]);
    }
    links
}

/// One `; name=value` or `; name="value"` and what follows it.
fn attribute(text: &str) -> Option<(&str, String, &str)> {
    let text = text.trim_start_matches([' ', '\t']).strip_prefix(';')?;
    let end = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, rest) = (text[..end].trim(), &text[end..]);
    let Some(value) = rest.strip_prefix('=') else {
        return Some((name, String::new(), rest));
    };
    let value = value.trim_start_matches([' ', '\t']);
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find([';', ',']).unwrap_or(value.len());
        return Some((name, value[..end].trim().to_owned(), &value[end..]));
    };
    let mut unquoted = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((name, unquoted, &quoted[at + 1..])),
            '\\' => unquoted.extend(characters.next().map(|(_, escaped)| escaped)),
            other => unquoted.push(other),
        }
    }
    Some((name, unquoted, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("link", value.parse().unwrap());
        }
        next_of_header(&headers, &http::header::LINK)
    }

    #[test]
    fn the_next_link_of_a_header_is_found() {
        let github = "<https://api.example/repos?page=1>; rel=\"prev\", <https://api.example/repos?page=3>; rel=\"next\"";
        assert_eq!(
            next(&[github]).as_deref(),
            Some("https://api.example/repos?page=3")
        );
        assert_eq!(
            next(&[
                "<a>; rel=prev",
                "<b,c>; title=\"x, <y>; \\\"z\"; rel=\"last Next\""
            ])
            .as_deref(),
            Some("b,c")
        );
        assert_eq!(next(&["<a>; rel=\"prev\""]), None);
        assert_eq!(next(&["a; rel=next"]), None);
        assert_eq!(next(&["<a; rel=next"]), None);
        assert_eq!(next(&["<a>; title=\"rel=next"]), None);
        assert_eq!(next(&[]), None);
    }

    #[test]
    fn a_next_link_without_results_is_none() {
        let link = |results: &str| {
            next(&[&format!(
                "<https://a.example/?cursor=0:100:0>; rel=\"next\"; results=\"{results}\"; cursor=\"0:100:0\""
            )])
        };
        assert_eq!(link("false"), None);
        assert!(link("true").is_some());
    }

    #[test]
    fn only_named_parameters_are_taken() {
        let names = ["$skiptoken".to_owned(), "page".to_owned()];
        let taken = |link: &str| parameters(link, &names);
        let pair = |value: &str| vec![("$skiptoken".to_owned(), value.to_owned())];
        assert_eq!(
            taken("https://evil.example/../x?admin=1&%24skiptoken=a%26b+c#page=9"),
            pair("a&b c")
        );
        assert_eq!(taken("?$skiptoken=x"), pair("x"));
        assert_eq!(taken("/items"), []);
        assert_eq!(taken("#?page=1"), []);
    }

    #[test]
    fn what_is_not_replaced_stays_as_it_is_written() {
        let pairs = [("page".to_owned(), "a b&c".to_owned())];
        assert_eq!(
            replaced("q=x%20y&pa%67e=1&page=2&z", &pairs),
            "q=x%20y&z&page=a+b%26c"
        );
        assert_eq!(replaced("", &pairs), "page=a+b%26c");
    }

    proptest! {
        #[test]
        fn any_header_is_read(value in "[<>;,=\"\\\\ a-zA-Z]{0,60}") {
            next(&[&value]);
        }

        #[test]
        fn any_query_keeps_its_other_parameters(query in "([a-c]{1,2}=[a-z]{0,3}&?){0,5}", value in "\\PC{0,9}") {
            let pairs = [("a".to_owned(), value)];
            let after: Vec<_> = form_urlencoded::parse(replaced(&query, &pairs).as_bytes()).into_owned().collect();
            let before = form_urlencoded::parse(query.as_bytes()).into_owned();
            let expected: Vec<_> = before.filter(|(name, _)| name != "a").chain(pairs.iter().cloned()).collect();
            prop_assert_eq!(after, expected);
        }
    }
}
