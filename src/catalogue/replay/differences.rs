//! Where two JSON values differ, each place in a line.

use serde_json::Value;

use crate::catalogue::plain_text::plain_text;

/// More lines help nobody.
const MOST: usize = 12;

/// Where `found` is not what was `expected`.
pub(super) fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", expected, found, &mut lines);
    lines.truncate(MOST);
    lines
}

/// The same for those members only that are expected.
pub(super) fn member_differences(expected: &Value, found: &Value) -> Vec<String> {
    let members = expected.as_object().into_iter().flatten();
    let lines = members.flat_map(|(key, expected)| {
        let mut lines = Vec::new();
        compare(
            key,
            expected,
            found.get(key).unwrap_or(&Value::Null),
            &mut lines,
        );
        lines
    });
    lines.take(MOST).collect()
}

fn compare(place: &str, expected: &Value, found: &Value, lines: &mut Vec<String>) {
    if lines.len() >= MOST {
        return;
    }
    let below = |key: &str| {
        if place.is_empty() {
            key.to_owned()
        } else {
            format!("{place}.{key}")
        }
    };
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, expected) in expected {
                match found.get(key) {
                    Some(found) => compare(&below(key), expected, found, lines),
                    None => lines.push(format!(
                        "`{}` is missing; expected {}",
                        below(key),
                        short(expected)
                    )),
                }
            }
            for (key, found) in found.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                lines.push(format!(
                    "`{}` is there, which was not expected: {}",
                    below(key),
                    short(found)
                ));
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            if expected.len() != found.len() {
                lines.push(format!(
                    "`{place}` has {} items; expected {}",
                    found.len(),
                    expected.len()
                ));
            }
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                compare(&below(&index.to_string()), expected, found, lines);
            }
        }
        (expected, found) if is_same(expected, found) => {}
        (expected, found) => lines.push(format!(
            "`{place}` is {}; expected {}",
            short(found),
            short(expected)
        )),
    }
}

/// `1` and `1.0` are one number.
fn is_same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64())
}

fn short(value: &Value) -> String {
    plain_text(&value.to_string(), 160)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_that_differs_gets_a_line() {
        let expected = json!({"a": {"b": [1, 2]}, "c": "x", "gone": null});
        let found = json!({"a": {"b": [1.0, 3, 4]}, "c": "x", "new": true});
        assert_eq!(
            differences(&expected, &found),
            [
                "`a.b` has 3 items; expected 2",
                "`a.b.1` is 3; expected 2",
                "`gone` is missing; expected null",
                "`new` is there, which was not expected: true",
            ]
        );
        assert_eq!(
            member_differences(&json!({"c": "y"}), &found),
            ["`c` is \"x\"; expected \"y\""]
        );
    }
}
