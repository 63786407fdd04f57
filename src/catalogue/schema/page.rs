//! What the keys mean, in the words of `docs/provider-file.md`: its tables after `<!-- keys: place -->`.

/// The page.
const PAGE: &str = include_str!("../../../docs/provider-file.md");

/// What the page says about a key of a place, without Markdown.
pub(super) fn meaning(place: &str, key: &str) -> Option<String> {
    let marker = format!("<!-- keys: {place} -->");
    let table = PAGE.split(&marker).nth(1)?;
    let rows = table
        .trim_start()
        .lines()
        .take_while(|line| line.starts_with('|'));
    let quoted = format!("`{key}`");
    rows.filter_map(|row| {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        Some((cells.next()?, cells.next()?))
    })
    .find(|(keys, _)| keys.split(", ").any(|key| key == quoted))
    .map(|(_, meaning)| meaning.replace('`', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_a_key_means() {
        assert_eq!(
            meaning("provider", "name").as_deref(),
            Some("The name for people.")
        );
        assert_eq!(
            meaning("setup", "docs").as_deref(),
            Some("The provider's own guide.")
        );
        assert_eq!(meaning("provider", "colour"), None);
        assert_eq!(meaning("colour", "name"), None);
    }
}
