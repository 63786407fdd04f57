//! The tool list in MCP's words, made once for each state of the catalogue. What differs from person to person, the
//! argument that says which of several accounts is meant, is laid over it as it is sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::ErrorData;
use rmcp::model::Tool as McpTool;

use super::account_argument::{account_choices, with_account};
use super::{Selection, builtin, convert};
use crate::base::Secret;
use crate::gateway::{AccountChoices, Gateway, Service, Services};
use crate::identity::Caller;

/// Keeps the list for the services as they are; another state of the services makes another list.
pub(super) struct ToolList {
    with_builtin: bool,
    made: Mutex<(Arc<Services>, Arc<Advertised>)>,
}

/// The tools that are offered, in a fixed order: by service, then Attache's own.
pub(super) struct Advertised {
    tools: Vec<Offered>,
    by_name: HashMap<String, usize>,
    /// Changes with the list, so that a cursor of an older list is known as one.
    fingerprint: String,
}

struct Offered {
    tool: McpTool,
    /// None for Attache's own.
    service: Option<OfService>,
}

/// Whose tool it is.
struct OfService {
    id: String,
    /// The one of its products that it belongs to; the service itself where it is of none.
    product: String,
    name: String,
    read_only: bool,
}

/// One tool, as the list sends it.
#[derive(Clone, Debug)]
pub struct AdvertisedTool {
    /// Its service, or the product of it; `attache` for Attache's own.
    pub service: String,
    /// What stands for it in the list.
    pub json: String,
}

/// What one caller is shown of the list.
pub(super) struct Shown<'a> {
    gateway: &'a Gateway,
    caller: &'a Caller,
    selection: &'a Selection,
    accounts: AccountChoices,
    /// Attache's own tools as a narrowed agent sees them; none: as they are.
    own: Option<Vec<McpTool>>,
}

impl<'a> Shown<'a> {
    pub(super) async fn new(
        gateway: &'a Gateway,
        caller: &'a Caller,
        selection: &'a Selection,
    ) -> Self {
        let is_narrowed = caller.narrowing.as_ref().is_some_and(|one| !one.is_none());
        Self {
            accounts: account_choices(gateway, caller).await,
            own: is_narrowed.then(|| own_tools(gateway, caller)),
            gateway,
            caller,
            selection,
        }
    }

    fn own(&self, tool: &McpTool) -> Option<McpTool> {
        match &self.own {
            Some(own) => own.iter().find(|one| one.name == tool.name).cloned(),
            None => Some(tool.clone()),
        }
    }
}

/// Attache's own tools for what `caller` may use.
fn own_tools(gateway: &Gateway, caller: &Caller) -> Vec<McpTool> {
    let services = gateway.services();
    let allowed = services
        .enabled()
        .filter(|service| gateway.may_use(caller, service));
    builtin::tools(&allowed.map(Service::id).collect::<Vec<_>>())
}

/// One page of the list.
pub(super) struct Page {
    pub(super) tools: Vec<McpTool>,
    pub(super) next: Option<String>,
}

impl ToolList {
    pub(super) fn new(gateway: &Gateway, with_builtin: bool) -> Self {
        let services = gateway.services();
        let advertised = Arc::new(Advertised::new(&services, with_builtin));
        Self {
            with_builtin,
            made: Mutex::new((services, advertised)),
        }
    }

    pub(super) fn current(&self, gateway: &Gateway) -> Arc<Advertised> {
        let services = gateway.services();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&made.0, &services) {
            let advertised = Advertised::new(&services, self.with_builtin);
            *made = (services, Arc::new(advertised));
        }
        Arc::clone(&made.1)
    }
}

impl Advertised {
    fn new(services: &Services, with_builtin: bool) -> Self {
        let of_services = services.enabled().flat_map(|service| {
            service.provider.tools().iter().map(|tool| Offered {
                tool: convert::tool(tool),
                service: Some(OfService {
                    id: service.id().to_owned(),
                    product: tool.product().to_owned(),
                    name: service.provider.name().to_owned(),
                    read_only: tool.hints().read_only,
                }),
            })
        });
        let enabled: Vec<_> = services.enabled().map(Service::id).collect();
        let own = with_builtin
            .then(|| builtin::tools(&enabled))
            .into_iter()
            .flatten()
            .map(|tool| Offered {
                tool,
                service: None,
            });
        let tools: Vec<_> = of_services.chain(own).collect();
        let name = |offered: &Offered| offered.tool.name.to_string();
        let names: Vec<_> = tools.iter().map(name).collect();
        let fingerprint = Secret::new(names.join("\n")).digest()[..16].to_owned();
        let by_name = names.into_iter().enumerate().map(|(at, name)| (name, at));
        Self {
            by_name: by_name.collect(),
            tools,
            fingerprint,
        }
    }

    /// The definition of a tool, whoever may see it.
    pub(super) fn find(&self, name: &str) -> Option<&McpTool> {
        Some(&self.tools[*self.by_name.get(name)?].tool)
    }

    /// Every tool, as the list sends it.
    pub(super) fn all(&self) -> Vec<AdvertisedTool> {
        let sent = |offered: &Offered| AdvertisedTool {
            service: offered
                .service
                .as_ref()
                .map_or_else(|| "attache".to_owned(), |service| service.product.clone()),
            json: serde_json::to_string(&offered.tool).unwrap_or_default(),
        };
        self.tools.iter().map(sent).collect()
    }

    /// The page that `cursor` names, the first without one; `per_page` tools at most, each as it is offered to this caller.
    ///
    /// # Errors
    /// -32602 for a cursor that is not of this list (MCP, pagination).
    pub(super) fn page(
        &self,
        shown: &Shown<'_>,
        cursor: Option<&str>,
        per_page: usize,
    ) -> Result<Page, ErrorData> {
        let begin = match cursor {
            None => 0,
            Some(cursor) => self.place(cursor)?,
        };
        let mut offered = self
            .tools
            .iter()
            .enumerate()
            .skip(begin)
            .filter_map(|(at, offered)| Some((at, offered.to(shown)?)));
        let tools = offered
            .by_ref()
            .take(per_page)
            .map(|(_, tool)| tool)
            .collect();
        let next = offered.next();
        Ok(Page {
            tools,
            next: next.map(|(at, _)| format!("{}-{at}", self.fingerprint)),
        })
    }

    fn place(&self, cursor: &str) -> Result<usize, ErrorData> {
        let place = cursor
            .split_once('-')
            .filter(|(list, _)| *list == self.fingerprint)
            .and_then(|(_, at)| at.parse().ok())
            .filter(|at| *at < self.tools.len());
        place.ok_or_else(|| {
            let message = "This cursor is not of the list as it is now; begin again without one.";
            ErrorData::invalid_params(message, None)
        })
    }
}

impl Offered {
    /// The tool as it is offered to this caller; none where it is not.
    fn to(&self, shown: &Shown<'_>) -> Option<McpTool> {
        let Some(service) = &self.service else {
            let everywhere = *shown.selection == Selection::All;
            return everywhere.then(|| shown.own(&self.tool)).flatten();
        };
        let names = [service.id.as_str(), service.product.as_str()];
        if !shown.selection.includes(names[0], names[1])
            || !shown
                .gateway
                .may_run(shown.caller, names, service.read_only)
        {
            return None;
        }
        Some(match shown.accounts.get(&service.id) {
            Some(accounts) => with_account(&self.tool, &service.name, accounts),
            None => self.tool.clone(),
        })
    }
}
