//! `[oauth.callback]`: what is demanded of a callback besides what every callback must have.

use serde::Deserialize;

use crate::catalogue::CallbackVerification;

/// `[oauth.callback]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbackFile {
    verify: Option<VerifyFile>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum VerifyFile {
    #[serde(rename = "shopify_hmac")]
    HmacOfQuery,
}

impl CallbackFile {
    /// The proof that a callback must carry.
    pub(crate) fn verification(&self) -> Option<CallbackVerification> {
        self.verify.map(|verify| match verify {
            VerifyFile::HmacOfQuery => CallbackVerification::HmacOfQuery,
        })
    }
}
