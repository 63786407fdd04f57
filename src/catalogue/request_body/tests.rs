//! Bodies as they go out: what is in them, and that no value breaks out of its part.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::catalogue::arguments::Arguments;
use crate::catalogue::inputs::Inputs;

/// A scope without any name in it.
pub(super) struct NoPlaces;

impl Places for NoPlaces {
    fn value(&self, _: &str) -> Option<&Value> {
        None
    }
}

fn render(body: &RequestBody, given: &Value) -> Result<(String, Vec<u8>), RenderError> {
    let inputs: serde_json::Map<String, Value> = ["text", "data", "kind", "name", "title", "tags"]
        .map(|name| (name.to_owned(), json!({"required": false})))
        .into_iter()
        .collect();
    let inputs = Inputs::try_from(inputs).unwrap();
    let arguments = Arguments {
        given: given.as_object().unwrap(),
        inputs: &inputs,
    };
    let (media_type, bytes) = body.render(&arguments, "run")?;
    Ok((media_type.to_str().unwrap().to_owned(), bytes))
}

fn raw(keys: Value) -> RequestBody {
    RequestBody::Raw(serde_json::from_value(keys).unwrap())
}

fn related() -> RequestBody {
    let keys = json!({"metadata": {"name": "$name", "tags": ["$tags"]}, "content": "$text", "base64": "$data", "media_type": "$kind"});
    RequestBody::MultipartRelated(serde_json::from_value(keys).unwrap())
}

fn form() -> RequestBody {
    let keys = json!([
        {"name": "attributes", "value": {"title": "$title", "kind": "file"}},
        {"name": "title", "value": "$title"},
        {"name": "file", "filename": "$name", "content": "$text", "base64": "$data", "media_type": "$kind"},
    ]);
    RequestBody::MultipartForm(serde_json::from_value(keys).unwrap())
}

/// Splits a body at its boundary, as RFC 2046 section 5.1.1 says.
fn parts(media_type: &str, body: &[u8]) -> Vec<(String, Vec<u8>)> {
    fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
        text.windows(wanted.len())
            .position(|window| window == wanted)
    }
    let boundary = media_type.split_once("boundary=").unwrap().1;
    let line = format!("\r\n--{boundary}");
    let body = [b"\r\n", body].concat();
    let mut rest = body.strip_prefix(line.as_bytes()).unwrap();
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, line.as_bytes()).unwrap();
        let head = find(part, b"\r\n\r\n").unwrap();
        let headers = String::from_utf8(part[..head].to_vec()).unwrap();
        parts.push((headers, part[head + 4..end].to_vec()));
        rest = &part[end + line.len()..];
    }
    assert_eq!(rest, b"--\r\n");
    parts
}

#[test]
fn text_and_bytes_are_sent_as_they_are() {
    let body = raw(json!({"content": "$text", "base64": "$data", "media_type": "$kind"}));
    let text = json!({"text": "# Hé", "kind": "text/markdown"});
    assert_eq!(
        render(&body, &text),
        Ok(("text/markdown".into(), "# Hé".into()))
    );
    assert_eq!(
        render(&body, &json!({"text": ""})),
        Ok(("text/plain; charset=utf-8".into(), vec![]))
    );
    assert_eq!(
        render(&body, &json!({"data": "AP8\n="})),
        Ok(("application/octet-stream".into(), vec![0, 255]))
    );
    let constant = raw(json!({"content": "$text", "media_type": "text/html; charset=utf-8"}));
    assert_eq!(
        render(&constant, &json!({"text": "a"})).unwrap().0,
        "text/html; charset=utf-8"
    );
}

#[test]
fn exactly_one_content_is_needed() {
    let body = raw(json!({"content": "$text", "base64": "$data"}));
    for given in [json!({}), json!({"text": "a", "data": "YQ=="})] {
        let error = render(&body, &given).unwrap_err();
        assert_eq!(
            error.to_string(),
            "exactly one of these arguments is needed: text, data"
        );
    }
}

#[test]
fn what_cannot_be_sent_is_refused_by_the_name_of_the_argument() {
    let body = raw(json!({"content": "$text", "base64": "$data", "media_type": "$kind"}));
    for (argument, given) in [
        ("data", json!({"data": "not base64!"})),
        ("text", json!({"text": ["a"]})),
        ("kind", json!({"text": "a", "kind": "text/plain\r\nX-A: b"})),
        (
            "kind",
            json!({"text": "a", "kind": "multipart/mixed; boundary=x"}),
        ),
    ] {
        let error = render(&body, &given).unwrap_err();
        assert!(
            matches!(&error, RenderError::Refused { argument: named, .. } if named == argument),
            "{error}"
        );
    }
}

#[test]
fn a_body_has_a_largest_size() {
    let full = "x".repeat(LARGEST_BODY);
    let body = raw(json!({"content": "$text", "base64": "$data"}));
    assert!(render(&body, &json!({"text": full})).is_ok());
    let too_large = format!("{full}x");
    for body in [
        &body,
        &related(),
        &form(),
        &RequestBody::Json(ValueTemplate::tree(json!({"a": "$text"})).unwrap()),
    ] {
        assert_eq!(
            render(body, &json!({"text": too_large})),
            Err(RenderError::BodyTooLarge)
        );
    }
    let encoded = data_encoding::BASE64.encode(too_large.as_bytes());
    assert_eq!(
        render(&body, &json!({"data": encoded})),
        Err(RenderError::BodyTooLarge)
    );
    assert_eq!(
        render(&body, &json!({"data": "A".repeat(3 * LARGEST_BODY)})),
        Err(RenderError::BodyTooLarge)
    );
}

#[test]
fn a_related_body_has_its_description_first() {
    let (media_type, body) =
        render(&related(), &json!({"name": "a \"b\"", "text": "hello"})).unwrap();
    assert!(media_type.starts_with("multipart/related; boundary=attache"));
    let parts = parts(&media_type, &body);
    assert_eq!(
        parts,
        [
            (
                "Content-Type: application/json; charset=UTF-8".to_owned(),
                br#"{"name":"a \"b\""}"#.to_vec()
            ),
            (
                "Content-Type: text/plain; charset=utf-8".to_owned(),
                b"hello".to_vec()
            ),
        ]
    );
}

#[test]
fn a_form_has_fields_and_files() {
    let given = json!({"name": "a\"b.txt", "title": "T", "data": "AP8=", "kind": "image/png"});
    let (media_type, body) = render(&form(), &given).unwrap();
    assert!(media_type.starts_with("multipart/form-data; boundary=attache"));
    let heads: Vec<String> = parts(&media_type, &body)
        .into_iter()
        .map(|(head, content)| format!("{head} | {content:?}"))
        .collect();
    assert_eq!(
        heads,
        [
            format!(
                "Content-Disposition: form-data; name=\"attributes\"\r\nContent-Type: application/json | {:?}",
                br#"{"title":"T","kind":"file"}"#
            ),
            "Content-Disposition: form-data; name=\"title\" | [84]".to_owned(),
            "Content-Disposition: form-data; name=\"file\"; filename=\"a%22b.txt\"\r\nContent-Type: image/png | [0, 255]".to_owned(),
        ]
    );
    let (media_type, body) = render(&form(), &json!({"text": "a"})).unwrap();
    assert_eq!(
        parts(&media_type, &body).len(),
        2,
        "an absent field is left out"
    );
}

#[test]
fn a_boundary_of_another_run_or_of_this_one_ends_nothing() {
    let known = boundary::candidate("run", 0);
    for text in [
        format!("--{known}--\r\n"),
        format!(
            "\r\n--{known}\r\nContent-Disposition: form-data; name=\"admin\"\r\n\r\ntrue\r\n--{known}--"
        ),
    ] {
        for body in [related(), form()] {
            let (media_type, bytes) =
                render(&body, &json!({"text": text, "title": "t", "name": "n"})).unwrap();
            assert!(!media_type.contains(&known));
            let parts = parts(&media_type, &bytes);
            assert_eq!(parts.last().unwrap().1, text.as_bytes());
        }
    }
}

#[test]
fn null_is_a_body() {
    assert_eq!(
        render(&RequestBody::Null, &json!({})),
        Ok(("application/json".into(), b"null".to_vec()))
    );
}

#[test]
fn malformed_bodies_are_refused() {
    for bad in [
        json!({}),
        json!({"media_type": "text/plain"}),
        json!({"content": "$text", "media_type": "text"}),
        json!({"content": "$text", "media_type": "*/*"}),
        json!({"content": "$text", "charset": "utf-8"}),
        json!({"content": {"a": "$text"}}),
    ] {
        assert!(
            serde_json::from_value::<Content>(bad.clone()).is_err(),
            "{bad}"
        );
    }
    for bad in [
        json!([]),
        json!([{"name": "a"}]),
        json!([{"name": "", "value": "$text"}]),
        json!([{"name": "a\"", "value": "$text"}]),
        json!([{"name": "a\r\nb", "value": "$text"}]),
        json!([{"name": "a", "value": "$text", "filename": "$name"}]),
    ] {
        assert!(
            serde_json::from_value::<MultipartForm>(bad.clone()).is_err(),
            "{bad}"
        );
    }
    assert!(serde_json::from_value::<MultipartRelated>(json!({"content": "$text"})).is_err());
}

proptest! {
    #[test]
    fn nothing_breaks_out_of_its_part(
        text in "(?s).{0,80}|(\r\n|--|attache|Content-Disposition: form-data){0,8}",
        name in "[^\\p{Cc}/\\\\]{1,40}",
        title in "(?s).{0,40}",
    ) {
        prop_assume!(name != "." && name != "..");
        let given = json!({"text": text, "name": name, "title": title});
        let (media_type, body) = render(&form(), &given).unwrap();
        let read = parts(&media_type, &body);
        prop_assert_eq!(read.len(), 3);
        prop_assert_eq!(&read[1].1, title.as_bytes());
        prop_assert_eq!(&read[2].1, text.as_bytes());
        prop_assert!(read.iter().all(|(head, _)| head.lines().count() <= 2));
        let (media_type, body) = render(&related(), &given).unwrap();
        let read = parts(&media_type, &body);
        prop_assert_eq!(read.len(), 2);
        prop_assert_eq!(serde_json::from_slice::<Value>(&read[0].1).unwrap()["name"].clone(), json!(name));
        prop_assert_eq!(&read[1].1, text.as_bytes());
    }
}
