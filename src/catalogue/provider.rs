//! One third-party service as its file describes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Request, Response};
use serde_json::{Map, Value};
use url::Url;

use super::addresses::Addresses;
use super::arguments::Arguments;
use super::error_rules::ErrorRules;
use super::file::{OAuthFile, ProviderFile, RevokeFile, SentFile};
use super::inputs::Inputs;
use super::plain_text::plain_text;
use super::problem::ParsedFile;
use super::request::RequestTemplate;
use super::url_template::Values;
use super::variables::{Pattern, fill_in};
use super::wanted::read_whole;
use super::{
    Account, AccountRule, CapturedFrom, ClientAuth, Confidence, Inject, Introspection,
    OAuthProfile, Product, RefreshEndpoint, Refusal, RefusalKind, RenderError, Revocation,
    RevocationRequest, ScopeImplications, ScopePlan, ScopeRequirement, Setup, Tenant,
    TenantsProblem, TokenEndpoint, TokenReplyRules, Tool, Variable, VariableProblem, Variables,
};

/// How much of an account's name is shown.
const LONGEST_LABEL: usize = 120;

/// Stands for `{client_id}` while an address is proven; the `oauth` floor fills the real one in.
const CLIENT_ID_MARK: &str = "client-id-goes-here";

/// Stands for `{token}` in the same way.
const TOKEN_MARK: &str = "token-goes-here";

/// The name of the address at which the tenants of a grant are asked for; no file can say a name with a dot in it.
const TENANTS: &str = "oauth.tenants";

/// One third-party service as its file describes it.
#[derive(Debug)]
pub struct Provider {
    id: Arc<str>,
    file: ProviderFile,
    account: RequestTemplate,
    errors: Arc<ErrorRules>,
    /// All of them, those of products too.
    tools: Vec<Arc<Tool>>,
    products: Vec<Product>,
    addresses: Arc<Addresses>,
    /// The call that finds what a grant reaches.
    tenants: Option<RequestTemplate>,
}

impl Provider {
    /// Takes a checked file, and those of its products.
    pub(super) fn new(parsed: ParsedFile, products: Vec<ParsedFile>) -> Self {
        let mut file = parsed.provider;
        let id: Arc<str> = parsed.id.into();
        let mut addresses = Addresses::of_provider(&id, &file, captured_forms(&file.oauth));
        let mut tenants = file.oauth.tenants.as_ref().map(|tenants| {
            addresses.add_base(&id, TENANTS, tenants.origin.clone());
            tenants.request.clone()
        });
        if let Some(request) = &mut tenants {
            request.base = Some(TENANTS.to_owned());
            request.shared_headers = file.headers.clone();
        }
        let errors = error_rules(&mut file);
        let mut tools = tools_of(&mut file, &id, &id, &errors);
        let products = products
            .into_iter()
            .map(|mut product| {
                let product_id: Arc<str> = product.id.into();
                addresses.add(&product_id, &product.provider);
                let errors = error_rules(&mut product.provider);
                let of_product = tools_of(&mut product.provider, &id, &product_id, &errors);
                tools.extend(of_product.iter().cloned());
                Product::new(product_id, product.provider, of_product)
            })
            .collect();
        let mut account = file.account.request.clone();
        account.shared_headers = file.headers.clone();
        Self {
            id,
            file,
            account,
            errors,
            tools,
            products,
            addresses: Arc::new(addresses),
            tenants,
        }
        .with_tenant_arguments()
    }

    /// Lets every tool say which tenant is meant whose requests go to one.
    fn with_tenant_arguments(mut self) -> Self {
        let Some(tenants) = &self.file.oauth.tenants else {
            return self;
        };
        let mut changed = |tool: &mut Arc<Tool>| {
            let needs_one = tool.bases().any(|base| {
                let mut captured = self.addresses.captured_in(tool.product(), base);
                captured.any(|name| tenants.captures.contains_key(name))
            });
            if needs_one {
                *tool = Arc::new(tool.with_tenant_argument(&tenants.argument, &self.file.name));
            }
        };
        self.tools.iter_mut().for_each(&mut changed);
        for product in &mut self.products {
            product.tools_mut().iter_mut().for_each(&mut changed);
        }
        self
    }

    /// What is kept of a login for addresses: name, where it comes from, and the path or parameter.
    pub fn captures(&self) -> impl Iterator<Item = (&str, CapturedFrom, &str)> {
        let captures = self.file.oauth.capture.iter();
        captures.map(|(name, capture)| (name.as_str(), capture.from, capture.path.as_str()))
    }

    /// The call that finds what a grant reaches, without any credential; none where a grant reaches one thing.
    ///
    /// # Errors
    /// As [`Tool::begin`].
    pub fn tenants_request(
        &self,
        variables: &Variables,
    ) -> Result<Option<Request<Vec<u8>>>, RenderError> {
        self.own(variables)?;
        let arguments = Arguments {
            given: &Map::new(),
            inputs: &Inputs::default(),
        };
        let request = self.tenants.as_ref();
        request
            .map(|request| request.render(variables, &arguments, ""))
            .transpose()
    }

    /// Reads the answer to that call.
    ///
    /// # Errors
    /// What the provider refused, or why its answer cannot be used.
    pub fn read_tenants(
        &self,
        response: &Response<Vec<u8>>,
    ) -> Result<Result<Vec<Tenant>, TenantsProblem>, Refusal> {
        if let Some(refusal) = self.errors.refusal(response) {
            return Err(refusal);
        }
        let tenants = self.file.oauth.tenants.as_ref();
        let is_needed = |name: &str| self.addresses.is_made_of(name);
        Ok(tenants.map_or(Ok(Vec::new()), |tenants| tenants.read(response, &is_needed)))
    }

    /// Its id: the stem of its file.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Its own documentation.
    #[must_use]
    pub fn docs(&self) -> Option<&Url> {
        self.file.docs.as_ref()
    }

    /// What an admin must do at the provider first.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.file.setup
    }

    /// How far the file is proven.
    #[must_use]
    pub fn confidence(&self) -> Confidence {
        self.file.confidence
    }

    /// The facts that no live login has confirmed yet, each a sentence.
    #[must_use]
    pub fn unconfirmed(&self) -> &[String] {
        &self.file.unconfirmed
    }

    /// What can be called with a connection: its own tools in the order of the file, then those of its products.
    #[must_use]
    pub fn tools(&self) -> &[Arc<Tool>] {
        &self.tools
    }

    /// The services that share its connection, by id. Most providers have none.
    #[must_use]
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// The names of the products whose tools need a scope; none where only the provider itself needs it.
    pub fn products_needing(&self, scope: &str) -> impl Iterator<Item = &str> {
        let needs = move |tool: &Arc<Tool>| tool.scopes().iter().any(|named| named == scope);
        let products = self.products.iter();
        products
            .filter(move |product| product.tools().iter().any(needs))
            .map(Product::name)
    }

    /// The name for people of what a tool belongs to: a product, or the provider itself.
    #[must_use]
    pub fn name_for(&self, tool: &Tool) -> &str {
        let product = self.products.iter().find(|one| one.id() == tool.product());
        product.map_or(self.name(), Product::name)
    }

    /// What the operator must or may fill in, by name.
    #[must_use]
    pub fn variables(&self) -> &BTreeMap<String, Variable> {
        &self.file.variables
    }

    /// How a client proves itself there; [`ClientAuth::None`] needs no secret.
    #[must_use]
    pub fn client_auth(&self) -> ClientAuth {
        self.file.oauth.client_auth
    }

    /// Which scopes cover others.
    #[must_use]
    pub fn implications(&self) -> &ScopeImplications {
        &self.file.oauth.implies
    }

    /// What the account call must be granted.
    #[must_use]
    pub fn account_scopes(&self) -> &ScopeRequirement {
        &self.file.account.scopes
    }

    /// What it can be asked for, and what for which purpose.
    #[must_use]
    pub fn scope_plan(&self) -> ScopePlan<'_> {
        ScopePlan {
            oauth: &self.file.oauth,
            account: &self.file.account.scopes,
            tools: &self.tools,
        }
    }

    /// Which arguments of a call say which of several accounts is meant, in the order in which they are asked.
    #[must_use]
    pub fn account_rules(&self) -> &[AccountRule] {
        &self.file.account_rules
    }

    /// Parameters of an authorization request that tell the provider which account is to be signed in with: the one that
    /// is expected, or whichever the person chooses who `has_another` there already.
    #[must_use]
    pub fn sign_in_params(
        &self,
        expected: Option<&Account>,
        has_another: bool,
    ) -> Vec<(String, String)> {
        self.file.account.sign_in.params(expected, has_another)
    }

    /// Where the access token goes in a request.
    #[must_use]
    pub fn inject(&self) -> &Inject {
        &self.file.inject
    }

    /// Fills the variables in, and proves every address of the provider with them.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn resolve(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<Variables, Vec<VariableProblem>> {
        let values = fill_in(&self.file.variables, given)?;
        let address = |error| vec![VariableProblem::Address(error)];
        let (id, addresses) = (Arc::clone(&self.id), Arc::clone(&self.addresses));
        let variables = Variables::prove(id, addresses, values).map_err(address)?;
        self.oauth(&variables).map_err(address)?;
        Ok(variables)
    }

    /// What a scope allows, in words for people, beginning with a verb.
    #[must_use]
    pub fn scope_words(&self, scope: &str) -> Option<&str> {
        self.file.oauth.scope_words.get(scope).map(String::as_str)
    }

    /// How to speak OAuth to it.
    ///
    /// # Errors
    /// When the variables belong to another provider; those of [`Provider::resolve`] always render.
    pub fn oauth(&self, variables: &Variables) -> Result<OAuthProfile, RenderError> {
        self.own(variables)?;
        let (values, hosts) = (&variables.values, variables.hosts());
        let OAuthFile {
            issuer,
            authorize,
            token,
            ..
        } = &self.file.oauth;
        Ok(OAuthProfile {
            issuer: issuer
                .as_ref()
                .map(|issuer| issuer.render_text(values, hosts))
                .transpose()?,
            iss_required: self.file.oauth.iss_required,
            authorization_endpoint: authorize.url.render(values, hosts)?,
            authorization_params: pairs(&authorize.params),
            scope_param: authorize.scope_param().to_owned(),
            optional_scopes: self.file.oauth.optional_scopes(),
            scope_separator: authorize.scope_separator.clone(),
            scopes: self.file.oauth.scopes.clone(),
            pkce: self.file.oauth.pkce,
            callback_verification: self.file.oauth.callback.verification(),
            token: TokenEndpoint {
                url: token.url.render(values, hosts)?,
                encoding: token.encoding,
                headers: token.headers.pairs(),
                params: pairs(&token.params),
            },
            client_auth: self.file.oauth.client_auth,
            token_reply: TokenReplyRules {
                captures: self
                    .captures()
                    .filter(|(_, from, _)| *from == CapturedFrom::Token)
                    .map(|(name, _, path)| (name.to_owned(), path.to_owned()))
                    .collect(),
                ..self.file.oauth.token_reply.rules()
            },
            introspection: introspection(&self.file.oauth, values, hosts)?,
            refresh: self.file.oauth.refresh.rules(),
            refresh_endpoint: refresh_endpoint(&self.file.oauth, values, hosts)?,
            revocation: revocation(&self.file.oauth.revoke, values, hosts)?,
        })
    }

    /// The provider's own page on which a person removes the access, where the file knows it. Needs no variables: it is
    /// there for a provider that nobody has set up any more.
    #[must_use]
    pub fn removal_page(&self) -> Option<&Url> {
        self.file.oauth.revoke.manual_url()
    }

    /// The cheap call that proves a credential and names the account, without any credential.
    ///
    /// # Errors
    /// As [`Tool::begin`].
    pub fn account_request(&self, variables: &Variables) -> Result<Request<Vec<u8>>, RenderError> {
        self.own(variables)?;
        let arguments = Arguments {
            given: &Map::new(),
            inputs: &Inputs::default(),
        };
        self.account.render(variables, &arguments, "")
    }

    /// Reads the answer to the account call.
    ///
    /// # Errors
    /// What the provider refused, or that its answer names no account.
    pub fn read_account(&self, response: &Response<Vec<u8>>) -> Result<Account, Refusal> {
        if let Some(refusal) = self.errors.refusal(response) {
            return Err(refusal);
        }
        let body: Value = read_whole(response.body()).unwrap_or(Value::Null);
        let file = &self.file.account;
        let body = match &file.request.graphql {
            Some(graphql) => graphql.data.find(&body),
            None => Some(&body),
        };
        let account = body
            .and_then(|body| Some((body, file.id.read(body)?)))
            .map(|(body, id)| Account {
                label: file
                    .label
                    .read(body)
                    .map(|label| plain_text(&label, LONGEST_LABEL))
                    .filter(|label| !label.is_empty())
                    .unwrap_or_else(|| plain_text(&id, LONGEST_LABEL)),
                workspace: file
                    .workspace
                    .as_ref()
                    .and_then(|workspace| workspace.read(body))
                    .map(|workspace| plain_text(&workspace, LONGEST_LABEL))
                    .filter(|workspace| !workspace.is_empty()),
                id,
            });
        account.ok_or_else(|| Refusal {
            kind: RefusalKind::Other,
            status: response.status().as_u16(),
            message: "the provider's answer names no account".to_owned(),
            retry_after: None,
        })
    }

    fn own(&self, variables: &Variables) -> Result<(), RenderError> {
        if variables.provider == self.id {
            return Ok(());
        }
        Err(RenderError::OtherProvider {
            given: variables.provider.to_string(),
            expected: self.id.to_string(),
        })
    }
}

/// What only a connection says, with the form that it must have.
pub(super) fn captured_forms(oauth: &OAuthFile) -> BTreeMap<String, Pattern> {
    let of_login = oauth.capture.iter();
    let of_login = of_login.map(|(name, capture)| (name, &capture.pattern));
    let of_tenants = oauth.tenants.iter().flat_map(|tenants| &tenants.captures);
    let of_tenants = of_tenants.map(|(name, capture)| (name, &capture.pattern));
    of_login
        .chain(of_tenants)
        .map(|(name, pattern)| (name.clone(), pattern.clone()))
        .collect()
}

fn error_rules(file: &mut ProviderFile) -> Arc<ErrorRules> {
    Arc::new(ErrorRules::new(
        std::mem::take(&mut file.errors),
        std::mem::take(&mut file.error_text),
    ))
}

/// The tools of one file, with the headers that the file wants with every request.
fn tools_of(
    file: &mut ProviderFile,
    provider: &Arc<str>,
    product: &Arc<str>,
    errors: &Arc<ErrorRules>,
) -> Vec<Arc<Tool>> {
    let tools = std::mem::take(&mut file.tools).into_iter();
    tools
        .map(|mut tool| {
            for request in tool.requests_mut() {
                request.shared_headers = file.headers.clone();
            }
            let errors = match std::mem::take(&mut tool.errors) {
                none if none.is_empty() => Arc::clone(errors),
                own => Arc::new(errors.preceded_by(own)),
            };
            let (provider, product) = (Arc::clone(provider), Arc::clone(product));
            Arc::new(Tool::new(provider, product, tool, errors))
        })
        .collect()
}

fn pairs(params: &BTreeMap<String, String>) -> Vec<(String, String)> {
    params
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn introspection(
    file: &OAuthFile,
    values: &Values,
    hosts: &[String],
) -> Result<Option<Introspection>, RenderError> {
    let Some(introspection) = &file.introspection else {
        return Ok(None);
    };
    Ok(Some(Introspection {
        url: introspection.url.render(values, hosts)?,
        auth: introspection.auth,
    }))
}

/// The token endpoint, with what a refresh has of its own.
fn refresh_endpoint(
    file: &OAuthFile,
    values: &Values,
    hosts: &[String],
) -> Result<RefreshEndpoint, RenderError> {
    let OAuthFile { token, refresh, .. } = file;
    let url = refresh.url.as_ref().unwrap_or(&token.url);
    Ok(RefreshEndpoint {
        endpoint: TokenEndpoint {
            url: url.render(values, hosts)?,
            encoding: token.encoding,
            headers: token.headers.pairs(),
            params: pairs(&token.params)
                .into_iter()
                .filter(|(name, _)| !refresh.params.contains_key(name))
                .chain(pairs(&refresh.params))
                .collect(),
        },
        sends_scope: refresh.send.contains(&SentFile::Scope),
        sends_redirect_uri: refresh.send.contains(&SentFile::RedirectUri),
    })
}

fn revocation(
    file: &RevokeFile,
    values: &Values,
    hosts: &[String],
) -> Result<Revocation, RenderError> {
    Ok(match file {
        RevokeFile::Unsupported { manual_url } => Revocation::Unsupported {
            manual_url: manual_url.clone(),
        },
        RevokeFile::Request(request) => {
            let mut values = values.clone();
            values.insert("client_id".to_owned(), CLIENT_ID_MARK.to_owned());
            values.insert("token".to_owned(), TOKEN_MARK.to_owned());
            Revocation::Request(RevocationRequest {
                method: request.method.clone(),
                url: request
                    .url
                    .render_text(&values, hosts)?
                    .replace(CLIENT_ID_MARK, "{client_id}")
                    .replace(TOKEN_MARK, "{token}"),
                auth: request.auth,
                encoding: request.encoding,
                token_param: request.token_param.clone(),
                client_id_param: name_or(request.client_id_param.as_ref(), "client_id"),
                client_secret_param: name_or(request.client_secret_param.as_ref(), "client_secret"),
                send_hint: request.send_hint,
                tokens: request.tokens,
                success_statuses: request.success.clone(),
                confirmed_by: request.confirmed_by.clone(),
                already_dead: request.already_dead.clone(),
                reach: request.reach,
            })
        }
    })
}

fn name_or(given: Option<&String>, default: &str) -> String {
    given.map_or_else(|| default.to_owned(), Clone::clone)
}
