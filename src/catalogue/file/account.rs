//! `[account]`: the cheap call that proves a credential and names the account.

use http::Method;
use serde::Deserialize;

use super::request_keys::request_keys;
use crate::catalogue::ScopeRequirement;
use crate::catalogue::account::SignInFile;
use crate::catalogue::field_text::FieldText;
use crate::catalogue::request::RequestTemplate;

/// The cheap call that proves a credential and names the account.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "AccountKeys")]
pub(crate) struct AccountFile {
    /// When it is GraphQL, `id` and `label` are read in its data.
    pub(crate) request: RequestTemplate,
    /// A POST says so itself: the method cannot.
    pub(crate) read_only: bool,
    pub(crate) scopes: ScopeRequirement,
    pub(crate) id: FieldText,
    pub(crate) label: FieldText,
    pub(crate) workspace: Option<FieldText>,
    pub(crate) sign_in: SignInFile,
}

request_keys! {
    struct AccountKeys {
        read_only: Option<bool>,
        #[serde(default)]
        scopes: ScopeRequirement,
        id: FieldText,
        label: FieldText,
        workspace: Option<FieldText>,
        #[serde(default)]
        sign_in: SignInFile,
    }
}

impl TryFrom<AccountKeys> for AccountFile {
    type Error = String;

    fn try_from(mut keys: AccountKeys) -> Result<Self, String> {
        let request = RequestTemplate::parse(keys.request())
            .map_err(|problem| format!("`[account]`: {problem}"))?;
        Ok(Self {
            read_only: keys.read_only.unwrap_or(request.method == Method::GET),
            request,
            scopes: keys.scopes,
            id: keys.id,
            label: keys.label,
            workspace: keys.workspace,
            sign_in: keys.sign_in,
        })
    }
}
