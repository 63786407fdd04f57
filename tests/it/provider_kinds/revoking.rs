//! Every kind of revocation.

use super::{Connected, at_provider};
use crate::support::provider::{Provider, Request, RevocationStyle};

/// What a disconnect takes back, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    RefreshThenAccess,
    Access,
    Refresh,
    Nothing,
}

fn taken(style: RevocationStyle) -> Taken {
    match style {
        RevocationStyle::Rfc7009
        | RevocationStyle::Anonymous
        | RevocationStyle::BearerAndField
        | RevocationStyle::Json => Taken::RefreshThenAccess,
        RevocationStyle::Bearer
        | RevocationStyle::BearerConfirmed
        | RevocationStyle::DeleteJson
        | RevocationStyle::DeleteBearer
        | RevocationStyle::DeletePath
        | RevocationStyle::JsonOwnNames
        | RevocationStyle::AccessTokenField => Taken::Access,
        RevocationStyle::RefreshTokenOnly => Taken::Refresh,
        RevocationStyle::Unsupported => Taken::Nothing,
    }
}

/// The provider judges the form of each request: one of another style is a violation and fails the test.
#[tokio::test]
async fn a_disconnect_takes_the_tokens_back_in_every_style() {
    for style in RevocationStyle::ALL {
        let connected = Connected::to(|acme| {
            acme.revokes_by(style);
        })
        .await;
        let access = connected.issued("access_token").remove(0);
        let refresh = connected.issued("refresh_token").remove(0);
        let (_, receipt) = connected.disconnect().await;
        let requests = connected.acme.revocation_requests();
        let expected: Vec<&String> = match taken(style) {
            Taken::RefreshThenAccess => vec![&refresh, &access],
            Taken::Access => vec![&access],
            Taken::Refresh => vec![&refresh],
            Taken::Nothing => vec![],
        };
        assert_eq!(requests.len(), expected.len(), "{style:?}");
        for (request, token) in requests.iter().zip(&expected) {
            assert!(holds(request, token), "{style:?}: {request:?}");
        }
        for token in expected {
            assert!(!connected.acme.takes(token), "{style:?}");
        }
        let is_unsupported = style == RevocationStyle::Unsupported;
        let expected = if is_unsupported {
            "unsupported"
        } else {
            "confirmed"
        };
        assert_eq!(at_provider(&receipt), expected, "{style:?}");
        assert_eq!(receipt.text.contains("/apps"), is_unsupported, "{style:?}");
        assert_eq!(connected.card().await, "revoked", "{style:?}");
    }
}

fn holds(request: &Request, token: &str) -> bool {
    let path = percent_encoding::percent_decode_str(&request.path).decode_utf8_lossy();
    let in_body = request.params().values().any(|value| value == token);
    in_body || request.bearer() == Some(token) || path.ends_with(token)
}

#[tokio::test]
async fn one_access_token_can_take_the_whole_grant_along() {
    for style in [
        RevocationStyle::Bearer,
        RevocationStyle::Anonymous,
        RevocationStyle::DeleteBearer,
        RevocationStyle::AccessTokenField,
    ] {
        let connected = Connected::to(|acme: &Provider| {
            acme.revokes_by(style).ends_the_grant_with_any_token();
        })
        .await;
        connected.disconnect().await;
        assert_eq!(connected.acme.live_grants_of("ana"), 0, "{style:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_dead_already_counts_as_taken_back() {
    let connected = Connected::to(|acme| {
        acme.revokes_by(RevocationStyle::Anonymous)
            .refuses_to_revoke_dead_tokens(400, "invalid_token");
    })
    .await;
    connected.acme.access_is_removed_by("ana");
    let (_, receipt) = connected.disconnect().await;
    assert_eq!(connected.acme.revocation_requests().len(), 2);
    assert_eq!(at_provider(&receipt), "confirmed", "{}", receipt.text);
}
