//! The media type of a file that is sent: one line, one type, no parts of its own.

use http::HeaderValue;
use mime::Mime;

use crate::catalogue::RenderError;

/// Longer ones are no types but smuggled text (RFC 6838 section 4.2 allows 127 characters for each name).
const LONGEST: usize = 255;

/// Whether the text is a media type with its parameters. The error is the rest of a sentence about the argument.
pub(in crate::catalogue) fn check(text: &str) -> Result<(), &'static str> {
    if text.len() > LONGEST
        || !text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        return Err("is no media type: write one such as `text/plain`");
    }
    // The parser takes an empty subtype for one.
    let parsed: Mime = text
        .parse()
        .ok()
        .filter(|parsed: &Mime| !parsed.subtype().as_str().is_empty())
        .ok_or("is no media type: write one such as `text/plain`")?;
    if parsed.type_() == mime::STAR || parsed.subtype() == mime::STAR {
        return Err("is a range of media types: name one");
    }
    if parsed.type_() == mime::MULTIPART {
        return Err("is a multipart type: send one file with the type of its own");
    }
    Ok(())
}

/// The header of a type that was checked.
pub(super) fn header(checked: &str) -> Result<HeaderValue, RenderError> {
    HeaderValue::try_from(checked).map_err(|_| RenderError::refused("media_type", "cannot be sent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_type_with_parameters_passes() {
        for good in [
            "text/plain",
            "text/plain; charset=utf-8",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "image/svg+xml",
            "text/x; a=\"b c\"",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn smuggled_lines_ranges_and_parts_are_refused() {
        let long = format!("text/{}", "x".repeat(300));
        for bad in [
            "",
            "text",
            "text/",
            "/plain",
            "text/plain\r\nX-A: b",
            "text/plain\n",
            "text/plain; a=\"\r\n\r\nhello\"",
            "text/plain\0",
            "text/é",
            "*/*",
            "text/*",
            "multipart/mixed; boundary=x",
            "MULTIPART/related",
            long.as_str(),
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
