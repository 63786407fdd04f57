//! The name of a file in a form.

/// Longer names are refused by file systems.
const LONGEST: usize = 255;

/// Whether the text is the name of a file. The error is the rest of a sentence about the argument.
pub(in crate::catalogue) fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > LONGEST {
        return Err("is no file name: it is empty or longer than 255 bytes");
    }
    if matches!(name, "." | "..") || name.contains(['/', '\\']) {
        return Err("is a path, not a file name");
    }
    if name.chars().any(char::is_control) {
        return Err("has a line break or another control character in a file name");
    }
    Ok(())
}

/// The name as it stands between quotes: `"` becomes `%22` (HTML, "multipart/form-data encoding algorithm"); UTF-8 stays
/// as it is (RFC 7578 section 5.1.3). The error is the rest of a sentence about the argument.
pub(super) fn quoted(name: &str) -> Result<String, &'static str> {
    check(name)?;
    Ok(name.replace('"', "%22"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quoted("a \"b\".txt").as_deref(), Ok("a %22b%22.txt"));
        assert_eq!(
            quoted("Übersicht; x=1.pdf").as_deref(),
            Ok("Übersicht; x=1.pdf")
        );
        let long = "x".repeat(256);
        for bad in ["", ".", "..", "../a", "a\\b", "a\r\nb", "a\0", &long] {
            assert!(quoted(bad).is_err(), "{bad:?}");
        }
    }
}
