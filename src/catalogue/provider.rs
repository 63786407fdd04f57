//! One third-party service as its file describes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::arguments::Arguments;
use super::error_rules::ErrorRules;
use super::file::{OAuthFile, ProviderFile, RevokeFile, SentFile};
use super::inputs::Inputs;
use super::plain_text::plain_text;
use super::problem::ParsedFile;
use super::query_template::QueryTemplate;
use super::request::{RequestBody, RequestTemplate};
use super::url_template::Values;
use super::variables::fill_in;
use super::{
    ClientAuth, Confidence, OAuthProfile, RefreshEndpoint, Refusal, RefusalKind, RenderError,
    Revocation, RevocationRequest, ScopeImplications, ScopePlan, ScopeRequirement, Setup,
    TokenEndpoint, Tool, Variable, VariableProblem, Variables,
};

/// How much of an account's name is shown.
const LONGEST_LABEL: usize = 120;

/// Stands for `{client_id}` while an address is proven; the `oauth` floor fills the real one in.
const CLIENT_ID_MARK: &str = "client-id-goes-here";

/// Stands for `{token}` in the same way.
const TOKEN_MARK: &str = "token-goes-here";

/// One third-party service as its file describes it.
#[derive(Debug)]
pub struct Provider {
    id: Arc<str>,
    file: ProviderFile,
    account: RequestTemplate,
    errors: Arc<ErrorRules>,
    tools: Vec<Arc<Tool>>,
}

/// Whose account a credential opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The provider's own identifier: two connections with the same one are the same account.
    pub id: String,
    /// The name that people know it by, in one harmless line.
    pub label: String,
}

impl Provider {
    /// Takes a checked file.
    pub(super) fn new(parsed: ParsedFile) -> Self {
        let mut file = parsed.provider;
        let id: Arc<str> = parsed.id.into();
        let errors = Arc::new(ErrorRules::new(
            std::mem::take(&mut file.errors),
            std::mem::take(&mut file.error_text),
        ));
        let tools = std::mem::take(&mut file.tools)
            .into_iter()
            .map(|mut tool| {
                tool.request.headers = file.headers.overlaid_with(&tool.request.headers);
                Arc::new(Tool::new(Arc::clone(&id), tool, Arc::clone(&errors)))
            })
            .collect();
        let account = RequestTemplate {
            method: file.account.method.clone(),
            path: file.account.path.clone(),
            query: QueryTemplate::default(),
            headers: file.headers.clone(),
            body: file
                .account
                .graphql
                .as_ref()
                .map(|graphql| RequestBody::Json(graphql.body())),
        };
        Self {
            id,
            file,
            account,
            errors,
            tools,
        }
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

    /// What can be called, in the order of the file.
    #[must_use]
    pub fn tools(&self) -> &[Arc<Tool>] {
        &self.tools
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
        let hosts = self.file.host_allow.iter().map(|host| host.render(&values));
        let hosts = hosts.collect::<Result<Vec<_>, _>>().map_err(address)?;
        let base = self
            .file
            .base_url
            .render(&values, &hosts)
            .map_err(address)?;
        let variables = Variables {
            provider: Arc::clone(&self.id),
            values,
            base,
            hosts,
        };
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
        let (values, hosts) = (&variables.values, variables.hosts.as_slice());
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
            scope_param: authorize.scope_param.clone(),
            scope_separator: authorize.scope_separator.clone(),
            scopes: self.file.oauth.scopes.clone(),
            pkce: self.file.oauth.pkce,
            token: TokenEndpoint {
                url: token.url.render(values, hosts)?,
                encoding: token.encoding,
                headers: token.headers.pairs(),
                params: pairs(&token.params),
            },
            client_auth: self.file.oauth.client_auth,
            token_reply: self.file.oauth.token_reply.rules(),
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
    /// As [`Tool::render`].
    pub fn account_request(&self, variables: &Variables) -> Result<Request<Vec<u8>>, RenderError> {
        self.own(variables)?;
        let arguments = Arguments {
            given: &Map::new(),
            inputs: &Inputs::default(),
        };
        self.account.render(variables, arguments)
    }

    /// Reads the answer to the account call.
    ///
    /// # Errors
    /// What the provider refused, or that its answer names no account.
    pub fn read_account(&self, response: &Response<Vec<u8>>) -> Result<Account, Refusal> {
        if let Some(refusal) = self.errors.refusal(response) {
            return Err(refusal);
        }
        let body: Value = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        let file = &self.file.account;
        let body = match &file.graphql {
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

fn pairs(params: &BTreeMap<String, String>) -> Vec<(String, String)> {
    params
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
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
