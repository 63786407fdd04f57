//! How long a provider asks to wait, in whichever way it says so.
//!
//! A point in time is compared with the provider's own `Date`, so that no clock of ours is asked. A part of a second counts
//! as a whole one: whoever comes too early is refused again. Nothing is below zero, and nothing above a day.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use jiff::Timestamp;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::condition::parse_header_name;
use super::field_path::FieldPath;

/// No provider is believed that asks for a longer pause.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// Where the provider says how long to wait.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RetryAfterKeys")]
pub(super) struct RetryAfter {
    place: Place,
    unit: Unit,
}

#[derive(Clone, Debug)]
enum Place {
    Header(HeaderName),
    Field(FieldPath),
    /// In the provider's words.
    Words(Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    /// Seconds from now; in a header also a date (RFC 9110 section 10.2.3).
    S,
    /// Milliseconds from now.
    Ms,
    /// A point in time in seconds since 1970.
    EpochS,
    /// The same in milliseconds.
    EpochMs,
    /// A point in time as HTTP writes it (RFC 9110 section 5.6.7).
    HttpDate,
    /// A point in time as RFC 3339 writes it.
    #[serde(rename = "rfc3339")]
    Rfc3339,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryAfterKeys {
    header: Option<String>,
    path: Option<FieldPath>,
    matches: Option<String>,
    unit: Unit,
}

impl TryFrom<RetryAfterKeys> for RetryAfter {
    type Error = String;

    fn try_from(keys: RetryAfterKeys) -> Result<Self, String> {
        let place = match (keys.header, keys.path, keys.matches) {
            (Some(name), None, None) => Place::Header(parse_header_name(&name)?),
            (None, Some(path), None) => Place::Field(path),
            (None, None, Some(pattern)) => {
                let regex = Regex::new(&pattern)
                    .map_err(|error| format!("`matches` is no regular expression: {error}"))?;
                if regex.captures_len() != 2 {
                    return Err(
                        "`matches` has exactly one group: what it matches is the pause".to_owned(),
                    );
                }
                Place::Words(regex)
            }
            _ => {
                return Err(
                    "`retry_after` has exactly one of `header`, `path` and `matches`".to_owned(),
                );
            }
        };
        Ok(Self {
            place,
            unit: keys.unit,
        })
    }
}

impl RetryAfter {
    /// The field of the body that is looked at.
    pub(super) fn body_path(&self) -> Option<&FieldPath> {
        match &self.place {
            Place::Field(path) => Some(path),
            _ => None,
        }
    }

    /// The pause; `words` is what the provider says in its error text.
    pub(super) fn read(&self, headers: &HeaderMap, body: &Value, words: &str) -> Option<Duration> {
        let said = match &self.place {
            Place::Header(name) => headers.get(name)?.to_str().ok()?.to_owned(),
            Place::Field(path) => path.find_text(body)?,
            Place::Words(pattern) => pattern.captures(words)?.get(1)?.as_str().to_owned(),
        };
        let seconds = self.unit.seconds(said.trim(), headers)?;
        let seconds = seconds.ceil().clamp(0.0, LONGEST_PAUSE.as_secs_f64());
        Some(Duration::from_secs_f64(seconds))
    }
}

impl Unit {
    /// Seconds from now, whatever they are; never infinite.
    fn seconds(self, said: &str, headers: &HeaderMap) -> Option<f64> {
        let number = || said.parse::<f64>().ok().filter(|number| number.is_finite());
        match self {
            Self::S => number().or_else(|| until(http_date(said)?, headers)),
            Self::Ms => Some(number()? / 1000.0),
            Self::EpochS => Some(number()? - now(headers)?),
            Self::EpochMs => Some(number()? / 1000.0 - now(headers)?),
            Self::HttpDate => until(http_date(said)?, headers),
            Self::Rfc3339 => until(said.parse().ok()?, headers),
        }
    }
}

fn until(moment: Timestamp, headers: &HeaderMap) -> Option<f64> {
    Some(moment.as_duration().as_secs_f64() - now(headers)?)
}

/// The provider's own clock.
fn now(headers: &HeaderMap) -> Option<f64> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    Some(http_date(date)?.as_duration().as_secs_f64())
}

fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_zoned(text)
        .ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn retry_after(table: Value) -> RetryAfter {
        serde_json::from_value(table).unwrap()
    }

    /// What is read at one hundred seconds past 1970.
    fn seconds(table: Value, said: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Thu, 01 Jan 1970 00:01:40 GMT".parse().unwrap());
        headers.insert("x-reset", said.parse().unwrap());
        let body = json!({"error": {"after": said}});
        retry_after(table)
            .read(&headers, &body, said)
            .map(|pause| pause.as_secs())
    }

    #[test]
    fn every_unit_is_read() {
        let unit =
            |unit: &str, said: &str| seconds(json!({"header": "X-Reset", "unit": unit}), said);
        assert_eq!(unit("s", "30"), Some(30));
        assert_eq!(unit("s", " 1.337 "), Some(2));
        assert_eq!(unit("s", "Thu, 01 Jan 1970 00:02:10 GMT"), Some(30));
        assert_eq!(unit("ms", "1500"), Some(2));
        assert_eq!(unit("epoch_s", "160"), Some(60));
        assert_eq!(unit("epoch_s", "160.5"), Some(61));
        assert_eq!(unit("epoch_ms", "160001"), Some(61));
        assert_eq!(unit("http_date", "Thu, 01 Jan 1970 00:01:41 GMT"), Some(1));
        assert_eq!(unit("rfc3339", "1970-01-01T00:01:41.500Z"), Some(2));
    }

    #[test]
    fn nothing_is_negative_or_longer_than_a_day() {
        let unit =
            |unit: &str, said: &str| seconds(json!({"header": "X-Reset", "unit": unit}), said);
        assert_eq!(unit("s", "-1"), Some(0));
        assert_eq!(unit("s", "1e300"), Some(86400));
        assert_eq!(unit("s", "inf"), None);
        assert_eq!(unit("s", "NaN"), None);
        assert_eq!(unit("s", "soon"), None);
        assert_eq!(unit("epoch_s", "10"), Some(0));
        assert_eq!(unit("epoch_s", "99999999999999"), Some(86400));
        assert_eq!(unit("rfc3339", "9000-12-31T00:00:00Z"), Some(86400));
        assert_eq!(unit("rfc3339", "tomorrow"), None);
    }

    #[test]
    fn a_pause_stands_in_a_field_or_in_the_words() {
        assert_eq!(
            seconds(json!({"path": "error.after", "unit": "s"}), "0.65"),
            Some(1)
        );
        let words = json!({"matches": "(?i)retry after ([0-9T:.Z-]+)", "unit": "rfc3339"});
        assert_eq!(
            seconds(
                words,
                "Limit exceeded.  Retry after 1970-01-01T00:02:00.000Z"
            ),
            Some(20)
        );
    }

    #[test]
    fn without_the_providers_clock_a_point_in_time_says_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert("x-reset", "160".parse().unwrap());
        let read = retry_after(json!({"header": "X-Reset", "unit": "epoch_s"}));
        assert_eq!(read.read(&headers, &Value::Null, ""), None);
    }

    #[test]
    fn malformed_tables_are_refused() {
        for bad in [
            json!({"unit": "s"}),
            json!({"header": "a b", "unit": "s"}),
            json!({"header": "a", "path": "b", "unit": "s"}),
            json!({"matches": "no group", "unit": "s"}),
            json!({"matches": "(a)(b)", "unit": "s"}),
            json!({"header": "a", "unit": "h"}),
            json!({"header": "a"}),
        ] {
            assert!(
                serde_json::from_value::<RetryAfter>(bad.clone()).is_err(),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_pause_within_a_day_or_none(said in "[ -~]{0,40}", at in 0_usize..6) {
            let unit = ["s", "ms", "epoch_s", "epoch_ms", "http_date", "rfc3339"][at];
            let pause = seconds(json!({"header": "X-Reset", "unit": unit}), &said);
            prop_assert!(pause.is_none_or(|pause| pause <= 86400));
        }
    }
}
