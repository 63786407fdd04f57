//! How much of a catalogue is proven: tools and fixtures of each service, counted.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Catalogue, Confidence, Evidence, FixtureFile, Provider};

/// What there is of one provider or product, and how far it is proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceCount {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The provider whose connection it uses, when it is a product.
    pub authorization: Option<String>,
    /// How many tools it has.
    pub tools: usize,
    /// How many of them change nothing.
    pub read_only: usize,
    /// Whether somebody has logged in with this very file.
    pub live: bool,
    /// How many of its facts nobody has confirmed.
    pub unconfirmed: usize,
    /// Its contract fixtures.
    pub fixtures: FixtureCount,
}

/// Contract fixtures by where their replies come from. Only documented ones are evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FixtureCount {
    /// From the provider's documentation.
    pub documented: usize,
    /// From facts that were gathered about the provider.
    pub facts: usize,
    /// Made up, in the form that the provider documents.
    pub constructed: usize,
    /// Not to be read, or without a word about it.
    pub unknown: usize,
    /// How many of the tools have at least one documented fixture.
    pub tools_documented: usize,
}

/// Every provider and product of the catalogue, by id.
#[must_use]
pub fn count_evidence(catalogue: &Catalogue, fixtures: &[FixtureFile]) -> Vec<ServiceCount> {
    let mut counts: Vec<ServiceCount> = catalogue
        .providers()
        .iter()
        .flat_map(|provider| of_provider(provider, fixtures))
        .collect();
    counts.sort_by(|a, b| a.id.cmp(&b.id));
    counts
}

fn of_provider(provider: &Provider, fixtures: &[FixtureFile]) -> Vec<ServiceCount> {
    let products = provider.products().iter().map(|product| {
        (
            product.id(),
            product.name(),
            Some(provider.id().to_owned()),
            product.confidence(),
            product.unconfirmed().len(),
        )
    });
    let own = (
        provider.id(),
        provider.name(),
        None,
        provider.confidence(),
        provider.unconfirmed().len(),
    );
    let count = |(id, name, authorization, confidence, unconfirmed): (&str, &str, _, _, _)| {
        let tools: Vec<_> = provider
            .tools()
            .iter()
            .filter(|tool| tool.product() == id)
            .collect();
        let names: BTreeSet<&str> = tools.iter().map(|tool| tool.name()).collect();
        ServiceCount {
            id: id.to_owned(),
            name: name.to_owned(),
            authorization,
            tools: tools.len(),
            read_only: tools.iter().filter(|tool| tool.hints().read_only).count(),
            live: confidence == Confidence::Live,
            unconfirmed,
            fixtures: of_fixtures(&names, fixtures.iter().filter(|file| file.owner == id)),
        }
    };
    std::iter::once(own).chain(products).map(count).collect()
}

fn of_fixtures<'f>(
    tools: &BTreeSet<&str>,
    fixtures: impl Iterator<Item = &'f FixtureFile>,
) -> FixtureCount {
    let mut count = FixtureCount::default();
    let mut documented = BTreeSet::new();
    for file in fixtures {
        match evidence(file) {
            Some(Evidence::Documented) => {
                count.documented += 1;
                let tool = file.stem.split('.').next().unwrap_or_default();
                if tools.contains(tool) {
                    documented.insert(tool);
                }
            }
            Some(Evidence::Facts) => count.facts += 1,
            Some(Evidence::Constructed) => count.constructed += 1,
            None => count.unknown += 1,
        }
    }
    count.tools_documented = documented.len();
    count
}

fn evidence(file: &FixtureFile) -> Option<Evidence> {
    #[derive(Deserialize)]
    struct Said {
        source: Evidence,
    }
    let said: Said = serde_json::from_str(&file.text).ok()?;
    Some(said.source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::starter;

    #[test]
    fn tools_and_fixtures_are_counted_by_service_and_source() {
        let catalogue = Catalogue::from_sources(vec![starter("pets").unwrap()]).unwrap();
        let fixture = |owner: &str, stem: &str, text: &str| FixtureFile {
            file: format!("{owner}/{stem}.json"),
            owner: owner.to_owned(),
            stem: stem.to_owned(),
            text: text.to_owned(),
        };
        let fixtures = [
            fixture("pets", "pets_list_items", r#"{"source": "documented"}"#),
            fixture(
                "pets",
                "pets_list_items.empty",
                r#"{"source": "documented"}"#,
            ),
            fixture("pets", "account", r#"{"source": "documented"}"#),
            fixture("pets", "pets_create_item", r#"{"source": "facts"}"#),
            fixture("pets", "error.invalid", r#"{"source": "constructed"}"#),
            fixture("pets", "error.not_found", r#"{"source": "a friend"}"#),
            fixture("cats", "cats_list", r#"{"source": "documented"}"#),
        ];
        let counted = count_evidence(&catalogue, &fixtures);
        assert_eq!(counted.len(), 1);
        let pets = &counted[0];
        assert_eq!(
            (pets.tools, pets.read_only, pets.live, pets.unconfirmed),
            (2, 1, false, 1)
        );
        assert_eq!(
            pets.fixtures,
            FixtureCount {
                documented: 3,
                facts: 1,
                constructed: 1,
                unknown: 1,
                tools_documented: 1,
            }
        );
    }
}
