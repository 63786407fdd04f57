//! Letters as they go out, and what nobody gets into their headers.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn message(letter: Value) -> Result<String, TransformError> {
    let encoded = mime_message(letter)?;
    let bytes = BASE64URL
        .decode(encoded.as_str().unwrap().as_bytes())
        .unwrap();
    Ok(String::from_utf8(bytes).unwrap())
}

/// The headers of a message, unfolded.
fn headers(message: &str) -> Vec<String> {
    let head = message.split_once("\r\n\r\n").unwrap().0;
    head.replace("\r\n ", " ")
        .split("\r\n")
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_plain_letter_has_what_it_was_given() {
    let message = message(json!({
        "to": "Ada Lovelace <ada@example.com>",
        "subject": "Lunch",
        "body": "Hello = ä\nsecond line",
    }))
    .unwrap();
    assert_eq!(
        message,
        "To: \"Ada Lovelace\" <ada@example.com>\r\nSubject: Lunch\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         Hello =3D =C3=A4\r\nsecond line\r\n"
    );
}

#[test]
fn an_answer_names_what_it_answers() {
    let ids: Vec<String> = (0..60).map(|n| format!("<{n}@x>")).collect();
    let message = message(json!({
        "to": "a@b.c",
        "in_reply_to": "<1@x>",
        "references": format!("{}\r\n mangled <59 @x>", ids.join("\r\n ")),
        "body": "",
    }))
    .unwrap();
    let headers = headers(&message);
    assert!(
        headers.contains(&"In-Reply-To: <1@x>".to_owned()),
        "{headers:?}"
    );
    let references = headers
        .iter()
        .find(|h| h.starts_with("References:"))
        .unwrap();
    assert!(
        references.starts_with("References: <0@x> <11@x>") && references.ends_with("<59@x>"),
        "{references}"
    );
    assert!(message.lines().all(|line| line.len() <= 998));
}

#[test]
fn addresses_come_in_every_way_they_are_written() {
    let message = message(json!({
        "to": ["\"Doe, Jane\" <j@x.org>, b@y.org", null, "", "c@z.org"],
        "cc": "Jörg Müller <m@x.org>",
        "bcc": ["d@x.org"],
        "body": "",
    }))
    .unwrap();
    let headers = headers(&message);
    assert_eq!(
        headers[0],
        "To: =?utf-8?b?RG9lLCBKYW5l?= <j@x.org>, b@y.org, c@z.org"
    );
    assert!(
        headers[1].starts_with("Cc: =?utf-8?b?") && headers[1].ends_with("<m@x.org>"),
        "{}",
        headers[1]
    );
    assert_eq!(headers[2], "Bcc: d@x.org");
    let nobody = self::message(json!({"to": null, "cc": [], "body": "a draft"})).unwrap();
    assert!(!nobody.contains("To:") && !nobody.contains("Cc:"));
}

#[test]
fn html_and_attachments_make_parts() {
    let letter = json!({
        "to": "a@b.c",
        "subject": "Übersicht für alle, die eine sehr lange Betreffzeile lesen wollen ✓ und noch ein wenig mehr",
        "body": "plain",
        "html": "<p>rich</p>",
        "attachments": [
            {"filename": "Jahresbericht \"2026\" für Ä.pdf", "media_type": "application/pdf", "base64": "AP8="},
            {"filename": "a.txt", "base64": "aGk"},
        ],
    });
    let message = message(letter.clone()).unwrap();
    assert_eq!(
        self::message(letter).unwrap(),
        message,
        "the same letter is written in the same way"
    );
    assert!(
        message.is_ascii() && message.lines().all(|line| line.len() <= 78),
        "{message}"
    );
    let boundaries: Vec<&str> = message
        .split("boundary=\"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect();
    assert_eq!(boundaries.len(), 2);
    for (boundary, parts) in boundaries.iter().zip([3, 2]) {
        assert_eq!(
            message.matches(&format!("\r\n--{boundary}\r\n")).count(),
            parts
        );
        assert_eq!(message.matches(&format!("--{boundary}--\r\n")).count(), 1);
    }
    assert!(message.contains("Content-Type: text/html; charset=utf-8"));
    assert!(message.contains("Content-Type: application/pdf"));
    assert!(message.contains("\r\n\r\nAP8=\r\n"));
    assert!(message.contains("filename=\"a.txt\""));
}

#[test]
fn nothing_smuggles_a_header() {
    for (field, letter) in [
        (
            "subject",
            json!({"subject": "Hi\r\nBcc: evil@x.org", "body": ""}),
        ),
        ("subject", json!({"subject": "Hi\nX: y", "body": ""})),
        ("subject", json!({"subject": "a\0b", "body": ""})),
        ("subject", json!({"subject": "x".repeat(2001), "body": ""})),
        ("to", json!({"to": "a@b.c\r\nBcc: evil@x.org", "body": ""})),
        (
            "to",
            json!({"to": "\"a\r\nBcc: evil@x.org\" <a@b.c>", "body": ""}),
        ),
        ("to", json!({"to": "not an address", "body": ""})),
        ("to", json!({"to": ["a@b.c", 7], "body": ""})),
        ("to", json!({"to": {"a": 1}, "body": ""})),
        ("to", json!({"to": "jörg@x.org", "body": ""})),
        ("cc", json!({"cc": vec!["a@b.c"; 501], "body": ""})),
        ("in_reply_to", json!({"in_reply_to": "<a\0@b>", "body": ""})),
        (
            "attachments",
            json!({"attachments": [{"filename": "a\r\nX: y", "base64": ""}]}),
        ),
        (
            "attachments",
            json!({"attachments": [{"filename": "../a", "base64": ""}]}),
        ),
        (
            "attachments",
            json!({"attachments": [{"filename": "a", "media_type": "text/plain\r\nX: y", "base64": ""}]}),
        ),
        (
            "attachments",
            json!({"attachments": [{"filename": "a", "media_type": "multipart/mixed; boundary=x", "base64": ""}]}),
        ),
        (
            "attachments",
            json!({"attachments": [{"filename": "a", "base64": "!"}]}),
        ),
    ] {
        let refused = mime_message(letter.clone()).unwrap_err();
        assert_eq!(refused.field(), Some(field), "{letter} {refused}");
    }
    let dropped = message(json!({"in_reply_to": "x\r\nBcc: evil@x.org", "body": ""})).unwrap();
    assert!(!dropped.contains("Bcc"));
    assert!(mime_message(json!({"from": "a@b.c"})).is_err());
    assert!(mime_message(json!("a text")).is_err());
}

#[test]
fn a_letter_has_a_largest_size() {
    let large = "x".repeat(LARGEST_BODY + 1);
    for letter in [
        json!({"body": large}),
        json!({"attachments": [{"filename": "a", "base64": large}]}),
    ] {
        assert!(matches!(
            mime_message(letter),
            Err(TransformError::TooLarge(_))
        ));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn headers_are_those_of_a_letter_whatever_is_given(
        to in "(?s).{0,40}|[a-z]{1,5}@[a-z]{1,5}\\.[a-z]{2}|\"[^\"]{0,10}\" <a@b\\.c>",
        subject in "(?s).{0,200}",
        references in "(?s).{0,60}|(<[!-~]{1,9}>[ \r\n]{1,2}){0,5}",
        body in "(?s).{0,200}",
        filename in "(?s).{0,40}",
    ) {
        let letter = json!({"to": to, "subject": subject, "references": references, "body": body, "html": body,
            "attachments": [{"filename": filename, "base64": "aGk="}]});
        if let Ok(message) = message(letter) {
            prop_assert!(message.is_ascii());
            for header in headers(&message) {
                let name = header.split(':').next().unwrap();
                prop_assert!(["To", "Subject", "References", "MIME-Version", "Content-Type"].contains(&name), "{}", header);
            }
            prop_assert_eq!(message.matches("Content-Disposition").count(), 1);
            prop_assert!(message.len() < 20 * (to.len() + subject.len() + references.len() + body.len() + filename.len()) + 2000);
        }
    }
}
