//! Pages, kind by kind, and cursors that nobody gave out.

use http::{HeaderMap, Request};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A scope with a page size of two.
struct Two(Value);

impl Places for Two {
    fn value(&self, name: &str) -> Option<&Value> {
        (name == "limit").then_some(&self.0)
    }
}

fn pagination(keys: Value) -> Result<Pagination, String> {
    let keys: PaginationKeys = serde_json::from_value(keys).map_err(|error| error.to_string())?;
    Pagination::try_from(keys)
}

/// The place of the page after `body`, as `$cursor` or as parameters, when `sent` was the place of this one.
fn next(
    keys: &Value,
    sent: Option<&Cursor>,
    headers: &[(&str, &str)],
    body: &Value,
) -> Option<Cursor> {
    let pagination = pagination(keys.clone()).unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    // Only what is wanted is there to be read.
    let mut wanted = Wanted::default();
    pagination.want(&mut wanted);
    let body = wanted.read(body.to_string().as_bytes()).unwrap();
    let page = Page {
        tool: "notes_list",
        pagination: &pagination,
        sent,
    };
    let sealed = page.next(&map, &body, &Two(json!(2)))?;
    Some(
        pagination
            .open("notes_list", &sealed)
            .expect("a cursor of its own"),
    )
}

fn text(text: &str) -> Cursor {
    Cursor::Text(text.to_owned())
}

#[test]
fn a_text_of_the_reply_leads_on() {
    let keys = json!({"next": "meta.next", "more": "more"});
    assert_eq!(
        next(
            &keys,
            None,
            &[],
            &json!({"meta": {"next": "abc"}, "more": true})
        ),
        Some(text("abc"))
    );
    assert_eq!(
        next(
            &keys,
            None,
            &[],
            &json!({"meta": {"next": "abc"}, "more": false})
        ),
        None
    );
    assert_eq!(
        next(
            &keys,
            None,
            &[],
            &json!({"meta": {"next": ""}, "more": true})
        ),
        None
    );
    assert_eq!(next(&keys, None, &[], &json!({"more": true})), None);
    assert_eq!(
        next(
            &keys,
            Some(&text("abc")),
            &[],
            &json!({"meta": {"next": "abc"}, "more": true})
        ),
        None,
        "it would go round for ever"
    );
    let number = json!({"next": "after"});
    assert_eq!(
        next(&number, None, &[], &json!({"after": 20})),
        Some(Cursor::Number(20))
    );
    assert_eq!(next(&number, None, &[], &json!({"after": {"a": 1}})), None);
}

#[test]
fn parameters_of_a_link_lead_on_and_nothing_else_of_it_does() {
    let keys = json!({"next_link": {"path": "@odata.nextLink", "params": ["$skiptoken", "$skip"]}});
    let cursor = next(
        &keys,
        None,
        &[],
        &json!({"@odata.nextLink": "http://169.254.169.254/latest?$skiptoken=x%26y&admin=1"}),
    );
    assert_eq!(
        cursor,
        Some(Cursor::Parameters(vec![(
            "$skiptoken".to_owned(),
            "x&y".to_owned()
        )]))
    );
    assert_eq!(cursor.as_ref().unwrap().place(), None);
    let mut request = Request::get("https://a.example/notes?$top=5&%24skiptoken=old")
        .body(Vec::new())
        .unwrap();
    cursor.as_ref().unwrap().turn(&mut request).unwrap();
    assert_eq!(
        request.uri(),
        "https://a.example/notes?$top=5&%24skiptoken=x%26y"
    );
    assert_eq!(
        next(
            &keys,
            cursor.as_ref(),
            &[],
            &json!({"@odata.nextLink": "?$skiptoken=x%26y"})
        ),
        None
    );
    assert_eq!(
        next(
            &keys,
            None,
            &[],
            &json!({"@odata.nextLink": "https://a.example/?other=1"})
        ),
        None
    );
    let header = json!({"next_link": {"header": "Link", "params": ["page"]}});
    let link = (
        "link",
        "<https://a.example/x?page=2&per_page=9>; rel=\"next\"",
    );
    assert_eq!(
        next(&header, None, &[link], &json!([])),
        Some(Cursor::Parameters(vec![(
            "page".to_owned(),
            "2".to_owned()
        )]))
    );
    assert_eq!(next(&header, None, &[], &json!([])), None);
}

#[test]
fn page_numbers_grow_until_a_page_is_not_full() {
    let keys = json!({"page": {"items": "items", "size": "$limit"}});
    assert_eq!(
        next(&keys, None, &[], &json!({"items": [1, 2]})),
        Some(Cursor::Number(2))
    );
    assert_eq!(
        next(
            &keys,
            Some(&Cursor::Number(7)),
            &[],
            &json!({"items": [1, 2]})
        ),
        Some(Cursor::Number(8))
    );
    assert_eq!(next(&keys, None, &[], &json!({"items": [1]})), None);
    assert_eq!(
        next(
            &json!({"page": {"first": 0, "items": "."}}),
            None,
            &[],
            &json!([1])
        ),
        Some(Cursor::Number(1))
    );
    assert_eq!(
        next(&json!({"page": {"items": "."}}), None, &[], &json!([])),
        None
    );
    let more = json!({"page": {"more": "has_more"}});
    assert_eq!(
        next(&more, None, &[], &json!({"has_more": true})),
        Some(Cursor::Number(2))
    );
    assert_eq!(
        next(
            &more,
            Some(&Cursor::Number(u64::MAX)),
            &[],
            &json!({"has_more": true})
        ),
        None
    );
    let header = json!({"page": {"header": "X-Next-Page"}});
    assert_eq!(
        next(&header, None, &[("x-next-page", "2")], &json!([])),
        Some(Cursor::Number(2))
    );
    assert_eq!(
        next(
            &header,
            Some(&Cursor::Number(2)),
            &[("x-next-page", "2")],
            &json!([])
        ),
        None
    );
    assert_eq!(
        next(&header, None, &[("x-next-page", "")], &json!([])),
        None
    );
}

#[test]
fn offsets_grow_by_what_came() {
    let total = json!({"offset": {"items": "values", "total": "total"}});
    let body = json!({"values": [1, 2, 3], "total": 8});
    assert_eq!(next(&total, None, &[], &body), Some(Cursor::Number(3)));
    assert_eq!(next(&total, Some(&Cursor::Number(5)), &[], &body), None);
    assert_eq!(
        next(&total, None, &[], &json!({"values": [], "total": 8})),
        None,
        "it would go round for ever"
    );
    let last = json!({"offset": {"items": "values", "last": "isLast"}});
    assert_eq!(
        next(&last, None, &[], &json!({"values": [1], "isLast": false})),
        Some(Cursor::Number(1))
    );
    assert_eq!(
        next(&last, None, &[], &json!({"values": [1], "isLast": true})),
        None
    );
    let size = json!({"offset": {"items": "values", "size": "$limit"}});
    assert_eq!(
        next(
            &size,
            Some(&Cursor::Number(4)),
            &[],
            &json!({"values": [1, 2]})
        ),
        Some(Cursor::Number(6))
    );
    assert_eq!(next(&size, None, &[], &json!({"values": [1]})), None);
    assert_eq!(
        next(
            &size,
            Some(&Cursor::Number(u64::MAX)),
            &[],
            &json!({"values": [1, 2]})
        ),
        None
    );
}

#[test]
fn the_last_id_leads_on() {
    let keys = json!({"last_id": {"items": "data", "id": "id", "more": "has_more"}});
    let body = json!({"data": [{"id": "a"}, {"id": "b"}], "has_more": true});
    assert_eq!(next(&keys, None, &[], &body), Some(text("b")));
    assert_eq!(next(&keys, Some(&text("b")), &[], &body), None);
    assert_eq!(
        next(&keys, None, &[], &json!({"data": [], "has_more": true})),
        None
    );
    assert_eq!(
        next(
            &keys,
            None,
            &[],
            &json!({"data": [{"id": "a"}], "has_more": false})
        ),
        None
    );
}

#[test]
fn cursors_of_others_and_forged_ones_are_refused_with_a_sentence() {
    let by_text = pagination(json!({"next": "n"})).unwrap();
    let by_page = pagination(json!({"page": {"items": "."}})).unwrap();
    let by_link = pagination(json!({"next_link": {"path": "n", "params": ["page"]}})).unwrap();
    let sealed = Cursor::Text("x".to_owned())
        .seal("notes_list", &by_text.kind)
        .unwrap();
    assert_eq!(
        by_text.open("notes_list", &sealed),
        Ok(Cursor::Text("x".to_owned()))
    );
    let problem = by_text.open("notes_find", &sealed).unwrap_err();
    assert_eq!(problem.argument, "cursor");
    assert!(
        problem.message.contains("`next_cursor`"),
        "{}",
        problem.message
    );
    assert!(by_page.open("notes_list", &sealed).is_err());
    for bad in ["", "x", "AAAA", "AAAAAAAA", "eA==", &"A".repeat(100_000)] {
        assert!(by_text.open("notes_list", bad).is_err(), "{bad:.20}");
    }
    // Made with the right tag by somebody who read this file: still only what the kind can hold.
    let other = Cursor::Parameters(vec![("admin".to_owned(), "1".to_owned())]);
    assert!(
        by_link
            .open(
                "notes_list",
                &other.seal("notes_list", &by_link.kind).unwrap()
            )
            .is_err()
    );
    let zero = Cursor::Number(0).seal("notes_list", &by_page.kind).unwrap();
    assert!(by_page.open("notes_list", &zero).is_err());
    assert_eq!(
        Cursor::Number(u64::MAX).seal("notes_list", &by_page.kind),
        None
    );
    assert_eq!(
        Cursor::Text("x".repeat(5000)).seal("notes_list", &by_text.kind),
        None
    );
}

#[test]
fn malformed_tables_are_refused() {
    for bad in [
        json!({}),
        json!({"more": "m"}),
        json!({"next": "n", "page": {"items": "."}}),
        json!({"next_link": {"path": "a", "params": []}}),
        json!({"next_link": {"path": "a", "header": "Link", "params": ["p"]}}),
        json!({"next_link": {"params": ["p"]}}),
        json!({"page": {}}),
        json!({"page": {"more": "m", "size": "$limit"}}),
        json!({"page": {"items": ".", "size": "limit"}}),
        json!({"page": {"items": ".", "header": "X"}}),
        json!({"offset": {"items": "."}}),
        json!({"offset": {"items": ".", "total": "t", "last": "l"}}),
        json!({"last_id": {"items": "."}}),
        json!({"next": "n", "what": 1}),
    ] {
        assert!(pagination(bad.clone()).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_cursor_or_refused(cursor in "[A-Za-z0-9_=-]{0,60}|\\PC{0,20}", page in any::<u64>(), place in "\\PC{1,40}") {
        for keys in [json!({"next": "n"}), json!({"page": {"items": "."}}), json!({"next_link": {"path": "n", "params": ["p"]}})] {
            let pagination = pagination(keys).unwrap();
            let _ = pagination.open("notes_list", &cursor);
        }
        let by_text = pagination(json!({"next": "n"})).unwrap();
        let sealed = Cursor::Text(place.clone()).seal("t", &by_text.kind).unwrap();
        prop_assert_eq!(by_text.open("t", &sealed), Ok(Cursor::Text(place)));
        next(&json!({"offset": {"items": ".", "size": "$limit"}}), Some(&Cursor::Number(page)), &[], &json!([1, 2]));
    }
}
