//! Whose account a credential opens, and which of several accounts an argument means.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The argument with which every tool lets a caller say which account is meant. Attache takes it: no provider file has
/// an input of this name.
pub const ACCOUNT_ARGUMENT: &str = "account";

/// Whose account a credential opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The provider's own identifier: two connections with the same one are the same account.
    pub id: String,
    /// The name that people know it by, in one harmless line.
    pub label: String,
    /// Where it works: the organization, team or tenant, in one harmless line. None where the provider file names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

/// A rule of a provider file: a call with this argument runs with the account whose field says the same.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRule {
    argument: String,
    equals: AccountField,
}

/// Which parameters of an authorization request tell the provider what account is to be signed in with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInFile {
    /// Parameters that name the account that is expected, by the field that they carry (such as `login_hint`,
    /// `OpenID` Connect Core 1.0 section 3.1.2.1).
    #[serde(default)]
    pub(super) expected: BTreeMap<String, AccountField>,
    /// Constant parameters that let the person choose an account, although the browser is signed in with one.
    #[serde(default)]
    pub(super) choose: BTreeMap<String, String>,
}

impl SignInFile {
    /// The parameters for an account that is expected; without one, for whoever has another there.
    pub(super) fn params(
        &self,
        expected: Option<&Account>,
        has_another: bool,
    ) -> Vec<(String, String)> {
        let Some(account) = expected else {
            let choose = self.choose.iter().filter(|_| has_another);
            return choose
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
        };
        let named = |(name, field): (&String, &AccountField)| {
            Some((name.clone(), account.field(*field)?.to_owned()))
        };
        self.expected.iter().filter_map(named).collect()
    }
}

/// What a rule compares an argument with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountField {
    /// The provider's own identifier.
    Id,
    /// The name that people know it by.
    Label,
    /// Where it works.
    Workspace,
    /// What stands behind the `@` in a label that is an e-mail address.
    Domain,
}

impl Account {
    fn field(&self, field: AccountField) -> Option<&str> {
        match field {
            AccountField::Id => Some(&self.id),
            AccountField::Label => Some(&self.label),
            AccountField::Workspace => self.workspace.as_deref(),
            AccountField::Domain => domain(&self.label),
        }
    }

    /// Where it works, unless its label says so already.
    #[must_use]
    pub fn workspace_beside_label(&self) -> Option<&str> {
        let workspace = self.workspace.as_deref()?;
        (!self.label.contains(workspace)).then_some(workspace)
    }
}

impl AccountRule {
    /// The argument that it looks at.
    #[must_use]
    pub fn argument(&self) -> &str {
        &self.argument
    }

    /// What it compares the argument with.
    #[must_use]
    pub fn field(&self) -> AccountField {
        self.equals
    }

    /// Whether a call with these arguments means `account`. Case does not count, as it does not in names of owners and
    /// domains. An argument that is absent means nobody.
    #[must_use]
    pub fn means(&self, account: &Account, arguments: &Map<String, Value>) -> bool {
        let said = arguments.get(&self.argument).and_then(plain);
        match (said, account.field(self.equals)) {
            (Some(said), Some(field)) => same(&said, field),
            _ => false,
        }
    }
}

/// Whether two names are the same but for case.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A text or a whole number, as text: identifiers of accounts are either.
#[must_use]
pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

fn domain(label: &str) -> Option<&str> {
    let (name, domain) = label.rsplit_once('@')?;
    let whole = !name.is_empty() && !domain.is_empty();
    (whole && !label.contains(char::is_whitespace)).then_some(domain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(label: &str, workspace: Option<&str>) -> Account {
        Account {
            id: "17".into(),
            label: label.into(),
            workspace: workspace.map(Into::into),
        }
    }

    fn means(equals: AccountField, account: &Account, said: Value) -> bool {
        let rule = AccountRule {
            argument: "owner".into(),
            equals,
        };
        rule.means(account, &Map::from_iter([("owner".to_owned(), said)]))
    }

    #[test]
    fn a_rule_compares_its_argument_with_its_field_alone() {
        use AccountField::{Domain, Id, Label, Workspace};
        let ana = account("Ana@Acme.test", Some("Acme"));
        for (field, said, expected) in [
            (Label, json!("ana@acme.test"), true),
            (Label, json!("Acme"), false),
            (Workspace, json!("ACME"), true),
            (Domain, json!("acme.test"), true),
            (Domain, json!("Ana"), false),
            (Id, json!(17), true),
            (Id, json!("17"), true),
            (Id, json!(17.0), false),
            (Id, json!(null), false),
            (Id, json!(["17"]), false),
        ] {
            assert_eq!(
                means(field, &ana, said.clone()),
                expected,
                "{field:?} {said}"
            );
        }
        assert!(!means(Workspace, &account("ana", None), json!("")));
        for no_address in ["@acme.test", "ana", "ana @ Acme", "ana@"] {
            let said = json!(no_address.rsplit('@').next());
            assert!(!means(Domain, &account(no_address, None), said));
        }
    }

    #[test]
    fn the_expected_account_is_named_and_otherwise_the_person_may_choose() {
        let file = SignInFile {
            expected: BTreeMap::from([
                ("login".into(), AccountField::Label),
                ("team".into(), AccountField::Workspace),
            ]),
            choose: BTreeMap::from([("prompt".into(), "select_account".into())]),
        };
        let ana = account("ana", None);
        let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert_eq!(file.params(Some(&ana), true), pair("login", "ana"));
        assert_eq!(file.params(None, true), pair("prompt", "select_account"));
        assert!(file.params(None, false).is_empty());
    }

    #[test]
    fn a_workspace_is_said_once() {
        let beside =
            |label, workspace| account(label, workspace).workspace_beside_label().is_some();
        assert!(beside("ana", Some("Acme")));
        assert!(!beside("ana @ Acme", Some("Acme")));
        assert!(!beside("ana", None));
    }

    #[test]
    fn an_account_that_was_stored_without_a_workspace_reads_back() {
        let stored = r#"{"id":"1","label":"ana"}"#;
        let read: Account = serde_json::from_str(stored).unwrap();
        assert_eq!(read.workspace, None);
        assert_eq!(serde_json::to_string(&read).unwrap(), stored);
    }
}
