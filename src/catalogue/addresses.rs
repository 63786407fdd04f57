//! Where the requests of a provider and its products may go: base addresses by product and name, and the hosts that rule.

use std::collections::BTreeMap;

use url::Url;

use super::RenderError;
use super::file::ProviderFile;
use super::url_template::{HostTemplate, UrlTemplate, Values};
use super::variables::Pattern;

/// The name of the base address that requests use which name none.
const MAIN: &str = "";

/// The addresses of a provider and its products, with places for variables and for what connections say.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// What may be reached at all: the hosts of the provider and of its products.
    hosts: Vec<HostTemplate>,
    /// By product, and in it by name.
    bases: BTreeMap<String, BTreeMap<String, UrlTemplate>>,
    /// What is known of a connection alone, with the form that it must have.
    captured: BTreeMap<String, Pattern>,
}

/// The same, filled in and proven: every address is on one of the hosts.
#[derive(Clone, Debug, Default)]
pub(super) struct ProvenAddresses {
    pub(super) hosts: Vec<String>,
    bases: BTreeMap<String, BTreeMap<String, Url>>,
}

impl Addresses {
    /// The addresses of the provider `id` alone. `captured` are the names that only a connection has values for.
    pub(super) fn of_provider(
        id: &str,
        file: &ProviderFile,
        captured: BTreeMap<String, Pattern>,
    ) -> Self {
        let mut addresses = Self {
            captured,
            ..Self::default()
        };
        addresses.add(id, file);
        addresses
    }

    /// Adds those of a product, or of the provider itself.
    pub(super) fn add(&mut self, id: &str, file: &ProviderFile) {
        let new = file
            .host_allow
            .iter()
            .filter(|host| !self.hosts.contains(host));
        let new: Vec<_> = new.cloned().collect();
        self.hosts.extend(new);
        let main = (MAIN.to_owned(), file.base_url.clone());
        let named = file.bases.iter();
        let named = named.map(|(name, address)| (name.clone(), address.clone()));
        let bases = std::iter::once(main).chain(named).collect();
        self.bases.insert(id.to_owned(), bases);
    }

    /// Fills everything in for which there are values. What needs a captured value that is not there is left out.
    pub(super) fn prove(&self, values: &Values) -> Result<ProvenAddresses, RenderError> {
        let is_waiting =
            |name: &str| !values.contains_key(name) && self.captured.contains_key(name);
        let hosts = self
            .hosts
            .iter()
            .filter(|host| !host.variables().any(is_waiting))
            .map(|host| host.render(values))
            .collect::<Result<Vec<_>, _>>()?;
        let prove = |addresses: &BTreeMap<String, UrlTemplate>| {
            addresses
                .iter()
                .filter(|(_, address)| !address.variables().any(is_waiting))
                .map(|(name, address)| Ok((name.clone(), address.render(values, &hosts)?)))
                .collect::<Result<BTreeMap<_, _>, RenderError>>()
        };
        let bases = self
            .bases
            .iter()
            .map(|(product, addresses)| Ok((product.clone(), prove(addresses)?)))
            .collect::<Result<_, RenderError>>()?;
        Ok(ProvenAddresses { hosts, bases })
    }

    /// Adds the address of a call that lies below no base address, under a name that no file can say.
    pub(super) fn add_base(&mut self, id: &str, name: &str, address: UrlTemplate) {
        let bases = self.bases.entry(id.to_owned()).or_default();
        bases.insert(name.to_owned(), address);
    }

    /// Whether what a connection says under this name may be used; none for a name that is not known.
    pub(super) fn accepts(&self, name: &str, value: &str) -> Option<bool> {
        Some(self.captured.get(name)?.matches(value))
    }

    /// Whether this is a name that only a connection has a value for.
    pub(super) fn is_captured(&self, name: &str) -> bool {
        self.captured.contains_key(name)
    }

    /// Whether some address is made of what a connection says under this name.
    pub(super) fn is_made_of(&self, name: &str) -> bool {
        let mut addresses = self.bases.values().flat_map(BTreeMap::values);
        addresses.any(|address| address.variables().any(|one| one == name))
    }

    /// What of a connection a base address is made of.
    pub(super) fn captured_in(
        &self,
        product: &str,
        base: Option<&str>,
    ) -> impl Iterator<Item = &str> {
        let address = self.bases.get(product);
        let address = address.and_then(|bases| bases.get(base.unwrap_or(MAIN)));
        address
            .into_iter()
            .flat_map(UrlTemplate::variables)
            .filter(|name| self.captured.contains_key(*name))
    }

    /// The name whose value a base address of `product` still needs.
    pub(super) fn awaited(&self, product: &str, base: Option<&str>) -> Option<&str> {
        let address = self.bases.get(product)?.get(base.unwrap_or(MAIN))?;
        let mut names = address.variables();
        names
            .find_map(|name| self.captured.get_key_value(name))
            .map(|(name, _)| name.as_str())
    }
}

impl ProvenAddresses {
    pub(super) fn base(&self, product: &str, name: Option<&str>) -> Option<&Url> {
        self.bases.get(product)?.get(name.unwrap_or(MAIN))
    }
}
