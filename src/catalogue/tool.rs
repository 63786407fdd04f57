//! One thing that an agent can call.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use super::error_rules::ErrorRules;
use super::expand::Expand;
use super::file::ToolFile;
use super::inputs::Inputs;
use super::pagination::{Cursor, Pagination};
use super::pick::Pick;
use super::poll::Poll;
use super::reply::ReplyShape;
use super::request::RequestTemplate;
use super::run::Run;
use super::scope::{CURSOR, RunScope};
use super::step::Step;
use super::{Effect, Hints, InvalidArguments, RenderError, ScopeRequirement, Variables};

/// One thing that an agent can call: what is advertised, what is sent, how the answer is read.
#[derive(Clone, Debug)]
pub struct Tool {
    provider: Arc<str>,
    product: Arc<str>,
    name: String,
    title: String,
    description: String,
    pub(super) hints: Hints,
    effects: Vec<Effect>,
    scopes: ScopeRequirement,
    inputs: Inputs,
    /// What is advertised of the inputs.
    schema: Arc<Map<String, Value>>,
    bases: Vec<Option<String>>,
    tenant_argument: Option<String>,
    pub(super) steps: Vec<Step>,
    pub(super) request: RequestTemplate,
    pub(super) expand: Option<Expand>,
    pub(super) poll: Option<Poll>,
    pub(super) pagination: Option<Pagination>,
    pub(super) reply: ReplyShape,
    pub(super) errors: Arc<ErrorRules>,
    example: Map<String, Value>,
}

impl Tool {
    /// Takes a tool of a checked file; its request already carries the provider's headers.
    pub(super) fn new(
        provider: Arc<str>,
        product: Arc<str>,
        file: ToolFile,
        errors: Arc<ErrorRules>,
    ) -> Self {
        let bases = file
            .requests()
            .map(|request| request.base.clone())
            .collect();
        Self {
            provider,
            product,
            name: file.name,
            title: file.title,
            description: file.description,
            hints: file.hints,
            effects: file.effects,
            scopes: file.scopes,
            schema: Arc::clone(file.inputs.schema()),
            bases,
            tenant_argument: None,
            inputs: file.inputs,
            steps: file.steps,
            request: file.request,
            expand: file.expand,
            poll: file.poll,
            pagination: file.pagination,
            reply: file.reply,
            errors,
            example: file.example,
        }
    }

    /// The same with an argument that says which of several tenants is meant.
    pub(super) fn with_tenant_argument(&self, argument: &str, provider: &str) -> Self {
        let mut schema = self.schema.as_ref().clone();
        let property = json!({
            "type": "string",
            "description": format!(
                "Which {argument} of {provider} is meant: its name or its id. Only needed where the connected account \
                 reaches several."
            ),
        });
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.insert(argument.to_owned(), property);
        }
        Self {
            schema: Arc::new(schema),
            tenant_argument: Some(argument.to_owned()),
            ..self.clone()
        }
    }

    /// Everything that is picked of a reply.
    pub(super) fn picks(&self) -> impl Iterator<Item = &Pick> {
        let answers = self.steps.iter().filter_map(|step| step.answers.as_ref());
        answers
            .chain(std::iter::once(&self.reply))
            .flat_map(ReplyShape::picks)
    }

    /// The names of the base addresses that its requests use; none is the main one.
    pub(super) fn bases(&self) -> impl Iterator<Item = Option<&str>> {
        self.bases.iter().map(Option::as_deref)
    }

    /// The argument with which a call says which tenant of the grant it means; none where its requests go to none. It is
    /// taken out of the arguments before [`Tool::check`].
    #[must_use]
    pub fn tenant_argument(&self) -> Option<&str> {
        self.tenant_argument.as_deref()
    }

    /// The id of its provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The id of its product; that of its provider where it is the provider's own.
    #[must_use]
    pub fn product(&self) -> &str {
        &self.product
    }

    /// Its name, unique in the catalogue; it starts with the id of its product.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it does and when to use it, for a model.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What it does to the world.
    #[must_use]
    pub fn hints(&self) -> Hints {
        self.hints
    }

    /// What policy may want to hold back.
    #[must_use]
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// What a connection must be granted.
    #[must_use]
    pub fn scopes(&self) -> &ScopeRequirement {
        &self.scopes
    }

    /// What this call needs of it.
    #[must_use]
    pub fn scopes_for(&self, arguments: &Map<String, Value>) -> Cow<'_, ScopeRequirement> {
        self.scopes.in_case(self.scopes.case(arguments))
    }

    /// The JSON Schema (2020-12) of its arguments: a closed object, properties in the order of the file.
    #[must_use]
    pub fn input_schema(&self) -> &Arc<Map<String, Value>> {
        &self.schema
    }

    /// Arguments that show how it is called.
    #[must_use]
    pub fn example(&self) -> &Map<String, Value> {
        &self.example
    }

    /// Whether the arguments fit. A null stands for an absent argument, as many clients send it.
    ///
    /// # Errors
    /// Every problem at once, each named by its argument.
    pub fn check(&self, arguments: &Map<String, Value>) -> Result<(), InvalidArguments> {
        let problems = self.inputs.check(arguments);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(InvalidArguments {
                tool: self.name.clone(),
                problems,
            })
        }
    }

    /// The arguments as they are sent: defaults filled in, nulls that stand for absent ones removed, addresses that a person
    /// copied replaced by what they are about.
    #[must_use]
    pub fn with_defaults(&self, arguments: &Map<String, Value>) -> Map<String, Value> {
        let arguments = self.inputs.normalised(arguments);
        let value =
            |name: &String| Some((name.clone(), self.inputs.value(&arguments, name)?.clone()));
        self.inputs
            .iter()
            .filter_map(|input| value(&input.name))
            .collect()
    }

    /// Begins a call with these arguments, which are checked already. `unique` is a text that no other call has: it is what
    /// a provider recognises a repetition by.
    ///
    /// # Errors
    /// When an argument would change the meaning of the first request, or the variables belong to another provider.
    pub fn begin<'t>(
        &'t self,
        variables: &Variables,
        arguments: &'t Map<String, Value>,
        unique: String,
    ) -> Result<Run<'t>, RenderError> {
        let variables = self.own(variables)?;
        let cursor = self.cursor(arguments)?;
        let place = cursor.as_ref().and_then(Cursor::place);
        let arguments = Arguments {
            given: arguments,
            inputs: &self.inputs,
        };
        let scope = RunScope::new(arguments, variables.captured(), place);
        Run::begin(self, variables, scope, cursor, unique)
    }

    /// Where in a list a call goes on from, if its arguments say so.
    fn cursor(&self, arguments: &Map<String, Value>) -> Result<Option<Cursor>, RenderError> {
        let given = arguments.get(CURSOR).and_then(Value::as_str);
        let (Some(pagination), Some(cursor)) = (&self.pagination, given) else {
            return Ok(None);
        };
        let cursor = pagination.open(&self.name, cursor);
        cursor
            .map(Some)
            .map_err(|problem| RenderError::Cursor(problem.message))
    }

    /// The variables as the requests of this tool see them.
    fn own(&self, variables: &Variables) -> Result<Variables, RenderError> {
        if variables.provider == self.provider {
            return Ok(variables.of_product(&self.product));
        }
        Err(RenderError::OtherProvider {
            given: variables.provider.to_string(),
            expected: self.provider.to_string(),
        })
    }
}
