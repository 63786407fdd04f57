//! What a login reaches: what its replies say that addresses are made of, and the tenants of its grant.

use std::collections::BTreeMap;

use super::{CallbackParameters, ConnectError};
use crate::catalogue::{CapturedFrom, Tenant, TenantsProblem, Variables};
use crate::gateway::{Fault, Gateway, Ready, Service};
use crate::oauth::TokenReply;
use crate::upstream::{self, Manner};

impl Gateway {
    /// What the callback and the token reply say that addresses are made of, and the variables with it: every value has
    /// the form that the provider file demands, and leads to an allowed host.
    pub(super) fn captured(
        service: &Service,
        ready: &Ready,
        parameters: &CallbackParameters,
        reply: &TokenReply,
    ) -> Result<(BTreeMap<String, String>, Variables), ConnectError> {
        let mut captured = BTreeMap::new();
        for (name, from, place) in service.provider.captures() {
            let value = match from {
                CapturedFrom::Token => reply.captured.get(name).map(String::as_str),
                CapturedFrom::Callback => parameters.other(place),
            };
            let value = value.ok_or_else(|| {
                let message =
                    format!("its answer does not say `{place}`, which addresses are made of");
                trouble(service, message)
            })?;
            captured.insert(name.to_owned(), value.to_owned());
        }
        let variables = ready
            .variables
            .with_captured(&captured)
            .map_err(|error| trouble(service, error.to_string()))?;
        Ok((captured, variables))
    }

    /// Asks what the grant reaches, where the provider has several things to reach.
    pub(super) async fn tenants(
        &self,
        service: &Service,
        variables: &Variables,
        reply: &TokenReply,
    ) -> Result<Vec<Tenant>, ConnectError> {
        let request = service.provider.tenants_request(variables);
        let request = request.map_err(|error| Fault::Catalogue(error.to_string()))?;
        let Some(request) = request else {
            return Ok(Vec::new());
        };
        let manner = Manner {
            inject: Some(service.provider.inject()),
            redirect: None,
        };
        let response = upstream::send(&self.parts.egress, request, &reply.access_token, manner)
            .await
            .map_err(|error| trouble(service, error.to_string()))?;
        let tenants = service
            .provider
            .read_tenants(&response)
            .map_err(|refusal| trouble(service, refusal.message))?;
        let tenants = tenants.map_err(|problem| match problem {
            TenantsProblem::None => ConnectError::NoTenant {
                service: service.provider.name().to_owned(),
            },
            problem => trouble(service, problem.to_string()),
        })?;
        // What leads elsewhere is refused now, and not when it is used.
        for tenant in &tenants {
            variables
                .with_captured(&tenant.captured)
                .map_err(|error| trouble(service, error.to_string()))?;
        }
        Ok(tenants)
    }
}

fn trouble(service: &Service, message: String) -> ConnectError {
    ConnectError::ProviderTrouble {
        service: service.provider.name().to_owned(),
        message,
    }
}
