//! The subject of an answer.

use serde_json::Value;

use super::{TransformError, text};

/// `Re: ` before the subject, unless it stands there already in whatever case (RFC 5322 section 3.6.5).
pub(super) fn reply_subject(value: &Value) -> Result<Value, TransformError> {
    let subject = text(value)?.trim();
    let is_reply = subject
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("re:"));
    Ok(Value::String(if is_reply {
        subject.to_owned()
    } else {
        format!("Re: {subject}")
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_word_stands_there_once() {
        let subject = |text: &str| reply_subject(&json!(text)).unwrap();
        assert_eq!(subject("Lunch"), json!("Re: Lunch"));
        assert_eq!(subject(" RE: Lunch "), json!("RE: Lunch"));
        assert_eq!(
            subject(subject("Lunch").as_str().unwrap()),
            json!("Re: Lunch")
        );
        assert_eq!(subject("Research"), json!("Re: Research"));
        assert_eq!(subject("ré"), json!("Re: ré"));
        assert!(reply_subject(&json!(7)).is_err());
    }
}
