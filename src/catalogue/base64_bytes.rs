//! Bytes that came as text: base64 as providers and agents write it.
//!
//! Providers mix the two alphabets of RFC 4648 (sections 4 and 5), leave the padding out, and break lines (RFC 2045). All
//! of it is read; anything else is not base64.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};

/// The bytes; nothing when the text is not base64.
pub(super) fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    let mut compact: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let padded = compact.len();
    while compact.last() == Some(&b'=') {
        compact.pop();
    }
    let padding = padded - compact.len();
    if padding > 0 && (padding > 2 || !padded.is_multiple_of(4)) {
        return None;
    }
    let encoding = if compact.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        BASE64URL_NOPAD
    } else {
        BASE64_NOPAD
    };
    encoding.decode(&compact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_are_read_with_padding_or_without() {
        for text in ["+/8=", "-_8=", "+/8", "-_8", "+/\n8="] {
            assert_eq!(base64_bytes(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(base64_bytes(""), Some(vec![]));
        for bad in ["+_8=", "a", "aGk==", "=", "aGk=aGk=", "a!==", "aGl="] {
            assert_eq!(base64_bytes(bad), None, "{bad}");
        }
    }
}
