//! The agent that a start adds: its token is derived from the master key.

use attache::identity::{Mode, Principal};

use super::{id_of, only, principal};
use crate::support::gateway::{TestGateway, clock, gateway_with_acme};
use crate::support::issuer::Issuer;
use crate::support::person::Person;
use crate::support::provider::Provider;

#[tokio::test]
async fn after_a_change_of_the_master_key_the_old_token_is_worth_nothing() {
    let (acme, gateway) = gateway_with_acme().await;
    let before = gateway.person("ana").await;
    let owner = principal(&gateway, "ana").await;
    let narrowing = only(&["acme"], true);
    let parts = gateway.app().gateway();
    parts
        .narrow_agent(&owner, &id_of(&before), &narrowing)
        .await
        .unwrap();
    parts.begin_key_rotation().await.unwrap();
    parts.finish_key_rotation().await.unwrap();

    let gateway = gateway.restart(&[&acme]).await;
    let after = gateway.person("ana").await;
    assert_ne!(before.token(), after.token());
    let before = Person::new("ana", &gateway.origin(), before.token());
    assert!(!before.is_known().await);
    assert!(after.is_known().await);
    let agents = gateway
        .app()
        .gateway()
        .agents_of(&owner)
        .await
        .unwrap()
        .agents;
    assert_eq!(agents.len(), 1, "{agents:#?}");
    assert_eq!(
        agents[0].agent.narrowing, narrowing,
        "a new token allows no more than the old one"
    );
}

/// Where people sign in with an issuer, whoever sits at the computer has a socket, and no token.
#[tokio::test]
async fn in_a_team_the_owner_of_the_computer_gets_in_by_the_socket_alone() {
    let clock = clock();
    let acme = Provider::start(&clock);
    let gateway = TestGateway::start(&clock, &[&acme]).await;
    let owner = |gateway: &TestGateway| {
        let parts = gateway.app().gateway().clone();
        async move {
            let caller = parts.startup_caller(Principal::LOCAL_ISSUER, "owner", "owner", "Yours");
            let (caller, token) = caller.await.unwrap();
            (caller, token.expose().to_owned())
        }
    };
    let (_, token) = owner(&gateway).await;
    assert!(
        Person::new("owner", &gateway.origin(), &token)
            .is_known()
            .await
    );

    let issuer = Issuer::start(&clock).await;
    for mode in [Mode::Team, Mode::Sso] {
        let gateway = TestGateway::start_configured(&clock, &[&acme], |config| {
            issuer.set_up(config);
            config.mode = mode;
        })
        .await;
        let (caller, token) = owner(&gateway).await;
        assert!(!gateway.app().gateway().accepts(&caller.principal));
        let bearer = Person::new("owner", &gateway.origin(), &token);
        assert!(!bearer.is_known().await, "{mode:?}");
    }

    // A token of before the change of mode opens nothing either, and works again after it.
    let gateway = gateway
        .restart_configured(&[&acme], |config| issuer.set_up(config))
        .await;
    let bearer = |gateway: &TestGateway| Person::new("owner", &gateway.origin(), &token);
    assert!(!bearer(&gateway).is_known().await);
    owner(&gateway).await;
    assert!(!bearer(&gateway).is_known().await);
    let gateway = gateway.restart(&[&acme]).await;
    let (_, again) = owner(&gateway).await;
    assert_eq!(again, token);
    assert!(bearer(&gateway).is_known().await);
}
