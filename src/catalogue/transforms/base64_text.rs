//! Text out of base64.

use serde_json::Value;

use super::{TransformError, text};
use crate::catalogue::base64_bytes::base64_bytes;

/// Nothing for an empty text (some providers send one in place of a content that is too large), for bytes that are not
/// UTF-8, and for text with NUL in it: such a file is not meant to be read.
pub(super) fn base64_decode_text(value: &Value) -> Result<Value, TransformError> {
    let bytes = base64_bytes(text(value)?).ok_or(TransformError::Unfit("is not base64"))?;
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.is_empty() && !text.contains('\0'))
        .map(Value::String)
        .ok_or(TransformError::Unfit("is no text in base64"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn base64_text_is_decoded_and_anything_else_left_out() {
        let decode = |value: Value| base64_decode_text(&value).ok();
        assert_eq!(decode(json!("aGVs\nbG8=\n")), Some(json!("hello")));
        assert_eq!(decode(json!("aMOp-_8")), None);
        assert_eq!(decode(json!("w7_Dvg")), Some(json!("ÿþ")));
        assert_eq!(decode(json!("")), None);
        assert_eq!(decode(json!("//8=")), None);
        assert_eq!(decode(json!("AGE=")), None);
        assert_eq!(decode(json!("not base64!")), None);
        assert_eq!(decode(json!(7)), None);
    }
}
