//! What a person is asked to allow: as little as serves the purpose.
//!
//! Pure set arithmetic over a provider file. Knows no connection: what was granted is an argument.

use std::sync::Arc;

use super::file::OAuthFile;
use super::{ScopeImplications, ScopeRequirement, ScopeSet, Tool};

/// What one provider can be asked for, and what for which purpose.
#[derive(Clone, Copy)]
pub struct ScopePlan<'a> {
    pub(super) oauth: &'a OAuthFile,
    pub(super) account: &'a ScopeRequirement,
    pub(super) tools: &'a [Arc<Tool>],
}

impl<'a> ScopePlan<'a> {
    /// What to ask for when nobody has named a tool: the default set of the file, or else what its tools that only read
    /// need; everything when that is nothing.
    #[must_use]
    pub fn by_default(self) -> ScopeSet {
        let none = ScopeSet::default();
        let set = match &self.oauth.default_scopes {
            Some(named) => self.with_tools(named, []),
            None => self.with_tools(&none, self.reading()),
        };
        if self.is_nothing(&set) {
            return self.with_tools(&none, self.all());
        }
        set
    }

    /// What to ask for so that `tools` can run: `held`, as far as the file knows it, and what they, the account call and
    /// the protocol itself need besides. What another scope of the set covers is left out.
    #[must_use]
    pub fn with_tools(
        self,
        held: &ScopeSet,
        tools: impl IntoIterator<Item = &'a Tool>,
    ) -> ScopeSet {
        self.with_needs(held, tools.into_iter().map(Tool::scopes))
    }

    /// What to ask for so that calls with these needs can run, as [`ScopePlan::with_tools`] says it.
    #[must_use]
    pub fn with_needs<'n>(
        self,
        held: &ScopeSet,
        needs: impl IntoIterator<Item = &'n ScopeRequirement>,
    ) -> ScopeSet
    where
        'a: 'n,
    {
        let implied = &self.oauth.implies;
        let needs: Vec<_> = needs.into_iter().chain([self.account]).collect();
        // What is needed in any case first: it may already hold one of those that can stand for each other.
        let (all, any): (Vec<_>, Vec<_>) = needs
            .into_iter()
            .partition(|need| !matches!(need, ScopeRequirement::Any(_)));
        let asked = all
            .into_iter()
            .chain(any)
            .fold(self.declared(held), |asked, need| {
                asked.union(&need.missing(&asked, implied))
            });
        implied.reduce(&asked).union(&self.oauth.base_scopes)
    }

    /// What to ask for so that every tool can run.
    #[must_use]
    pub fn with_all_tools(self, held: &ScopeSet) -> ScopeSet {
        self.with_tools(held, self.all())
    }

    /// Whether nothing is left of `asked` without what the protocol itself needs.
    #[must_use]
    pub fn is_nothing(self, asked: &ScopeSet) -> bool {
        asked.difference(&self.oauth.base_scopes).is_empty()
    }

    /// What tools need and `granted` does not cover.
    #[must_use]
    pub fn missing(self, granted: &ScopeSet) -> ScopeSet {
        self.all()
            .map(|tool| tool.scopes().missing(granted, &self.oauth.implies))
            .fold(ScopeSet::default(), |all, some| all.union(&some))
    }

    /// What of `asked` was not granted, neither itself nor through a wider scope. What the protocol itself needs is not
    /// counted: providers often do not name it in their replies.
    #[must_use]
    pub fn refused(self, asked: &ScopeSet, granted: &ScopeSet) -> ScopeSet {
        uncovered(asked, granted, &self.oauth.implies).difference(&self.oauth.base_scopes)
    }

    /// What was granted beyond `asked`, among the scopes that the file knows.
    #[must_use]
    pub fn beyond(self, asked: &ScopeSet, granted: &ScopeSet) -> ScopeSet {
        uncovered(&self.declared(granted), asked, &self.oauth.implies)
    }

    /// The tools that `asked` would allow to run, in some case at least, and `granted` does not in any.
    pub fn blocked(
        self,
        asked: &'a ScopeSet,
        granted: &'a ScopeSet,
    ) -> impl Iterator<Item = &'a Tool> {
        let lacks = move |tool: &Tool, held: &ScopeSet| {
            let need = tool.scopes();
            !need.is_met_in_some_case(held, &self.oauth.implies)
        };
        self.all()
            .filter(move |tool| lacks(tool, granted) && !lacks(tool, asked))
    }

    /// Which of the granted scopes let a call with this `need` run: the named ones, or the wider ones that cover them.
    #[must_use]
    pub fn used_by(self, need: &ScopeRequirement, granted: &ScopeSet) -> ScopeSet {
        self.serving(need, granted)
    }

    /// Which of the granted scopes such a call stands on, be it alone or among others: what is left without them does not
    /// let it run.
    #[must_use]
    pub fn behind(self, need: &ScopeRequirement, granted: &ScopeSet) -> ScopeSet {
        let implied = &self.oauth.implies;
        granted
            .iter()
            .filter(|held| {
                let held = ScopeSet::from_iter([*held]);
                need.iter().any(|named| implied.covers(&held, named))
            })
            .collect()
    }

    /// Which of the granted scopes the account call and the protocol itself need.
    #[must_use]
    pub fn used_always(self, granted: &ScopeSet) -> ScopeSet {
        let base = self.oauth.base_scopes.iter();
        let base: ScopeSet = base.filter(|scope| granted.contains(scope)).collect();
        self.serving(self.account, granted).union(&base)
    }

    /// Which of the granted scopes something of the file needs, whether it is used or not.
    #[must_use]
    pub fn needed(self, granted: &ScopeSet) -> ScopeSet {
        self.all()
            .map(|tool| self.used_by(tool.scopes(), granted))
            .fold(self.used_always(granted), |all, some| all.union(&some))
    }

    /// The scopes of `granted` that the file knows: nothing else is ever asked for.
    #[must_use]
    pub fn declared(self, granted: &ScopeSet) -> ScopeSet {
        let oauth = self.oauth;
        granted
            .iter()
            .filter(|scope| {
                oauth.scopes.contains(scope)
                    || oauth.base_scopes.contains(scope)
                    || oauth.implies.iter().any(|known| known == *scope)
            })
            .collect()
    }

    fn serving(self, need: &ScopeRequirement, granted: &ScopeSet) -> ScopeSet {
        let implied = &self.oauth.implies;
        let serving = |named: &str| implied.narrowest(granted, named);
        match need {
            ScopeRequirement::All(scopes) => scopes.iter().filter_map(serving).collect(),
            ScopeRequirement::ByArgument(_) => need.iter().filter_map(serving).collect(),
            ScopeRequirement::Any(scopes) => {
                let named = scopes.iter().map(String::as_str);
                let exact = named.clone().find(|scope| granted.contains(scope));
                exact
                    .or_else(|| named.clone().find_map(serving))
                    .into_iter()
                    .collect()
            }
        }
    }

    fn all(self) -> impl Iterator<Item = &'a Tool> {
        self.tools.iter().map(AsRef::as_ref)
    }

    fn reading(self) -> impl Iterator<Item = &'a Tool> {
        self.all().filter(|tool| tool.hints().read_only)
    }
}

/// The scopes of `wanted` that `held` does not cover.
fn uncovered(wanted: &ScopeSet, held: &ScopeSet, implied: &ScopeImplications) -> ScopeSet {
    wanted
        .iter()
        .filter(|scope| !implied.covers(held, scope))
        .collect()
}

#[cfg(test)]
mod tests;
