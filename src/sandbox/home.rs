//! `GET /`: what this is, who is signed in, and which applications they let in; and taking that back.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::response::Response;
use http::HeaderMap;

use super::accounts::Account;
use super::browser::Browser;
use super::orders::Whose;
use super::pages::{Application, HomePage, Page, Refused};
use super::parameters::Parameters;
use super::scope::{Scope, ScopeSet};
use super::server::Service;
use super::state::State;

/// The page.
pub(super) async fn show(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let browser = Browser::read(&headers, &service.random);
    let now = service.clock.now();
    let (account, applications) = service
        .store
        .read(|state| {
            let account = browser.account(state, now);
            (account, account.map(|account| applications(state, account)))
        })
        .await;
    let page = HomePage {
        account,
        accounts: Account::ALL,
        applications: applications.unwrap_or_default(),
        csrf: browser.csrf(),
    };
    Page::show(&page, &browser)
}

/// The clients that `account` let in, with everything that any of its grants allows.
fn applications(state: &State, account: Account) -> Vec<Application> {
    let mut allowed: BTreeMap<&str, Vec<Scope>> = BTreeMap::new();
    for grant in state
        .grants
        .values()
        .filter(|grant| grant.account == account)
    {
        let scopes = allowed.entry(&grant.client_id).or_default();
        scopes.extend(grant.scope.iter());
    }
    let named = allowed.into_iter().filter_map(|(client_id, scopes)| {
        let client = state.clients.get(client_id)?;
        let scopes: ScopeSet = scopes.into_iter().collect();
        Some(Application {
            client_id: client_id.to_owned(),
            name: client.name.clone(),
            scopes: scopes.iter().collect(),
        })
    });
    named.collect()
}

/// `POST /take-back`: ends everything that an application may do for whoever is signed in.
pub(super) async fn take_back(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let form = Parameters::parse(&body);
    let browser = Browser::read(&headers, &service.random);
    browser.verify(&form)?;
    let client_id = form.one("client_id").unwrap_or_default();
    let now = service.clock.now();
    service
        .store
        .change(|state| {
            let account = browser.account(state, now).ok_or(Refused::ForeignForm)?;
            state.take_back(&Whose::of(client_id, account.id()));
            Ok::<_, Refused>(())
        })
        .await??;
    Ok(Page::see_other("/", &browser))
}
