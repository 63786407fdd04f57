//! The catalogue: every provider by id, every tool by name.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::checks::run_checks;
use super::load::{embedded, read_directory};
use super::problem::ParsedFile;
use super::product::join;
use super::{Problem, Product, Provider, Source, Tool};

/// Everything that can be called. Built once at start, shared and never changed.
#[derive(Debug)]
pub struct Catalogue {
    providers: Vec<Arc<Provider>>,
    by_id: HashMap<String, usize>,
    by_product: HashMap<String, (usize, usize)>,
    by_tool: HashMap<String, (usize, usize)>,
}

impl Catalogue {
    /// The provider files of this release, and those of a directory of the operator. A file of the directory with the
    /// id of one of the release is a problem: nothing is shadowed silently.
    ///
    /// # Errors
    /// Every problem of every file.
    pub fn load(extra: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let mut sources = embedded();
        if let Some(directory) = extra {
            sources.extend(read_directory(directory)?);
        }
        Self::from_sources(sources)
    }

    /// A catalogue of these files.
    ///
    /// # Errors
    /// Every problem of every file: those that cannot be read, and what [`CHECKS`](super::CHECKS) find in the others.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the sources are spent: what follows holds their content as types"
    )]
    pub fn from_sources(sources: Vec<Source>) -> Result<Self, Vec<Problem>> {
        let (files, mut problems) = parse(&sources);
        problems.extend(run_checks(&files));
        if problems.is_empty() {
            Ok(Self::of(files))
        } else {
            Err(problems)
        }
    }

    fn of(files: Vec<ParsedFile>) -> Self {
        let (owners, mut products): (Vec<_>, Vec<_>) =
            files.into_iter().partition(ParsedFile::is_provider);
        products.sort_by(|a, b| a.id.cmp(&b.id));
        let mut providers: Vec<Arc<Provider>> = owners
            .into_iter()
            .map(|owner| {
                let its_own = products.extract_if(.., |product| product.is_of(&owner));
                let its_own = its_own.collect();
                Arc::new(Provider::new(owner, its_own))
            })
            .collect();
        providers.sort_by(|a, b| a.id().cmp(b.id()));
        let by_product = providers
            .iter()
            .enumerate()
            .flat_map(|(index, provider)| {
                let products = provider.products().iter().enumerate();
                products.map(move |(product, found)| (found.id().to_owned(), (index, product)))
            })
            .collect();
        let by_id = providers
            .iter()
            .enumerate()
            .map(|(index, provider)| (provider.id().to_owned(), index))
            .collect();
        let by_tool = providers
            .iter()
            .enumerate()
            .flat_map(|(index, provider)| {
                let names = provider.tools().iter().enumerate();
                names.map(move |(tool, found)| (found.name().to_owned(), (index, tool)))
            })
            .collect();
        Self {
            providers,
            by_id,
            by_product,
            by_tool,
        }
    }

    /// Every provider, by id.
    #[must_use]
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// One provider.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Arc<Provider>> {
        self.by_id.get(id).map(|index| &self.providers[*index])
    }

    /// One product and the provider whose connection it shares.
    #[must_use]
    pub fn product(&self, id: &str) -> Option<(&Arc<Provider>, &Product)> {
        let (provider, product) = *self.by_product.get(id)?;
        let provider = &self.providers[provider];
        Some((provider, &provider.products()[product]))
    }

    /// One tool and its provider, in constant time.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<(&Arc<Provider>, &Arc<Tool>)> {
        let (provider, tool) = *self.by_tool.get(name)?;
        let provider = &self.providers[provider];
        Some((provider, &provider.tools()[tool]))
    }
}

/// The files that can be read, products with what they share with their providers, and the problems of the others.
pub(super) fn parse(sources: &[Source]) -> (Vec<ParsedFile>, Vec<Problem>) {
    let mut parsed = Vec::with_capacity(sources.len());
    let mut problems = Vec::new();
    for source in sources {
        match source.parse() {
            Ok(file) => parsed.push(file),
            Err(problem) => problems.push(problem),
        }
    }
    let (files, without_provider) = join(parsed);
    problems.extend(without_provider);
    (files, problems)
}
