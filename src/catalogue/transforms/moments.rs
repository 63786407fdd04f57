//! Points in time as RFC 3339 writes them, out of the ways in which providers do not.

use jiff::Timestamp;
use serde_json::Value;

use super::TransformError;

const NO_MOMENT: TransformError = TransformError::Unfit("is no point in time");

/// Seconds or milliseconds since 1970, as a number or as text. A number from a hundred thousand million on (the year 5138
/// in seconds) is in milliseconds.
pub(super) fn epoch_to_time(value: &Value) -> Result<Value, TransformError> {
    let number = match value {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        other => other.as_f64(),
    };
    let number = number
        .filter(|number| number.is_finite())
        .ok_or(NO_MOMENT)?;
    let milliseconds = if number.abs() < 1e11 {
        number * 1000.0
    } else {
        number
    };
    moment(milliseconds)
}

/// `/Date(1330848000000-0800)/`: milliseconds since 1970; the offset says where the reader was, and changes nothing.
pub(super) fn ms_json_date(value: &Value) -> Result<Value, TransformError> {
    let inside = value
        .as_str()
        .and_then(|text| text.trim().strip_prefix("/Date(")?.strip_suffix(")/"))
        .ok_or(NO_MOMENT)?;
    let (sign, digits) = match inside.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, inside),
    };
    let digits = digits.split(['+', '-']).next().unwrap_or_default();
    moment(sign * digits.parse::<f64>().map_err(|_| NO_MOMENT)?)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a number that is out of range is no point in time for jiff either"
)]
fn moment(milliseconds: f64) -> Result<Value, TransformError> {
    Timestamp::from_millisecond(milliseconds.round() as i64)
        .map(|moment| Value::String(moment.to_string()))
        .map_err(|_| NO_MOMENT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn seconds_and_milliseconds_are_told_apart() {
        let time = |value: Value| epoch_to_time(&value).ok();
        assert_eq!(
            time(json!(1_700_000_000)),
            Some(json!("2023-11-14T22:13:20Z"))
        );
        assert_eq!(
            time(json!("1700000000000")),
            Some(json!("2023-11-14T22:13:20Z"))
        );
        assert_eq!(
            time(json!("1700000000.000200")),
            Some(json!("2023-11-14T22:13:20Z"))
        );
        assert_eq!(
            time(json!(1_700_000_000.5)),
            Some(json!("2023-11-14T22:13:20.5Z"))
        );
        assert_eq!(time(json!(0)), Some(json!("1970-01-01T00:00:00Z")));
        assert_eq!(time(json!(1e300)), None);
        assert_eq!(time(json!("soon")), None);
        assert_eq!(time(json!([])), None);
    }

    #[test]
    fn dates_of_old_microsoft_json_are_read() {
        let time = |text: &str| ms_json_date(&json!(text)).ok();
        assert_eq!(
            time("/Date(1700000000000+0100)/"),
            Some(json!("2023-11-14T22:13:20Z"))
        );
        assert_eq!(time("/Date(-1000)/"), Some(json!("1969-12-31T23:59:59Z")));
        assert_eq!(time("/Date()/"), None);
        assert_eq!(time("2023-11-14"), None);
    }

    proptest! {
        #[test]
        fn any_value_is_a_moment_or_none(number in any::<f64>(), text in "/Date\\([-+0-9e.]{0,20}\\)/") {
            let _ = epoch_to_time(&json!(number));
            let _ = epoch_to_time(&json!(number.to_string()));
            let _ = ms_json_date(&json!(text));
        }
    }
}
