//! Products: tools of one service that share the connection of their provider.

use std::sync::Arc;

use url::Url;

use super::file::{ProductFile, ProviderFile};
use super::problem::{Parsed, ParsedFile};
use super::{Confidence, Problem, Tool};

/// A service of a provider with tools of its own: whoever has connected the provider has connected it.
#[derive(Debug)]
pub struct Product {
    id: Arc<str>,
    name: String,
    docs: Option<Url>,
    confidence: Confidence,
    unconfirmed: Vec<String>,
    tools: Vec<Arc<Tool>>,
}

impl Product {
    /// Takes a checked file and the tools that were made of it.
    pub(super) fn new(id: Arc<str>, file: ProviderFile, tools: Vec<Arc<Tool>>) -> Self {
        Self {
            id,
            name: file.name,
            docs: file.docs,
            confidence: file.confidence,
            unconfirmed: file.unconfirmed,
            tools,
        }
    }

    /// Its id: the stem of its file. No provider and no other product has it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own documentation.
    #[must_use]
    pub fn docs(&self) -> Option<&Url> {
        self.docs.as_ref()
    }

    /// How far the file is proven.
    #[must_use]
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// The facts that no live login has confirmed yet, each a sentence.
    #[must_use]
    pub fn unconfirmed(&self) -> &[String] {
        &self.unconfirmed
    }

    pub(super) fn tools_mut(&mut self) -> &mut [Arc<Tool>] {
        &mut self.tools
    }

    /// What can be called, in the order of the file.
    #[must_use]
    pub fn tools(&self) -> &[Arc<Tool>] {
        &self.tools
    }
}

/// Gives every product what it shares with its provider; one without a provider is a problem.
pub(super) fn join(parsed: Vec<Parsed>) -> (Vec<ParsedFile>, Vec<Problem>) {
    let (mut files, mut products) = (Vec::with_capacity(parsed.len()), Vec::new());
    for one in parsed {
        match one {
            Parsed::Provider(file) => files.push(*file),
            Parsed::Product { file, id, product } => products.push((file, id, product)),
        }
    }
    let mut problems = Vec::new();
    let mut joined = Vec::with_capacity(products.len());
    let ids: Vec<&str> = products.iter().map(|(_, id, _)| id.as_str()).collect();
    let is_product = |id: &str| ids.contains(&id);
    for (file, id, product) in &products {
        let owner = files
            .iter()
            .find(|file: &&ParsedFile| file.id == product.authorization);
        match owner {
            Some(owner) => joined.push(ParsedFile {
                file: file.clone(),
                id: id.clone(),
                provider: ProductFile::clone(product).of_provider(&owner.provider),
                product_of: Some(owner.id.clone()),
            }),
            None => problems.push(without_provider(file, product, &is_product)),
        }
    }
    files.extend(joined);
    (files, problems)
}

fn without_provider(
    file: &str,
    product: &ProductFile,
    is_product: &dyn Fn(&str) -> bool,
) -> Problem {
    let named = &product.authorization;
    let message = if is_product(named) {
        format!("`{named}` is a product itself: nobody connects it")
    } else {
        format!("there is no provider `{named}` whose file can be read")
    };
    Problem {
        file: file.to_owned(),
        place: "authorization".to_owned(),
        check: "products_have_a_provider",
        message,
        remedy: "name the provider whose connection the tools use, by the name of its file"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests;
