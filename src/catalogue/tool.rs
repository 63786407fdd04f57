//! One thing that an agent can call.

use std::sync::Arc;

use http::{Request, Response};
use serde_json::{Map, Value};

use super::arguments::Arguments;
use super::error_rules::ErrorRules;
use super::file::ToolFile;
use super::inputs::Inputs;
use super::reply::ReplyShape;
use super::request::RequestTemplate;
use super::{Effect, Hints, InvalidArguments, RenderError, Reply, ScopeRequirement, Variables};

/// One thing that an agent can call: what is advertised, what is sent, how the answer is read.
#[derive(Debug)]
pub struct Tool {
    provider: Arc<str>,
    name: String,
    title: String,
    description: String,
    hints: Hints,
    effects: Vec<Effect>,
    scopes: ScopeRequirement,
    inputs: Inputs,
    request: RequestTemplate,
    reply: ReplyShape,
    errors: Arc<ErrorRules>,
    example: Map<String, Value>,
}

impl Tool {
    /// Takes a tool of a checked file; its request already carries the provider's headers.
    pub(super) fn new(provider: Arc<str>, file: ToolFile, errors: Arc<ErrorRules>) -> Self {
        Self {
            provider,
            name: file.name,
            title: file.title,
            description: file.description,
            hints: file.hints,
            effects: file.effects,
            scopes: file.scopes,
            inputs: file.inputs,
            request: file.request,
            reply: file.reply,
            errors,
            example: file.example,
        }
    }

    /// The id of its provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Its name, unique in the catalogue; it starts with the id of its provider.
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

    /// The JSON Schema (2020-12) of its arguments: a closed object, properties in the order of the file.
    #[must_use]
    pub fn input_schema(&self) -> &Arc<Map<String, Value>> {
        self.inputs.schema()
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

    /// The arguments as they are sent: defaults filled in, nulls that stand for absent ones removed.
    #[must_use]
    pub fn with_defaults(&self, arguments: &Map<String, Value>) -> Map<String, Value> {
        let value =
            |name: &String| Some((name.clone(), self.inputs.value(arguments, name)?.clone()));
        self.inputs
            .iter()
            .filter_map(|input| value(&input.name))
            .collect()
    }

    /// The request, without any credential. Defaults are filled in. Arguments never change scheme, host, port or the
    /// number of path segments that the template promises.
    ///
    /// # Errors
    /// When an argument would change the meaning of the address, or the variables belong to another provider.
    pub fn render(
        &self,
        variables: &Variables,
        arguments: &Map<String, Value>,
    ) -> Result<Request<Vec<u8>>, RenderError> {
        if variables.provider != self.provider {
            return Err(RenderError::OtherProvider {
                given: variables.provider.to_string(),
                expected: self.provider.to_string(),
            });
        }
        let arguments = Arguments {
            given: arguments,
            inputs: &self.inputs,
        };
        self.request.render(variables, arguments)
    }

    /// What the provider's answer means.
    #[must_use]
    pub fn read(&self, response: &Response<Vec<u8>>) -> Reply {
        self.reply.read(response, &self.errors)
    }
}
