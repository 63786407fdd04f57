//! Text into base64.

use data_encoding::BASE64;
use serde_json::Value;

use super::{TransformError, text};

/// The bytes of the text in base64 with padding (RFC 4648 section 4), on one line.
pub(super) fn base64_encode(value: &Value) -> Result<Value, TransformError> {
    Ok(Value::String(BASE64.encode(text(value)?.as_bytes())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::catalogue::transforms::base64_text::base64_decode_text;

    #[test]
    fn only_text_is_encoded() {
        assert_eq!(base64_encode(&json!("hé")), Ok(json!("aMOp")));
        assert_eq!(base64_encode(&json!("")), Ok(json!("")));
        assert!(base64_encode(&json!(["a"])).is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_can_be_read_again(text in "[^\\x00]+") {
            let encoded = base64_encode(&json!(text)).unwrap();
            prop_assert_eq!(base64_decode_text(&encoded), Ok(json!(text)));
        }
    }
}
