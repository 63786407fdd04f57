//! Text that a provider wrote, made fit for messages, logs and pages.

use url::form_urlencoded::byte_serialize;

use crate::base::{Secret, is_invisible};

/// The longest text that is passed on, in characters.
const MAX_CHARACTERS: usize = 300;

/// `text` on one line, without control and direction-changing characters, without any of `secrets` (providers echo what
/// they were sent), and not too long.
pub(super) fn clean(text: &str, secrets: &[&Secret]) -> String {
    // Invisible characters go first, so that none can hide a secret from the search below.
    let mut visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .collect();
    for secret in secrets.iter().map(|secret| secret.expose()) {
        if !secret.is_empty() {
            let encoded: String = byte_serialize(secret.as_bytes()).collect();
            visible = visible.replace(secret, "[secret]");
            visible = visible.replace(&encoded, "[secret]");
        }
    }
    let visible = visible.trim();
    match visible.char_indices().nth(MAX_CHARACTERS) {
        None => visible.to_owned(),
        Some((end, _)) => format!("{}…", &visible[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_writes_cannot_act_on_its_reader() {
        assert_eq!(
            clean(
                "  bad\r\nX-Header: 1\u{1b}[31m \u{202e}txt.exe\u{2066}\u{200b}\u{0} ",
                &[]
            ),
            "bad  X-Header: 1[31m txt.exe"
        );
        let long = clean(&"é".repeat(10_000), &[]);
        assert_eq!(long.chars().count(), MAX_CHARACTERS + 1);
    }

    #[test]
    fn an_echoed_secret_is_withheld_however_it_is_written() {
        let (code, verifier) = (Secret::new("4/0Abc"), Secret::new("veri-fier"));
        assert_eq!(
            clean(
                "code 4/0Abc, 4%2F0Abc or veri-\u{200b}fier",
                &[&code, &verifier, &Secret::new("")]
            ),
            "code [secret], [secret] or [secret]"
        );
    }
}
