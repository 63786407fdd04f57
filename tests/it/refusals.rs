//! What each provider's refusals are understood as, beyond the fixtures of its errors.

use attache::catalogue::{Refusal, RefusalKind, Reply};
use http::Response;
use serde_json::{Value, json};

use crate::support::catalogue::{arguments, catalogue, ends_with, play, variables};

fn refused(reply: Reply) -> Refusal {
    match reply {
        Reply::Refused(refusal) => refusal,
        Reply::Success(output) => panic!("{output:?}"),
    }
}

#[test]
fn each_refusal_of_github_is_understood() {
    let read = |status: u16, headers: &[(&str, &str)], message: &str| {
        let body = json!({"message": message, "documentation_url": "https://docs.github.com"});
        match ends_with("github_get_issue", status, headers, &body) {
            Reply::Refused(refusal) => (
                refusal.kind,
                refusal.retry_after.map(|pause| pause.as_secs()),
            ),
            Reply::Success(output) => panic!("{output:?}"),
        }
    };
    assert_eq!(
        read(401, &[], "Bad credentials"),
        (RefusalKind::TokenInvalid, None)
    );
    assert_eq!(
        read(
            403,
            &[(
                "x-github-sso",
                "required; url=https://github.com/orgs/o/sso"
            )],
            "Resource protected"
        ),
        (RefusalKind::ScopeMissing, None)
    );
    let exhausted = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1700000060"),
        ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
    ];
    assert_eq!(
        read(403, &exhausted, "API rate limit exceeded"),
        (RefusalKind::RateLimited, Some(60))
    );
    assert_eq!(
        read(
            403,
            &[("retry-after", "30")],
            "You have exceeded a secondary rate limit."
        ),
        (RefusalKind::RateLimited, Some(30))
    );
    assert_eq!(
        read(403, &[], "Resource not accessible by integration"),
        (RefusalKind::ScopeMissing, None)
    );
    assert_eq!(
        read(403, &[], "Must have admin rights"),
        (RefusalKind::Forbidden, None)
    );
    assert_eq!(read(404, &[], "Not Found"), (RefusalKind::NotFound, None));
    assert_eq!(
        read(410, &[], "Issues are disabled"),
        (RefusalKind::NotFound, None)
    );
    assert_eq!(read(409, &[], "Conflict"), (RefusalKind::Conflict, None));
    assert_eq!(
        read(422, &[], "Validation Failed"),
        (RefusalKind::Invalid, None)
    );
    assert_eq!(read(503, &[], "Unicorn"), (RefusalKind::Retryable, None));
}

#[test]
fn each_refusal_of_slack_is_understood() {
    let refused = |status: u16, body: &Value| {
        refused(ends_with(
            "slack_read_channel",
            status,
            &[("retry-after", "30")],
            body,
        ))
    };
    for (error, kind) in [
        ("invalid_auth", RefusalKind::TokenInvalid),
        ("token_revoked", RefusalKind::TokenInvalid),
        ("token_expired", RefusalKind::TokenInvalid),
        ("account_inactive", RefusalKind::TokenInvalid),
        ("not_authed", RefusalKind::TokenInvalid),
        ("user_removed_from_team", RefusalKind::TokenInvalid),
        ("missing_scope", RefusalKind::ScopeMissing),
        ("ratelimited", RefusalKind::RateLimited),
        ("channel_not_found", RefusalKind::NotFound),
        ("is_archived", RefusalKind::Conflict),
        ("internal_error", RefusalKind::Retryable),
        ("not_in_channel", RefusalKind::Invalid),
        ("something_new", RefusalKind::Invalid),
    ] {
        let refusal = refused(200, &json!({"ok": false, "error": error}));
        assert_eq!(refusal.kind, kind, "{error}");
        assert!(refusal.message.contains(error), "{refusal}");
    }
    let missing = json!({"ok": false, "error": "missing_scope", "needed": "im:history", "provided": "im:read"});
    assert_eq!(refused(200, &missing).message, "missing_scope: im:history");
    let limited = refused(429, &json!({"ok": false, "error": "ratelimited"}));
    assert_eq!(limited.kind, RefusalKind::RateLimited);
    assert_eq!(limited.retry_after.map(|pause| pause.as_secs()), Some(30));
    assert_eq!(refused(503, &json!(null)).kind, RefusalKind::Retryable);
}

#[test]
fn a_reaction_that_is_there_already_is_a_success() {
    let read = |error: &str| {
        ends_with(
            "slack_add_reaction",
            200,
            &[],
            &json!({"ok": false, "error": error}),
        )
    };
    let Reply::Success(output) = read("already_reacted") else {
        panic!("nothing was left to do")
    };
    assert_eq!(output.text, r#"{"ok":true,"already_there":true}"#);
    assert!(matches!(read("no_reaction"), Reply::Refused(_)));
    let body = json!({"ok": false, "error": "already_reacted"});
    let other = ends_with("slack_delete_message", 200, &[], &body);
    assert!(matches!(other, Reply::Refused(_)));
}

#[test]
fn each_refusal_of_linear_is_understood() {
    let headers = [
        ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("x-ratelimit-requests-reset", "1700000060000"),
    ];
    let refused = |status: u16, body: &Value| {
        refused(ends_with("linear_create_issue", status, &headers, body))
    };
    for (status, code, kind) in [
        (200, "AUTHENTICATION_ERROR", RefusalKind::TokenInvalid),
        (400, "AUTHENTICATION_ERROR", RefusalKind::TokenInvalid),
        (401, "ANYTHING", RefusalKind::TokenInvalid),
        (200, "FORBIDDEN", RefusalKind::ScopeMissing),
        (403, "FORBIDDEN", RefusalKind::ScopeMissing),
        (400, "RATELIMITED", RefusalKind::RateLimited),
        (200, "INTERNAL_SERVER_ERROR", RefusalKind::Retryable),
        (502, "ANYTHING", RefusalKind::Retryable),
        (200, "INPUT_ERROR", RefusalKind::Invalid),
        (400, "GRAPHQL_VALIDATION_FAILED", RefusalKind::Invalid),
    ] {
        let error = json!({"message": "Refused", "extensions": {"code": code, "userPresentableMessage": "Not so."}});
        let refusal = refused(status, &json!({"errors": [error], "data": null}));
        assert_eq!(refusal.kind, kind, "{status} {code}");
        assert_eq!(refusal.message, "Refused: Not so.");
    }
    let limited =
        json!({"errors": [{"message": "Rate limit", "extensions": {"code": "RATELIMITED"}}]});
    let pause = refused(400, &limited).retry_after;
    assert_eq!(pause.map(|pause| pause.as_secs()), Some(60));
    let missing = json!({"errors": [{"message": "Entity not found: Team"}], "data": null});
    assert_eq!(refused(200, &missing).kind, RefusalKind::NotFound);

    let half =
        json!({"errors": [{"message": "Timeout"}], "data": {"issueCreate": {"success": true}}});
    assert_eq!(refused(200, &half).kind, RefusalKind::Invalid);
    for silent in [
        json!({"data": {"issueCreate": {"success": false}}}),
        json!({"data": null}),
        json!({"data": {"issueCreate": null}}),
    ] {
        assert_eq!(refused(200, &silent).kind, RefusalKind::Other, "{silent}");
    }
}

/// A null would clear a field, so what is absent or null never becomes one.
#[test]
fn linear_is_sent_no_null() {
    let catalogue = catalogue();
    let (provider, tool) = catalogue.tool("linear_update_issue").unwrap();
    let arguments = arguments(json!({"id": "ENG-1", "title": "A", "assignee_id": null}));
    tool.check(&arguments).unwrap();
    let replies = [Response::new(b"{}".to_vec())];
    let (sent, _) = play(tool, &variables(provider), &arguments, &replies).unwrap();
    let body: Value = serde_json::from_slice(sent[0].body()).unwrap();
    assert_eq!(body["variables"], json!({"id": "ENG-1", "title": "A"}));
}

#[test]
fn the_last_page_has_no_cursor() {
    let body = json!({"ok": true, "members": [], "response_metadata": {"next_cursor": ""}});
    let Reply::Success(output) = ends_with("slack_list_users", 200, &[], &body) else {
        panic!("an empty page is a success")
    };
    assert_eq!(output.text, r#"{"users":[]}"#);
}

#[test]
fn the_root_of_a_repository_is_listed_when_there_is_no_path() {
    let catalogue = catalogue();
    let (provider, tool) = catalogue.tool("github_get_file_contents").unwrap();
    let arguments = arguments(json!({"owner": "octocat", "repo": "hello-world"}));
    let listing = json!({"type": "dir", "path": "", "entries": [{"name": "a.rs", "type": "file", "size": 3, "url": "x"}]});
    let replies = [Response::new(listing.to_string().into_bytes())];
    let (sent, reply) = play(tool, &variables(provider), &arguments, &replies).unwrap();
    assert_eq!(
        sent[0].uri(),
        "https://api.github.com/repos/octocat/hello-world/contents"
    );
    let Reply::Success(output) = reply else {
        panic!("a listing is a success")
    };
    assert_eq!(
        output.text,
        r#"{"type":"dir","path":"","items":[{"name":"a.rs","type":"file","size":3}]}"#
    );
}
