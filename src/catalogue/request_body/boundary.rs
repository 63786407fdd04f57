//! The line between the parts of a multipart body (RFC 2046 section 5.1.1).
//!
//! Nobody who writes a part can know it, because it comes from the unique id of the call; and it is looked for in every
//! part all the same, because a part that held it would end early.

use data_encoding::HEXLOWER;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::catalogue::RenderError;

/// How often another boundary is tried. One that is found in a part is already next to impossible.
const TRIES: u32 = 16;

/// A boundary that occurs in none of the parts.
pub(super) fn boundary(unique: &str, parts: &[Vec<u8>]) -> Result<String, RenderError> {
    (0..TRIES)
        .map(|attempt| candidate(unique, attempt))
        .find(|boundary| !parts.iter().any(|part| contains(part, boundary.as_bytes())))
        .ok_or(RenderError::NoBoundary)
}

/// Lower case letters and digits alone: such a boundary needs no quotes.
pub(super) fn candidate(unique: &str, attempt: u32) -> String {
    let digest = Sha256::digest(format!("boundary {attempt} {unique}"));
    format!("attache{}", HEXLOWER.encode(&digest[..16]))
}

fn contains(part: &[u8], boundary: &[u8]) -> bool {
    part.windows(boundary.len())
        .any(|window| window == boundary)
}

/// The parts between boundaries, each with its own headers, and the media type of the whole.
pub(super) fn join(
    kind: &str,
    unique: &str,
    parts: &[Vec<u8>],
) -> Result<(HeaderValue, Vec<u8>), RenderError> {
    let boundary = boundary(unique, parts)?;
    let size: usize = parts.iter().map(|part| part.len() + 64).sum();
    let mut body = Vec::with_capacity(size + 64);
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let media_type = HeaderValue::try_from(format!("multipart/{kind}; boundary={boundary}"));
    Ok((media_type.map_err(|_| RenderError::NoBoundary)?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_that_stands_in_a_part_is_not_used() {
        let first = candidate("run", 0);
        let hostile = format!("x\r\n--{first}--\r\n").into_bytes();
        assert_eq!(boundary("run", &[b"x".to_vec()]), Ok(first));
        assert_eq!(
            boundary("run", &[b"x".to_vec(), hostile]),
            Ok(candidate("run", 1))
        );
        let all: String = (0..TRIES)
            .map(|attempt| candidate("run", attempt))
            .collect();
        assert_eq!(
            boundary("run", &[all.into_bytes()]),
            Err(RenderError::NoBoundary)
        );
        assert_ne!(candidate("run", 0), candidate("other", 0));
    }
}
