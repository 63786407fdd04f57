//! A letter as an Internet message (RFC 5322, RFC 2045), for providers that take mail whole.
//!
//! The writing is done by `lettre`; owned here is what may go in. Nothing that was given becomes a header: every header has
//! a type that escapes it, and control characters are refused before. `From` and `Date` are left to the provider, which
//! knows whose mailbox it is and what time it is.

use data_encoding::{BASE64URL, HEXLOWER};
use lettre::message::header::{
    Bcc, Cc, ContentDisposition, ContentTransferEncoding, ContentType, Headers, InReplyTo,
    MIME_VERSION_1_0, References, Subject, To,
};
use lettre::message::{Mailbox, Mailboxes, MultiPart, SinglePart};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::TransformError;
use crate::catalogue::base64_bytes::base64_bytes;
use crate::catalogue::request_body::{LARGEST_BODY, file_name, media_type};

/// Providers refuse more recipients than this.
const MOST_RECIPIENTS: usize = 500;
/// In bytes; a subject that is longer is a body.
const LONGEST_SUBJECT: usize = 2000;
/// In bytes; a line of a message has at most 998 (RFC 5322 section 2.1.1).
const LONGEST_ID: usize = 250;
/// The first and the last of a longer thread are kept (RFC 5537 section 3.4.4).
const MOST_REFERENCES: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Letter {
    #[serde(default)]
    to: Value,
    #[serde(default)]
    cc: Value,
    #[serde(default)]
    bcc: Value,
    subject: Option<String>,
    body: Option<String>,
    html: Option<String>,
    in_reply_to: Option<String>,
    references: Option<String>,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attachment {
    filename: String,
    media_type: Option<String>,
    base64: String,
}

/// `{ to, cc, bcc, subject, body, html, in_reply_to, references, attachments }` as a message in base64url.
///
/// Recipients are a text with addresses, separated by commas, or a list of such texts; absent ones are skipped.
pub(super) fn mime_message(value: Value) -> Result<Value, TransformError> {
    let letter: Letter = serde_json::from_value(value)
        .map_err(|_| TransformError::Unfit("is not a letter with the fields of one"))?;
    letter.check_size()?;
    let mut message = letter.headers()?.to_string().into_bytes();
    message.extend(letter.content()?);
    if message.len() > LARGEST_BODY {
        return Err(TOO_LARGE);
    }
    Ok(Value::String(BASE64URL.encode(&message)))
}

const TOO_LARGE: TransformError = TransformError::TooLarge("is larger than 10 MiB as a message");

impl Letter {
    /// Before anything is decoded or written.
    fn check_size(&self) -> Result<(), TransformError> {
        let texts = [&self.body, &self.html].into_iter().flatten();
        let files = self.attachments.iter().map(|file| &file.base64);
        let size: usize = texts.chain(files).map(String::len).sum();
        if size > LARGEST_BODY {
            return Err(TOO_LARGE);
        }
        Ok(())
    }

    fn headers(&self) -> Result<Headers, TransformError> {
        let mut headers = Headers::new();
        if let Some(to) = mailboxes("to", &self.to)? {
            headers.set(To::from(to));
        }
        if let Some(cc) = mailboxes("cc", &self.cc)? {
            headers.set(Cc::from(cc));
        }
        if let Some(bcc) = mailboxes("bcc", &self.bcc)? {
            headers.set(Bcc::from(bcc));
        }
        if let Some(subject) = &self.subject {
            headers.set(Subject::from(self::subject(subject)?));
        }
        if let Some(ids) = message_ids("in_reply_to", self.in_reply_to.as_deref())? {
            headers.set(InReplyTo::from(ids));
        }
        if let Some(ids) = message_ids("references", self.references.as_deref())? {
            headers.set(References::from(ids));
        }
        headers.set(MIME_VERSION_1_0);
        Ok(headers)
    }

    /// The text, the text beside its HTML, or either of them before the attachments.
    fn content(&self) -> Result<Vec<u8>, TransformError> {
        let text = |text: &str, media_type: ContentType| {
            SinglePart::builder()
                .header(media_type)
                .header(ContentTransferEncoding::QuotedPrintable)
                .body(text.to_owned())
        };
        let plain = |body: &str| text(body, ContentType::TEXT_PLAIN);
        let html = |html: &str| text(html, ContentType::TEXT_HTML);
        let both = |body: &str, rich: &str| {
            MultiPart::alternative()
                .boundary(self.boundary("alternative"))
                .singlepart(plain(body))
                .singlepart(html(rich))
        };
        if self.attachments.is_empty() {
            return Ok(match (&self.body, &self.html) {
                (Some(body), Some(rich)) => both(body, rich).formatted(),
                (None, Some(rich)) => html(rich).formatted(),
                (body, None) => plain(body.as_deref().unwrap_or_default()).formatted(),
            });
        }
        let mixed = MultiPart::mixed().boundary(self.boundary("mixed"));
        let mut whole = match (&self.body, &self.html) {
            (Some(body), Some(rich)) => mixed.multipart(both(body, rich)),
            (None, Some(rich)) => mixed.singlepart(html(rich)),
            (body, None) => mixed.singlepart(plain(body.as_deref().unwrap_or_default())),
        };
        for attachment in &self.attachments {
            whole = whole.singlepart(attachment.part()?);
        }
        Ok(whole.formatted())
    }

    /// The same letter has the same boundary, so that a contract can be written down. `=_` occurs neither in base64 nor in
    /// quoted-printable (RFC 2045 section 6.7), the two encodings of every part.
    fn boundary(&self, part: &str) -> String {
        let mut digest = Sha256::new_with_prefix(part);
        for text in [&self.subject, &self.body, &self.html]
            .into_iter()
            .flatten()
        {
            digest.update(text);
        }
        for file in &self.attachments {
            digest.update(&file.base64);
        }
        format!("=_{}", HEXLOWER.encode(&digest.finalize()[..16]))
    }
}

impl Attachment {
    fn part(&self) -> Result<SinglePart, TransformError> {
        let unfit = |reason| TransformError::UnfitField {
            field: "attachments",
            reason,
        };
        let media_type = self
            .media_type
            .as_deref()
            .unwrap_or("application/octet-stream");
        media_type::check(media_type).map_err(unfit)?;
        file_name::check(&self.filename).map_err(unfit)?;
        let content_type = ContentType::parse(media_type)
            .map_err(|_| unfit("is no media type: write one such as `text/plain`"))?;
        let bytes = base64_bytes(&self.base64).ok_or(unfit("is not base64 (RFC 4648)"))?;
        Ok(SinglePart::builder()
            .header(content_type)
            .header(ContentDisposition::attachment(&self.filename))
            .header(ContentTransferEncoding::Base64)
            .body(bytes))
    }
}

/// The addresses of a field; nothing when there are none.
fn mailboxes(field: &'static str, value: &Value) -> Result<Option<Mailboxes>, TransformError> {
    let unfit = |reason| TransformError::UnfitField { field, reason };
    let texts = match value {
        Value::Null => return Ok(None),
        Value::String(text) => vec![text.as_str()],
        Value::Array(items) => items
            .iter()
            .filter(|item| !item.is_null())
            .map(|item| {
                item.as_str()
                    .ok_or(unfit("has an address that is not a text"))
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(unfit("is neither a text nor a list of addresses")),
    };
    let mut all = Mailboxes::new();
    let mut count = 0;
    for text in texts.into_iter().filter(|text| !text.trim().is_empty()) {
        if text.chars().any(char::is_control) {
            return Err(unfit(
                "has a line break or another control character in an address",
            ));
        }
        if text.len() > 64 * 1024 {
            return Err(unfit("has too many addresses"));
        }
        let some: Mailboxes = text
            .parse()
            .map_err(|_| unfit("has an address that is none: write `name@example.com` or `Name <name@example.com>`"))?;
        for mailbox in some {
            all.push(checked(mailbox).map_err(unfit)?);
            count += 1;
        }
    }
    if count > MOST_RECIPIENTS {
        return Err(unfit("has more than 500 addresses"));
    }
    Ok((count > 0).then_some(all))
}

/// The address itself stands in the header as it is; only its name is encoded.
fn checked(mailbox: Mailbox) -> Result<Mailbox, &'static str> {
    let address = mailbox.email.to_string();
    if address.len() <= 254 && address.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(mailbox)
    } else {
        Err("has an address with letters that an address cannot have, or one that is too long")
    }
}

fn subject(text: &str) -> Result<String, TransformError> {
    let unfit = |reason| TransformError::UnfitField {
        field: "subject",
        reason,
    };
    if text.chars().any(char::is_control) {
        return Err(unfit("has a line break or another control character in it"));
    }
    if text.len() > LONGEST_SUBJECT {
        return Err(unfit("is too long for a subject (2000 bytes)"));
    }
    Ok(text.trim().to_owned())
}

/// The ids of messages (RFC 5322 section 3.6.4). What a mail in between has mangled is left out: a thread survives a
/// reference that is missing.
fn message_ids(field: &'static str, text: Option<&str>) -> Result<Option<String>, TransformError> {
    let text = text.unwrap_or_default();
    if text
        .chars()
        .any(|c| c.is_control() && !c.is_ascii_whitespace())
    {
        return Err(TransformError::UnfitField {
            field,
            reason: "has a control character in it",
        });
    }
    let is_id = |id: &&str| {
        let inner = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
        id.len() <= LONGEST_ID
            && inner.is_some_and(|inner| {
                !inner.is_empty()
                    && inner
                        .bytes()
                        .all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte))
            })
    };
    let mut ids: Vec<&str> = text.split_ascii_whitespace().filter(is_id).collect();
    if ids.len() > MOST_REFERENCES {
        ids.drain(1..=ids.len() - MOST_REFERENCES);
    }
    Ok((!ids.is_empty()).then(|| ids.join(" ")))
}

#[cfg(test)]
mod tests;
