//! What a grant reaches at a provider where one login opens several sites, and what is kept of a login for addresses.

use std::collections::BTreeMap;

use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::same;
use super::file::TenantsFile;
use super::plain_text::plain_text;
use super::wanted::read_whole;

/// How many tenants of one grant are kept.
const MOST_TENANTS: usize = 200;
/// How much of the name of a tenant is shown.
const LONGEST_LABEL: usize = 120;

/// One of the things that a grant reaches: a site, an organization, a company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The provider's own identifier.
    pub id: String,
    /// The name that people know it by, in one harmless line.
    pub label: String,
    /// What addresses of requests to it are made of, by name. Each has the form that the provider file demands.
    pub captured: BTreeMap<String, String>,
}

/// What is kept of a login besides its tokens: nothing secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// What the token reply or the callback said, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub captured: BTreeMap<String, String>,
    /// What the grant reaches, in the provider's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Tenant>,
}

/// Where a captured value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapturedFrom {
    /// The reply of the token endpoint to the code.
    Token,
    /// The query with which the browser came back.
    Callback,
}

/// Why the tenants of a grant could not be read. Nothing of the reply is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenantsProblem {
    /// The grant reaches nothing.
    #[error("the account that was chosen reaches nothing there")]
    None,
    /// There is no list of tenants in the reply.
    #[error("the answer holds no list of what the account reaches")]
    Unreadable,
    /// A tenant has a value that no address may be made of.
    #[error("the answer names something that no address can be made of")]
    Unusable,
}

impl Reach {
    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.captured.is_empty() && self.tenants.is_empty()
    }

    /// What addresses are made of, with that of one tenant.
    #[must_use]
    pub fn captured_with(&self, tenant: Option<&Tenant>) -> BTreeMap<String, String> {
        let mut captured = self.captured.clone();
        if let Some(tenant) = tenant {
            captured.extend(tenant.captured.clone());
        }
        captured
    }

    /// The tenant that a call means: by its id, or else by its name; case does not count. Without a word, the only one.
    ///
    /// # Errors
    /// Those there are, when it is not clear which one is meant.
    pub fn tenant(&self, said: Option<&str>) -> Result<&Tenant, WhichTenant> {
        let Some(said) = said else {
            return match self.tenants.as_slice() {
                [only] => Ok(only),
                _ => Err(self.unclear(None)),
            };
        };
        let fitting = |field: fn(&Tenant) -> &str| {
            let fits = move |one: &&Tenant| same(field(one), said);
            self.tenants.iter().filter(fits).collect::<Vec<_>>()
        };
        for found in [fitting(|one| &one.id), fitting(|one| &one.label)] {
            if let [one] = found.as_slice() {
                return Ok(one);
            }
        }
        Err(self.unclear(Some(said)))
    }

    fn unclear(&self, said: Option<&str>) -> WhichTenant {
        WhichTenant {
            said: said.map(|said| plain_text(said, LONGEST_LABEL)),
            choices: self
                .tenants
                .iter()
                .map(|one| TenantChoice {
                    id: one.id.clone(),
                    label: one.label.clone(),
                })
                .collect(),
        }
    }
}

/// It is not clear which tenant a call means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhichTenant {
    /// What the call says; none where it says nothing.
    pub said: Option<String>,
    /// Those that the connection reaches.
    pub choices: Vec<TenantChoice>,
}

/// A tenant that a call may name, by its name or its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TenantChoice {
    /// Its id.
    pub id: String,
    /// Its name.
    pub label: String,
}

impl TenantsFile {
    /// The tenants in a reply, each once: a provider may list one for each of its products.
    /// What `is_needed` for addresses must be there; what only outputs name is left out where it has another form.
    pub(super) fn read(
        &self,
        response: &Response<Vec<u8>>,
        is_needed: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Tenant>, TenantsProblem> {
        let body: Value = read_whole(response.body()).map_err(|_| TenantsProblem::Unreadable)?;
        let items = self.items.find(&body).and_then(Value::as_array);
        let mut tenants: Vec<Tenant> = Vec::new();
        for item in items.ok_or(TenantsProblem::Unreadable)? {
            let tenant = self.tenant(item, is_needed)?;
            if tenants.len() < MOST_TENANTS && !tenants.iter().any(|one| one.id == tenant.id) {
                tenants.push(tenant);
            }
        }
        if tenants.is_empty() {
            return Err(TenantsProblem::None);
        }
        Ok(tenants)
    }

    fn tenant(
        &self,
        item: &Value,
        is_needed: &dyn Fn(&str) -> bool,
    ) -> Result<Tenant, TenantsProblem> {
        let id = self.id.read(item).ok_or(TenantsProblem::Unusable)?;
        if id.is_empty() || plain_text(&id, LONGEST_LABEL) != id {
            return Err(TenantsProblem::Unusable);
        }
        let captured = self
            .captures
            .iter()
            .filter_map(|(name, capture)| {
                let value = capture.path.find_text(item);
                match value.filter(|value| capture.pattern.matches(value)) {
                    Some(value) => Some(Ok((name.clone(), value))),
                    None => is_needed(name).then_some(Err(TenantsProblem::Unusable)),
                }
            })
            .collect::<Result<_, _>>()?;
        let label = self.label.read(item).unwrap_or_default();
        let label = plain_text(&label, LONGEST_LABEL);
        Ok(Tenant {
            label: if label.is_empty() { id.clone() } else { label },
            id,
            captured,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file() -> TenantsFile {
        serde_json::from_value(json!({
            "get": "https://api.acme.example/sites", "items": ".", "id": "id", "label": "name",
            "capture": {"cloud_id": "id", "host": {"path": "host", "pattern": "[a-z]+"}, "link": {"path": "url", "pattern": "https://[a-z.]+"}},
            "argument": "site",
        }))
        .unwrap()
    }

    fn read(body: &Value) -> Result<Vec<Tenant>, TenantsProblem> {
        let is_needed = |name: &str| name != "link";
        file().read(&Response::new(body.to_string().into_bytes()), &is_needed)
    }

    #[test]
    fn every_tenant_is_kept_once() {
        let tenants = read(&json!([
            {"id": "c-1", "name": "One", "host": "one", "more": 1},
            {"id": "c-2", "name": "", "host": "two"},
            {"id": "c-1", "name": "One", "host": "one", "more": 2},
        ]))
        .unwrap();
        let names: Vec<_> = tenants.iter().map(|one| one.label.as_str()).collect();
        assert_eq!(names, ["One", "c-2"]);
        assert_eq!(tenants[0].captured["cloud_id"], "c-1");
    }

    #[test]
    fn what_only_outputs_name_may_be_missing() {
        let tenants = read(&json!([
            {"id": "c-1", "name": "One", "host": "one", "url": "https://one.example"},
            {"id": "c-2", "name": "Two", "host": "two", "url": "javascript:alert(1)"},
            {"id": "c-3", "name": "Three", "host": "three"},
        ]))
        .unwrap();
        let links: Vec<_> = tenants.iter().map(|one| one.captured.get("link")).collect();
        assert_eq!(links, [Some(&"https://one.example".to_owned()), None, None]);
    }

    #[test]
    fn what_no_address_can_be_made_of_is_refused() {
        assert_eq!(read(&json!([])), Err(TenantsProblem::None));
        assert_eq!(read(&json!({"a": []})), Err(TenantsProblem::Unreadable));
        for id in ["../x", "a/b", "", "a.b", "a@b", "a b", "{x}", "-a", "ä"] {
            let list = json!([{"id": id, "name": "n", "host": "one"}]);
            assert_eq!(read(&list), Err(TenantsProblem::Unusable), "{id}");
        }
        for host in ["One", "a.b", "", "localhost:1", "169.254.169.254"] {
            let list = json!([{"id": "c-1", "name": "n", "host": host}]);
            assert_eq!(read(&list), Err(TenantsProblem::Unusable), "{host}");
        }
        let absent = json!([{"id": "c-1", "name": "n"}]);
        assert_eq!(read(&absent), Err(TenantsProblem::Unusable));
    }

    #[test]
    fn a_call_names_a_tenant_by_id_or_name_and_is_shown_the_choices() {
        let tenant = |id: &str, label: &str| Tenant {
            id: id.to_owned(),
            label: label.to_owned(),
            captured: BTreeMap::new(),
        };
        let mut reach = Reach {
            captured: BTreeMap::new(),
            tenants: vec![
                tenant("c-1", "One"),
                tenant("c-2", "Two"),
                tenant("c-3", "two"),
            ],
        };
        let id = |reach: &Reach, said: Option<&str>| reach.tenant(said).map(|one| one.id.clone());
        assert_eq!(id(&reach, Some("ONE")).unwrap(), "c-1");
        assert_eq!(id(&reach, Some("C-3")).unwrap(), "c-3");
        for unclear in [None, Some("two"), Some("three")] {
            let which = reach.tenant(unclear).unwrap_err();
            assert_eq!(which.choices.len(), 3);
            assert_eq!(which.said.as_deref(), unclear);
        }
        reach.tenants.truncate(1);
        assert_eq!(id(&reach, None).unwrap(), "c-1");
        assert!(
            id(&reach, Some("Two")).is_err(),
            "another is never taken for it"
        );
    }
}
