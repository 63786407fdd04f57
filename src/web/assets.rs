//! Style sheet and picture.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::pages;

/// `GET /assets/{file}`. Compressed for those who take it: nothing in it is secret, so its length tells nothing. Pages hold
/// the form token beside text that others can choose, and are not.
pub(super) async fn file(Path(file): Path<String>, asked: HeaderMap) -> Response {
    let Some(asset) = pages::asset(&format!("/assets/{file}")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let takes_gzip = takes_gzip(&asked);
    let mut response = if takes_gzip {
        asset.gzipped.as_slice().into_response()
    } else {
        asset.bytes.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(asset.cache_control),
    );
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if takes_gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// RFC 9110 section 12.5.3; a weight of nothing is a refusal (section 12.4.2).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lines = asked.get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix(['q', 'Q']);
        let weight = weight.and_then(|rest| rest.strip_prefix('='));
        let weight = weight.and_then(|number| number.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::web::pages::STYLE_PATH;

    async fn style(accepted: &[&'static str]) -> (Option<HeaderValue>, Vec<u8>) {
        let mut asked = HeaderMap::new();
        for line in accepted {
            asked.append(header::ACCEPT_ENCODING, HeaderValue::from_static(line));
        }
        let name = STYLE_PATH.rsplit('/').next().unwrap();
        let response = file(Path(name.to_owned()), asked).await;
        assert_eq!(response.headers()[header::VARY], "accept-encoding");
        let encoding = response.headers().get(header::CONTENT_ENCODING).cloned();
        let body = axum::body::to_bytes(response.into_body(), 100_000).await;
        (encoding, body.unwrap().to_vec())
    }

    #[tokio::test]
    async fn who_takes_gzip_gets_it_and_the_same_is_in_it() {
        let (plain, bytes) = style(&[]).await;
        assert_eq!(plain, None);
        for accepted in [
            &["gzip, deflate, br, zstd"][..],
            &["br;q=1.0", "GZIP ; q=0.5"],
            &["gzip;Q=1"],
        ] {
            let (encoding, gzipped) = style(accepted).await;
            assert_eq!(encoding.unwrap(), "gzip", "{accepted:?}");
            let mut within = Vec::new();
            let mut decoder = GzDecoder::new(gzipped.as_slice());
            decoder.read_to_end(&mut within).unwrap();
            assert_eq!(within, bytes);
        }
        for refused in [
            "identity",
            "gzip;q=0",
            "gzip; q=0.000",
            "gzip;q=x",
            "gzipped",
        ] {
            assert_eq!(style(&[refused]).await.0, None, "{refused}");
        }
    }
}
