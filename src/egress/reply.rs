//! Reading a reply without trusting its size: bytes on the wire and decoded bytes are counted separately, and reading
//! stops at the first one too many.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use http::Response;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING,
};

use super::Limits;
use super::error::{EgressError, ReplyLimit, innermost};

/// Names and values of all headers of a reply.
pub(super) const MAX_HEADER_BYTES: u32 = 32 << 10;

/// What is wrong with a reply; its origin is added by [`Failure::at`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    TooLarge(ReplyLimit),
    Broken(String),
}

impl Failure {
    pub(super) fn at(self, origin: String) -> EgressError {
        match self {
            Self::TooLarge(limit) => EgressError::ReplyTooLarge { origin, limit },
            Self::Broken(cause) => EgressError::ReplyBroken { origin, cause },
        }
    }
}

/// Reads and decodes the whole reply.
pub(super) async fn read(
    mut response: reqwest::Response,
    limits: Limits,
) -> Result<Response<Vec<u8>>, Failure> {
    check_header_size(response.headers())?;
    let mut body = Body::of(response.headers(), limits.decoded_bytes)?;
    let mut wire_bytes = 0;
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Failure::Broken(innermost(&error)))?
    {
        wire_bytes += chunk.len();
        if wire_bytes > limits.wire_bytes {
            return Err(Failure::TooLarge(ReplyLimit::Wire(limits.wire_bytes)));
        }
        body.push(&chunk)?;
    }
    let mut reply = Response::new(body.finish(wire_bytes)?);
    *reply.status_mut() = response.status();
    *reply.headers_mut() = std::mem::take(response.headers_mut());
    for of_the_wire in [
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
        CONNECTION,
        HeaderName::from_static("keep-alive"),
    ] {
        reply.headers_mut().remove(of_the_wire);
    }
    Ok(reply)
}

fn check_header_size(headers: &HeaderMap) -> Result<(), Failure> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let limit = MAX_HEADER_BYTES as usize;
    if bytes > limit {
        return Err(Failure::TooLarge(ReplyLimit::Headers(limit)));
    }
    Ok(())
}

/// A body that is being decoded (RFC 9110 section 8.4).
enum Body {
    Identity(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

impl Body {
    fn of(headers: &HeaderMap, cap: usize) -> Result<Self, Failure> {
        let codings: Vec<_> = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase())
            .filter(|coding| !coding.is_empty() && coding != b"identity")
            .collect();
        let capped = Capped {
            bytes: Vec::new(),
            cap,
            is_full: false,
        };
        match codings.iter().map(Vec::as_slice).collect::<Vec<_>>()[..] {
            [] => Ok(Self::Identity(capped)),
            [b"gzip" | b"x-gzip"] => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(capped)))),
            _ => Err(Failure::Broken(
                "it has a content encoding that was not asked for".to_owned(),
            )),
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let written = match self {
            Self::Identity(capped) => capped.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
        };
        written.map_err(|_| self.failure())
    }

    /// The decoded bytes. A body of no bytes at all is empty whatever its encoding says: replies to `HEAD`, and 204 and
    /// 304, announce the encoding of what they do not send.
    fn finish(mut self, wire_bytes: usize) -> Result<Vec<u8>, Failure> {
        if let Self::Gzip(decoder) = &mut self
            && wire_bytes > 0
            && decoder.try_finish().is_err()
        {
            return Err(self.failure());
        }
        Ok(std::mem::take(&mut self.capped_mut().bytes))
    }

    fn capped_mut(&mut self) -> &mut Capped {
        match self {
            Self::Identity(capped) => capped,
            Self::Gzip(decoder) => decoder.get_mut(),
        }
    }

    fn failure(&mut self) -> Failure {
        let capped = self.capped_mut();
        if capped.is_full {
            Failure::TooLarge(ReplyLimit::Decoded(capped.cap))
        } else {
            Failure::Broken("its gzip data is damaged or cut off".to_owned())
        }
    }
}

/// Bytes up to a cap; writing beyond it is an error.
#[derive(Debug)]
struct Capped {
    bytes: Vec<u8>,
    cap: usize,
    is_full: bool,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.cap - self.bytes.len() {
            self.is_full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn encoded_as(encoding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(encoding))])
    }

    /// Decodes `wire` as it arrives in pieces of `piece` bytes.
    fn decode(encoding: &'static str, wire: &[u8], piece: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Body::of(&encoded_as(encoding), 1000)?;
        for chunk in wire.chunks(piece) {
            body.push(chunk)?;
        }
        body.finish(wire.len())
    }

    #[test]
    fn gzip_is_decoded_however_it_is_cut() {
        let text = b"the quick brown fox ".repeat(40);
        let two_members = [gzip(&text[..300]), gzip(&text[300..])].concat();
        for piece in [1, 2, 7, 100, 10_000] {
            for wire in [&gzip(&text), &two_members] {
                assert_eq!(decode("GZip ", wire, piece), Ok(text.clone()), "{piece}");
            }
        }
        assert_eq!(decode("gzip", b"", 1), Ok(Vec::new()));
        assert_eq!(decode("identity", b"plain", 2), Ok(b"plain".to_vec()));
    }

    #[test]
    fn the_cap_is_exact_and_bombs_stop_at_it() {
        let too_large = Err(Failure::TooLarge(ReplyLimit::Decoded(1000)));
        assert_eq!(decode("gzip", &gzip(&[7; 1000]), 64), Ok(vec![7; 1000]));
        assert_eq!(decode("gzip", &gzip(&[7; 1001]), 64), too_large);
        assert_eq!(decode("gzip", &gzip(&vec![0; 5_000_000]), 4096), too_large);
        assert_eq!(decode("", &[7; 1000], 64), Ok(vec![7; 1000]));
        assert_eq!(decode("", &[7; 1001], 64), too_large);
    }

    #[test]
    fn damaged_data_and_unknown_encodings_are_broken() {
        let wire = gzip(b"the quick brown fox");
        let mut flipped = wire.clone();
        flipped[14] ^= 0x10;
        for damaged in [
            &wire[..wire.len() - 1],
            &wire[..wire.len() - 9],
            &wire[..5],
            &flipped,
            b"not gzip at all",
            &[wire.as_slice(), b"garbage after it"].concat(),
        ] {
            let outcome = decode("gzip", damaged, 3);
            assert!(matches!(outcome, Err(Failure::Broken(_))), "{outcome:?}");
        }
        for encoding in ["br", "gzip, gzip", "deflate", "zstd"] {
            let outcome = decode(encoding, &wire, 3);
            assert!(matches!(outcome, Err(Failure::Broken(_))), "{encoding}");
        }
    }
}
