//! What decides which account a call uses, as a table.

use serde_json::json;

use super::*;
use crate::base::{Random, Timestamp};
use crate::catalogue::{Account, ScopeSet};
use crate::connection::{AtProvider, ExpiredReason, GrantedBy, RevokedReason};

const EXPIRED: Status = Status::Expired {
    reason: ExpiredReason::RefusedByProvider,
};
const REVOKED: Status = Status::Revoked {
    reason: RevokedReason::DisconnectedByUser,
    at_provider: AtProvider::Confirmed,
};

/// The account `label` in `workspace`; its identifier at the provider is `id-` and the label.
fn account(label: &str, workspace: Option<&str>, status: Status) -> Connection {
    let seed = label.bytes().chain(workspace.unwrap_or_default().bytes());
    let seed = seed.fold(1, |seed: u64, byte| {
        seed.wrapping_mul(31).wrapping_add(byte.into())
    });
    let random = Random::seeded(seed);
    Connection {
        id: ConnectionId::new(&random),
        person: PersonId::new(&random),
        service: "acme".into(),
        account: Account {
            id: format!("id-{label}-{}", workspace.unwrap_or_default()),
            label: label.into(),
            workspace: workspace.map(Into::into),
        },
        granted_by: GrantedBy {
            issuer: None,
            token_endpoint: "https://acme.example/token".into(),
            client_id: "c".into(),
        },
        requested: ScopeSet::default(),
        granted: ScopeSet::default(),
        status,
        since: Timestamp::from_unix(0),
        connects: 1,
        reach: crate::catalogue::Reach::default(),
    }
}

fn rules() -> Vec<AccountRule> {
    let rule = |argument: &str, equals: &str| {
        serde_json::from_value(json!({ "argument": argument, "equals": equals })).unwrap()
    };
    vec![rule("owner", "label"), rule("team", "workspace")]
}

fn wanted(account: Option<&str>, arguments: &Value) -> Wanted<'static> {
    Wanted {
        account: account.map(Into::into),
        tenant: None,
        arguments: Cow::Owned(arguments.as_object().unwrap().clone()),
    }
}

/// The label of the account that is chosen among `known`, or what stands in the way, in a word.
fn chosen(
    known: &[Connection],
    default: Option<&Connection>,
    account: Option<&str>,
    arguments: &Value,
) -> String {
    let known: Vec<_> = known.iter().collect();
    let default = default.map(|one| &one.id);
    match choose(&known, &rules(), default, &wanted(account, arguments)) {
        Ok(one) => one.account.label.clone(),
        Err(MissingReason::NotConnected) => "not connected".into(),
        Err(MissingReason::Disconnected) => "disconnected".into(),
        Err(MissingReason::WhichAccount(which)) => match which.why {
            Unclear::NotSaid => format!("which of {}", which.accounts.len()),
            Unclear::Unknown(_) => format!("unknown, {} there", which.accounts.len()),
            Unclear::Several(_) => format!("{} fit", which.accounts.len()),
        },
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn without_a_word_only_the_only_one_or_the_default_is_used() {
    let ana = account("ana", None, Status::Active);
    let office = account("office", None, EXPIRED);
    let old = account("old", None, REVOKED);
    let older = account("older", None, REVOKED);
    let rows: &[(&[&Connection], Option<&Connection>, &str)] = &[
        (&[], None, "not connected"),
        (&[&ana], None, "ana"),
        (&[&office], None, "office"),
        (&[&old], None, "old"),
        (&[&old, &older], None, "disconnected"),
        (&[&ana, &old], None, "ana"),
        // An expired account is not slipped past, and a disconnected one is no choice.
        (&[&ana, &office], None, "which of 2"),
        (&[&ana, &office, &old], None, "which of 2"),
        (&[&ana, &office], Some(&office), "office"),
        (&[&ana, &office], Some(&ana), "ana"),
        // A default that is disconnected says nothing.
        (&[&ana, &office, &old], Some(&old), "which of 2"),
        (&[&ana, &old], Some(&old), "ana"),
    ];
    for (known, default, expected) in rows {
        let known: Vec<_> = known.iter().map(|one| (*one).clone()).collect();
        let labels: Vec<_> = known.iter().map(|one| &one.account.label).collect();
        assert_eq!(
            chosen(&known, *default, None, &json!({})),
            *expected,
            "{labels:?}"
        );
        let mut reversed = known.clone();
        reversed.reverse();
        assert_eq!(
            chosen(&reversed, *default, None, &json!({})),
            *expected,
            "the order decides nothing: {labels:?}"
        );
    }
}

#[test]
fn rules_come_before_the_default_and_the_argument_before_rules() {
    let ana = account("ana", Some("Acme"), Status::Active);
    let ben = account("ben", Some("Acme"), Status::Active);
    let cleo = account("cleo", Some("Birch"), EXPIRED);
    let known = [ana.clone(), ben.clone(), cleo.clone()];
    for (default, account, arguments, expected) in [
        (None, None, json!({"owner": "BEN"}), "ben"),
        (Some(&ana), None, json!({"owner": "ben"}), "ben"),
        (Some(&ana), None, json!({"owner": "someone"}), "ana"),
        (Some(&ana), None, json!({"owner": null}), "ana"),
        (None, None, json!({"owner": "someone"}), "which of 3"),
        (None, None, json!({"team": "birch"}), "cleo"),
        // A rule that finds several leaves only those to choose from.
        (None, None, json!({"team": "Acme"}), "which of 2"),
        (Some(&ben), None, json!({"team": "Acme"}), "ben"),
        (Some(&cleo), None, json!({"team": "Acme"}), "which of 2"),
        // The first rule that finds any decides.
        (None, None, json!({"owner": "ana", "team": "Birch"}), "ana"),
        (
            None,
            None,
            json!({"owner": "nobody", "team": "Birch"}),
            "cleo",
        ),
        (Some(&ana), Some("cleo"), json!({"owner": "ben"}), "cleo"),
    ] {
        let found = chosen(&known, default, account, &arguments);
        assert_eq!(found, expected, "{account:?} {arguments}");
    }
}

#[test]
fn an_account_is_found_by_each_of_its_names() {
    let ana = account("ana", Some("Acme"), Status::Active);
    let other = account("ana", Some("Birch"), Status::Active);
    let old = account("old", None, REVOKED);
    let known = [ana.clone(), other, old];
    let find = |said: &str| chosen(&known, None, Some(said), &json!({}));
    for said in ["ana (Acme)", "ANA (acme)", "id-ana-Acme", ana.id.as_str()] {
        assert_eq!(find(said), "ana", "{said}");
    }
    assert_eq!(find("ana"), "2 fit");
    assert_eq!(find("old"), "old", "its link says that it is disconnected");
    assert_eq!(find("nobody"), "unknown, 2 there");
    assert_eq!(chosen(&[], None, Some("ana"), &json!({})), "not connected");
    let exact = [
        account("Ana", None, Status::Active),
        account("ana", None, EXPIRED),
    ];
    assert_eq!(chosen(&exact, None, Some("ana"), &json!({})), "ana");
    assert_eq!(chosen(&exact, None, Some("ANA"), &json!({})), "2 fit");
}

#[test]
fn names_say_as_much_as_it_takes_to_tell_accounts_apart() {
    let one = account("ana", Some("Acme"), Status::Active);
    let two = account("ana", Some("Birch"), Status::Active);
    let three = account("ben", Some("Birch"), Status::Active);
    assert_eq!(names(&[&one, &three]), ["ana", "ben"]);
    assert_eq!(
        names(&[&one, &two, &three]),
        ["ana (Acme)", "ana (Birch)", "ben"]
    );
    let mut same_workspace = one.clone();
    same_workspace.account.id = "2".into();
    assert_eq!(
        names(&[&one, &same_workspace]),
        ["ana (id-ana-Acme)", "ana (2)"]
    );
    let mut same_account = one.clone();
    same_account.id = two.id.clone();
    assert_eq!(
        names(&[&one, &same_account]),
        [one.id.as_str(), two.id.as_str()]
    );
}
