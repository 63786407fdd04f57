//! Whose key seals what, and what is still readable.

use super::*;
use crate::store::backend::Swap;
use crate::store::{MasterKey, Store, Table};

const ANA: &str = "per_00000000000000000000000004";
const BEN: &str = "per_00000000000000000000000008";

fn store() -> Store {
    let random = Random::seeded(1);
    Store::memory(MasterKey::generate(&random), random)
}

fn connections(store: &Store) -> Table<String> {
    store.table("con")
}

async fn raw(store: &Store, key: &str) -> Vec<u8> {
    store.0.backend.get(key).await.unwrap().unwrap()
}

async fn key_id(store: &Store, key: &str) -> KeyId {
    KeyId::of(&raw(store, key).await).unwrap()
}

#[test]
fn a_record_is_its_persons_or_the_houses() {
    let ours = format!("con/{ANA}/con_1");
    assert_eq!(owner_of(&ours), Owner::Person(ANA));
    assert_eq!(owner_of(&format!("per/{ANA}")), Owner::Person(ANA));
    assert_eq!(owner_of(&format!("key/{ANA}")), Owner::MasterKey);
    assert_eq!(owner_of("store/house-key"), Owner::MasterKey);
    for key in ["con/1", "man/per_1", "idp/0", "ses/0", "evt/0", "", "per"] {
        assert_eq!(owner_of(key), Owner::House, "{key}");
    }
}

#[tokio::test]
async fn each_person_has_one_key_and_the_house_another() {
    let store = store();
    for key in [
        format!("{ANA}/1"),
        format!("{ANA}/2"),
        format!("{BEN}/1"),
        "x".to_owned(),
    ] {
        connections(&store).create(&key, &key).await.unwrap();
    }
    let [one, two, other, house] = [
        key_id(&store, &format!("con/{ANA}/1")).await,
        key_id(&store, &format!("con/{ANA}/2")).await,
        key_id(&store, &format!("con/{BEN}/1")).await,
        key_id(&store, "con/x").await,
    ];
    assert_eq!(one, two);
    assert!(one != other && one != house && other != house);
    for key in [format!("{ANA}/1"), format!("{BEN}/1"), "x".to_owned()] {
        assert_eq!(
            connections(&store).get(&key).await.unwrap().unwrap().value,
            key
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_records_at_once_agree_on_one_key() {
    let store = store();
    let writes = (0..64).map(|n| {
        let table = connections(&store);
        tokio::spawn(async move { table.create(&format!("{ANA}/{n}"), &n.to_string()).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    let listed = connections(&store).list(ANA, 100).await.unwrap();
    assert_eq!(listed.whole().unwrap().len(), 64);
    let first = key_id(&store, &format!("con/{ANA}/0")).await;
    for n in 1..64 {
        assert_eq!(key_id(&store, &format!("con/{ANA}/{n}")).await, first);
    }
}

#[tokio::test]
async fn a_record_sealed_before_there_were_data_keys_is_read() {
    let store = store();
    let key = format!("use/{ANA}/1");
    let old = Seal::new(&store.0.purposes.store_key("records"), Random::System);
    let sealed = old.seal(key.as_bytes(), b"\x01\x00\"before\"");
    let put = store.0.backend.swap(&key, None, Some(&sealed)).await;
    assert_eq!(put, Ok(Swap::Done));
    let table: Table<String> = store.table("use");
    let record = table.get(&format!("{ANA}/1")).await.unwrap().unwrap();
    assert_eq!(record.value, "before");
    table.replace(&record, &"after".to_owned()).await.unwrap();
    assert_ne!(key_id(&store, &key).await, old.key_id());
}

#[tokio::test]
async fn more_people_than_the_cache_holds_are_served() {
    let store = store();
    let person = |n: u128| format!("{}/1", PersonId::from_bytes(n.to_be_bytes()));
    for n in 0..5_000 {
        let value = n.to_string();
        connections(&store)
            .create(&person(n), &value)
            .await
            .unwrap();
    }
    for n in [0, 2_500, 4_999] {
        let found = connections(&store).get(&person(n)).await.unwrap().unwrap();
        assert_eq!(found.value, n.to_string());
    }
}
