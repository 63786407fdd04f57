//! The API behind everything: fast answers of a few sizes, and as much of OAuth as it takes to connect a person.
//!
//! A code is the name of the account that it stands for, and an access token is that name again, so that the answer to
//! `GET /me` tells whose credential the gateway used.

use std::fmt::Write;

use axum::extract::{Form, Path};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Size;

/// What an access token begins with.
const TOKEN: &str = "access-token-of-";

/// Serves until the benchmark ends.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let replies = Size::ALL.map(|size| (size, Bytes::from(reply(size))));
    let items = move |Path(size): Path<String>| {
        let found = replies.iter().find(|(known, _)| known.name() == size);
        let reply = found.map(|(_, reply)| reply.clone());
        async move { reply.map_or_else(|| StatusCode::NOT_FOUND.into_response(), as_json) }
    };
    let router = Router::new()
        .route("/items/{size}", get(items))
        .route("/me", get(me))
        .route("/token", post(token));
    crate::serving::until_stdin_ends(router).await
}

fn as_json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// JSON as an API writes it, of exactly so many bytes, with the mark that callers look for at its end.
fn reply(size: Size) -> String {
    let end = format!("\"}}],\"end\":\"{}\"}}", size.mark());
    let mut text = String::from("{\"items\":[{\"id\":0,\"title\":\"\"}");
    let item = |number: usize| {
        format!(
            ",{{\"id\":{number},\"title\":\"Item number {number}\",\"state\":\"open\",\"labels\":[\"blue\",\"round\"],\
             \"votes\":{},\"url\":\"https://api.example.com/items/{number}\"}}",
            number * 7
        )
    };
    let last = ",{\"note\":\"";
    let mut number = 1;
    loop {
        let next = item(number);
        if text.len() + next.len() + last.len() + end.len() > size.bytes() {
            break;
        }
        text.push_str(&next);
        number += 1;
    }
    text.push_str(last);
    let missing = size.bytes() - text.len() - end.len();
    let _ = write!(text, "{:x<missing$}{end}", "");
    text
}

async fn me(headers: HeaderMap) -> Response {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(|token| token.strip_prefix(TOKEN));
    let Some(account) = token else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    Json(json!({ "id": account, "name": account })).into_response()
}

#[derive(Deserialize)]
struct TokenRequest {
    code: String,
}

async fn token(Form(request): Form<TokenRequest>) -> Json<Value> {
    Json(json!({
        "access_token": format!("{TOKEN}{}", request.code),
        "token_type": "Bearer",
        "scope": "profile items",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_is_json_of_its_size() {
        for size in Size::ALL {
            let text = reply(size);
            assert_eq!(text.len(), size.bytes());
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["end"], size.mark());
        }
    }
}
