//! Every kind of refresh.

use std::time::Duration;

use super::Connected;
use crate::support::provider::{ClientProof, Provider, REFRESH_PATH, Request};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const REDIRECT_URI: &str = "/oauth/callback/acme";

/// Which refresh token a refresh presents, counted from the first that was issued.
type Presented = [usize; 3];

/// The first one, every time.
const SAME: Presented = [0, 0, 0];
/// The one that the refresh before brought.
const NEWEST: Presented = [0, 1, 2];

/// A kind of provider at which access can be renewed for ever.
struct Kind {
    name: &'static str,
    provider: fn(&Provider),
    presented: Presented,
    /// What is special about each refresh that arrives.
    holds: fn(&Request) -> bool,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "refresh tokens are kept",
        provider: |acme| {
            acme.keeps_refresh_tokens();
        },
        presented: SAME,
        holds: is_plain,
    },
    Kind {
        name: "the reply repeats the refresh token",
        provider: |acme| {
            acme.keeps_refresh_tokens().repeats_refresh_tokens();
        },
        presented: SAME,
        holds: is_plain,
    },
    Kind {
        name: "refresh tokens rotate",
        provider: |acme| {
            acme.rotates_refresh_tokens();
        },
        presented: NEWEST,
        holds: is_plain,
    },
    Kind {
        name: "refresh tokens rotate at times",
        provider: |acme| {
            acme.rotates_refresh_tokens_at_times();
        },
        presented: [0, 0, 1],
        holds: is_plain,
    },
    Kind {
        name: "refresh tokens are added",
        provider: |acme| {
            acme.adds_refresh_tokens();
        },
        presented: NEWEST,
        holds: is_plain,
    },
    Kind {
        name: "spent refresh tokens have a grace",
        provider: |acme| {
            acme.accepts_spent_refresh_tokens_for(HOUR);
        },
        presented: NEWEST,
        holds: is_plain,
    },
    Kind {
        name: "a refresh ends the access tokens before it",
        provider: |acme| {
            acme.rotates_refresh_tokens()
                .ends_access_tokens_at_refresh();
        },
        presented: NEWEST,
        holds: is_plain,
    },
    Kind {
        name: "use puts the end of a refresh token off",
        provider: |acme| {
            acme.keeps_refresh_tokens()
                .unused_refresh_tokens_last(2 * HOUR);
        },
        presented: SAME,
        holds: is_plain,
    },
    Kind {
        name: "refreshes have an address of their own",
        provider: |acme| {
            acme.rotates_refresh_tokens().refreshes_elsewhere();
        },
        presented: NEWEST,
        holds: |request| request.path == REFRESH_PATH,
    },
    Kind {
        name: "refreshes need a further parameter",
        provider: |acme| {
            acme.wants_at_refresh("expires_in", "3600");
        },
        presented: SAME,
        holds: |request| request.param("expires_in").as_deref() == Some("3600"),
    },
    Kind {
        name: "refreshes name the scopes",
        provider: |acme| {
            acme.wants_the_scope_at_refresh();
        },
        presented: SAME,
        holds: |request| request.param("scope").is_some(),
    },
    Kind {
        name: "refreshes repeat the redirect URI",
        provider: |acme| {
            acme.wants_the_redirect_uri_at_refresh();
        },
        presented: SAME,
        holds: |request| {
            let redirect_uri = request.param("redirect_uri");
            redirect_uri.is_some_and(|uri| uri.ends_with(REDIRECT_URI))
        },
    },
    Kind {
        name: "the client stands in the header",
        provider: |acme| {
            acme.authenticates_clients_by(ClientProof::Header);
        },
        presented: SAME,
        holds: is_plain,
    },
    Kind {
        name: "the client stands in the body",
        provider: |acme| {
            acme.authenticates_clients_by(ClientProof::Body);
        },
        presented: SAME,
        holds: |request| request.param("client_secret").is_some(),
    },
    Kind {
        name: "the client has no secret",
        provider: |acme| {
            acme.authenticates_clients_by(ClientProof::Nothing);
        },
        presented: SAME,
        holds: |request| {
            request.param("client_id").is_some() && request.param("client_secret").is_none()
        },
    },
    Kind {
        name: "the secret is the user",
        provider: |acme| {
            acme.authenticates_clients_by(ClientProof::SecretAsUser);
        },
        presented: SAME,
        holds: is_plain,
    },
    Kind {
        name: "requests are JSON",
        provider: |acme| {
            acme.wants_json_token_requests();
        },
        presented: SAME,
        holds: |request| request.body.starts_with('{'),
    },
    Kind {
        name: "requests stand in the query",
        provider: |acme| {
            acme.rotates_refresh_tokens()
                .wants_token_requests_in_the_query()
                .authenticates_clients_by(ClientProof::Body);
        },
        presented: NEWEST,
        holds: |request| {
            let names = ["grant_type", "refresh_token", "client_id", "client_secret"];
            let pairs = request.query_pairs();
            let named = |name: &&str| pairs.iter().filter(|(given, _)| given == name).count() == 1;
            request.body.is_empty() && pairs.len() == names.len() && names.iter().all(named)
        },
    },
    Kind {
        name: "replies are forms that are called web pages",
        provider: |acme| {
            acme.rotates_refresh_tokens()
                .replies_with_forms_called_web_pages();
        },
        presented: NEWEST,
        holds: |request| {
            is_plain(request)
                && request.header("accept") == Some("application/x-www-form-urlencoded")
        },
    },
    Kind {
        name: "whoever asks learns how long access tokens live",
        provider: |acme| {
            acme.rotates_refresh_tokens().tells_lifetimes_when_asked();
        },
        presented: NEWEST,
        holds: is_plain,
    },
    Kind {
        name: "replies are forms",
        provider: |acme| {
            acme.replies_with_forms();
        },
        presented: SAME,
        holds: is_plain,
    },
    Kind {
        name: "the tokens of a code are nested",
        provider: |acme| {
            acme.rotates_refresh_tokens().nests_the_tokens_of_a_code();
        },
        presented: NEWEST,
        holds: is_plain,
    },
    Kind {
        name: "replies say how long the refresh token lives",
        provider: |acme| {
            acme.rotates_refresh_tokens()
                .refresh_tokens_last(2 * HOUR)
                .says_when_refresh_tokens_expire("x_refresh_token_expires_in");
        },
        presented: NEWEST,
        holds: is_plain,
    },
    Kind {
        name: "only the documentation says how long access tokens live",
        provider: |acme| {
            acme.documents_the_lifetime(HOUR);
        },
        presented: SAME,
        holds: is_plain,
    },
    Kind {
        name: "scopes come back rewritten",
        provider: |acme| {
            acme.rewrites_scopes();
        },
        presented: SAME,
        holds: is_plain,
    },
];

/// RFC 6749 section 6, with the client in the header.
fn is_plain(request: &Request) -> bool {
    let params = request.params();
    let names: Vec<_> = params.keys().map(String::as_str).collect();
    request.path == "/token"
        && names == ["grant_type", "refresh_token"]
        && request
            .header("authorization")
            .is_some_and(|value| value.starts_with("Basic "))
}

#[tokio::test]
async fn access_is_renewed_at_every_kind_of_provider() {
    for kind in KINDS {
        let connected = Connected::to(kind.provider).await;
        for refreshes in 1..=kind.presented.len() {
            connected.gateway.clock().advance(HOUR);
            let api_requests = connected.acme.api_requests().len();
            connected.assert_works().await;
            assert_eq!(connected.refreshes().len(), refreshes, "{}", kind.name);
            assert_eq!(
                connected.acme.api_requests().len(),
                api_requests + 1,
                "{}: no call was tried with a token that had expired",
                kind.name
            );
        }
        let issued = connected.issued("refresh_token");
        for (request, number) in connected.refreshes().iter().zip(kind.presented) {
            assert_eq!(
                request.param("refresh_token").as_ref(),
                issued.get(number),
                "{}",
                kind.name
            );
            assert!((kind.holds)(request), "{}: {request:?}", kind.name);
        }
        assert_eq!(connected.card().await, "active", "{}", kind.name);
    }
}

/// A kind of provider at which access ends for good.
struct End {
    name: &'static str,
    provider: fn(&Provider),
    /// How much time passes before the last call.
    after: Duration,
    /// What happens at the provider meanwhile.
    meanwhile: fn(&Provider),
    /// How many refreshes are tried.
    refreshes: usize,
}

const ENDS: &[End] = &[
    End {
        name: "there is no refresh",
        provider: |acme| {
            acme.has_no_refresh();
        },
        after: HOUR,
        meanwhile: nothing,
        refreshes: 0,
    },
    End {
        name: "the file knows nothing of refresh tokens",
        provider: |acme| {
            acme.documents_no_refresh();
        },
        after: HOUR,
        meanwhile: nothing,
        refreshes: 0,
    },
    End {
        name: "no refresh token is given",
        provider: |acme| {
            acme.gives_no_refresh_token();
        },
        after: HOUR,
        meanwhile: nothing,
        refreshes: 0,
    },
    End {
        name: "the grant has an end",
        provider: |acme| {
            acme.rotates_refresh_tokens().grants_last(HOUR);
        },
        after: HOUR,
        meanwhile: nothing,
        refreshes: 1,
    },
    End {
        name: "the refresh token was not used for too long",
        provider: |acme| {
            acme.keeps_refresh_tokens().unused_refresh_tokens_last(DAY);
        },
        after: DAY,
        meanwhile: nothing,
        refreshes: 1,
    },
    End {
        name: "the refresh token dies with the access token",
        provider: |acme| {
            acme.refresh_tokens_die_with_access_tokens();
        },
        after: HOUR,
        meanwhile: nothing,
        refreshes: 1,
    },
    End {
        name: "a dead grant has another name",
        provider: |acme| {
            acme.calls_dead_grants(403, "unauthorized_client");
        },
        after: HOUR,
        meanwhile: remove_access,
        refreshes: 1,
    },
    End {
        name: "refusals come with status 200",
        provider: |acme| {
            acme.refuses_with_200();
        },
        after: HOUR,
        meanwhile: remove_access,
        refreshes: 1,
    },
    End {
        name: "refusals name no error",
        provider: |acme| {
            acme.names_no_errors();
        },
        after: HOUR,
        meanwhile: remove_access,
        refreshes: 1,
    },
];

fn nothing(_: &Provider) {}

fn remove_access(acme: &Provider) {
    acme.access_is_removed_by("ana");
}

#[tokio::test]
async fn an_end_is_noticed_at_every_kind_of_provider() {
    for end in ENDS {
        let connected = Connected::to(end.provider).await;
        (end.meanwhile)(&connected.acme);
        connected.gateway.clock().advance(end.after);
        connected.whoami().await.assert_failed("has ended");
        assert_eq!(connected.card().await, "expired", "{}", end.name);
        connected.whoami().await.link();
        let refreshes = connected.refreshes().len();
        assert_eq!(refreshes, end.refreshes, "{}", end.name);
    }
}
