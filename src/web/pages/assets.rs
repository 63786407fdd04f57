//! The files that pages refer to, built into the binary.

use std::io::Read;
use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::read::GzEncoder;
use sha2::{Digest, Sha256};

/// One file, as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where it is served, from `/assets/` on.
    pub path: &'static str,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The `Cache-Control`: for ever when the path holds a digest of the content.
    pub cache_control: &'static str,
    /// The content.
    pub bytes: &'static [u8],
    /// The content as gzip (RFC 1952), for those who take it.
    pub gzipped: Vec<u8>,
}

impl Asset {
    fn new(
        path: &'static str,
        content_type: &'static str,
        cache_control: &'static str,
        bytes: &'static [u8],
    ) -> Self {
        let mut gzipped = Vec::new();
        GzEncoder::new(bytes, Compression::best())
            .read_to_end(&mut gzipped)
            .expect("memory can be read");
        Self {
            path,
            content_type,
            cache_control,
            bytes,
            gzipped,
        }
    }
}

const STYLE: &[u8] = include_bytes!("../assets/attache.css");
const PICTURE: &[u8] = include_bytes!("../assets/attache.svg");

/// The path of the style sheet: it holds a digest of the content, so that a new release is never shown in old clothes.
pub static STYLE_PATH: LazyLock<String> = LazyLock::new(|| {
    let digest = HEXLOWER.encode(&Sha256::digest(STYLE));
    format!("/assets/attache-{}.css", &digest[..12])
});

/// Every file there is.
pub static ASSETS: LazyLock<[Asset; 2]> = LazyLock::new(|| {
    [
        Asset::new(
            STYLE_PATH.as_str(),
            "text/css; charset=utf-8",
            "public, max-age=31536000, immutable",
            STYLE,
        ),
        Asset::new(
            "/assets/attache.svg",
            "image/svg+xml",
            "public, max-age=86400",
            PICTURE,
        ),
    ]
});

/// The file that is served at `path`.
#[must_use]
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_found_by_their_path_alone() {
        assert_eq!(asset(&STYLE_PATH).unwrap().bytes, STYLE);
        assert_eq!(
            asset("/assets/attache.svg").unwrap().content_type,
            "image/svg+xml"
        );
        assert_eq!(asset("/assets/../attache.css"), None);
        assert_eq!(asset("/assets/attache.css"), None);
    }

    #[test]
    fn assets_load_nothing_from_elsewhere() {
        for asset in ASSETS.iter() {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            let own = text.replace("http://www.w3.org/2000/svg", "");
            for outside in ["http:", "https:", "//", "@import", "url(", "<script"] {
                assert!(!own.contains(outside), "{}: {outside}", asset.path);
            }
        }
    }
}
