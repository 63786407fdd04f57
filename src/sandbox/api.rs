//! The notes API: what the gateway's tools call. Every account sees its own notes; those of others do not exist for it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, RawQuery, State as Extract};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::bearer::{ApiError, Bearer};
use super::parameters::Parameters;
use super::scope::Scope;
use super::server::Service;
use super::state::Note;

/// The longest note, in characters.
const LONGEST_NOTE: usize = 2000;

/// How many notes an account can have; more would make every change slow, since the state is saved as a whole.
const MOST_NOTES: usize = 1000;

/// How many notes a list has, unless told otherwise.
const USUAL_LIMIT: usize = 20;

/// The most notes that a list can have.
const LARGEST_LIMIT: usize = 100;

/// Every path below `/api`.
pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/me", get(me))
        .route("/notes", get(list).post(create))
        .route("/notes/{id}", get(find).delete(delete))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .fallback(async || ApiError::NotFound)
}

async fn me(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let bearer = Bearer::read(&headers)?;
    let now = service.clock.now();
    let account = service
        .store
        .read(|state| bearer.account(state, Scope::Profile, now))
        .await?;
    Ok(Json(json!({
        "id": account.id(),
        "name": account.name(),
        "email": account.email(),
    })))
}

async fn list(
    Extract(service): Extract<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let bearer = Bearer::read(&headers)?;
    let now = service.clock.now();
    let notes: Vec<Value> = service
        .store
        .read(|state| {
            let account = bearer.account(state, Scope::NotesRead, now)?;
            let limit = limit(query.as_deref().unwrap_or_default())?;
            let notes = state.notes.get(&account).into_iter().flatten();
            Ok::<_, ApiError>(notes.rev().take(limit).map(as_json).collect())
        })
        .await?;
    Ok(Json(json!({ "notes": notes })))
}

fn limit(query: &str) -> Result<usize, ApiError> {
    let parameters = Parameters::parse(query.as_bytes());
    if parameters.all("limit").next().is_none() {
        return Ok(USUAL_LIMIT);
    }
    parameters
        .one("limit")
        .and_then(|limit| limit.parse().ok())
        .filter(|limit| (1..=LARGEST_LIMIT).contains(limit))
        .ok_or_else(|| {
            ApiError::BadRequest(format!(
                "`limit` must be a number from 1 to {LARGEST_LIMIT}."
            ))
        })
}

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

async fn create(
    Extract(service): Extract<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let bearer = Bearer::read(&headers)?;
    let now = service.clock.now();
    let id = format!("note_{}", service.random_id());
    let note = service
        .store
        .change(|state| {
            let account = bearer.account(state, Scope::NotesWrite, now)?;
            let notes = state.notes.entry(account).or_default();
            if notes.len() >= MOST_NOTES {
                return Err(ApiError::Unprocessable(
                    "The account is full. Delete a note first.",
                ));
            }
            let note = Note {
                id,
                text: text(body)?,
                created_at: now,
            };
            notes.push(note.clone());
            Ok(note)
        })
        .await??;
    Ok((StatusCode::CREATED, Json(as_json(&note))))
}

/// The text of a new note.
fn text(body: Result<Bytes, BytesRejection>) -> Result<String, ApiError> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        _ => ApiError::BadRequest("The body was cut off.".to_owned()),
    })?;
    let note: NewNote = serde_json::from_slice(&body).map_err(|_| {
        ApiError::BadRequest("The body must be JSON, as in {\"text\": \"…\"}.".to_owned())
    })?;
    if (1..=LONGEST_NOTE).contains(&note.text.chars().count()) {
        Ok(note.text)
    } else {
        Err(ApiError::Unprocessable(
            "`text` must have 1 to 2000 characters.",
        ))
    }
}

async fn find(
    Extract(service): Extract<Arc<Service>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let bearer = Bearer::read(&headers)?;
    let now = service.clock.now();
    service
        .store
        .read(|state| {
            let account = bearer.account(state, Scope::NotesRead, now)?;
            let Path(id) = id.map_err(|_| ApiError::NotFound)?;
            let mut notes = state.notes.get(&account).into_iter().flatten();
            let note = notes.find(|note| note.id == id).ok_or(ApiError::NotFound)?;
            Ok(Json(as_json(note)))
        })
        .await
}

async fn delete(
    Extract(service): Extract<Arc<Service>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let bearer = Bearer::read(&headers)?;
    let now = service.clock.now();
    service
        .store
        .change(|state| {
            let account = bearer.account(state, Scope::NotesWrite, now)?;
            let Path(id) = id.map_err(|_| ApiError::NotFound)?;
            let notes = state.notes.get_mut(&account).ok_or(ApiError::NotFound)?;
            let before = notes.len();
            notes.retain(|note| note.id != id);
            if notes.len() == before {
                Err(ApiError::NotFound)
            } else {
                Ok(StatusCode::NO_CONTENT)
            }
        })
        .await?
}

fn as_json(note: &Note) -> Value {
    json!({
        "id": note.id,
        "text": note.text,
        "created_at": note.created_at.to_string(),
    })
}
