//! A header of a mail, out of a list of them.

use serde_json::Value;

/// The value of the first header `name`, in whatever case, out of a list of `{ name, value }`. Nothing when there is none,
/// or it is empty.
pub(super) fn mail_header(headers: &Value, name: &str) -> Option<Value> {
    let headers = headers.as_array()?;
    let header = headers.iter().find(|header| {
        let known = header.get("name").and_then(Value::as_str);
        known.is_some_and(|known| known.eq_ignore_ascii_case(name))
    })?;
    let value = header.get("value")?.as_str()?.trim();
    (!value.is_empty()).then(|| Value::from(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_header_of_that_name_is_found() {
        let headers = json!([{"name": "From", "value": "a"}, {"name": "SUBJECT", "value": " Hi "}, {"name": "Subject", "value": "no"}, {"name": "Cc", "value": ""}, 7]);
        assert_eq!(mail_header(&headers, "Subject"), Some(json!("Hi")));
        assert_eq!(mail_header(&headers, "Cc"), None);
        assert_eq!(mail_header(&headers, "To"), None);
        assert_eq!(mail_header(&json!("x"), "To"), None);
    }
}
