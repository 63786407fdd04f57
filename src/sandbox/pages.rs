//! The pages as templates, and how they are sent. Everything that is put into a page is escaped by the template.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE};

use super::accounts::Account;
use super::browser::Browser;
use super::persistence::SaveError;
use super::scope::Scope;

/// What this is.
#[derive(Template)]
#[template(path = "home.html", config = "src/sandbox/askama.toml")]
pub(super) struct HomePage {
    /// Who is signed in.
    pub(super) account: Option<Account>,
    /// Who can sign in.
    pub(super) accounts: [Account; 2],
    /// Whom they let in.
    pub(super) applications: Vec<Application>,
    /// The forms' proof.
    pub(super) csrf: String,
}

/// An application that somebody let in.
pub(super) struct Application {
    /// Its client id.
    pub(super) client_id: String,
    /// Its name.
    pub(super) name: String,
    /// What it may do.
    pub(super) scopes: Vec<Scope>,
}

/// Who are you?
#[derive(Template)]
#[template(path = "sign_in.html", config = "src/sandbox/askama.toml")]
pub(super) struct SignInPage<'a> {
    /// Who asks.
    pub(super) client: &'a str,
    /// The request's handle.
    pub(super) request: &'a str,
    /// The form's proof.
    pub(super) csrf: String,
    /// Who can sign in.
    pub(super) accounts: [Account; 2],
}

/// May they?
#[derive(Template)]
#[template(path = "consent.html", config = "src/sandbox/askama.toml")]
pub(super) struct ConsentPage<'a> {
    /// Who asks.
    pub(super) client: &'a str,
    /// The host that the answer goes to.
    pub(super) destination: String,
    /// Who is asked.
    pub(super) account: Account,
    /// For what.
    pub(super) scopes: Vec<Scope>,
    /// Whether the account let this client in before.
    pub(super) earlier: bool,
    /// The request's handle.
    pub(super) request: &'a str,
    /// The forms' proof.
    pub(super) csrf: String,
}

#[derive(Template)]
#[template(path = "refused.html", config = "src/sandbox/askama.toml")]
struct RefusedPage {
    title: &'static str,
    message: &'static str,
    back: Option<String>,
}

/// What a person is shown instead of what they wanted.
#[derive(Debug)]
pub(super) enum Refused {
    /// No such client. Shown, never redirected.
    UnknownClient,
    /// The redirect URI is not the client's. Shown, never redirected.
    ForeignRedirect,
    /// The request ran out, was answered, or is another browser's.
    RequestGone,
    /// The form is not one that we gave to this browser, or not any more.
    ForeignForm,
    /// The person allowed nothing; the path leads back to the page.
    NothingTicked(String),
    /// There is no such page.
    NotFound,
    /// The page could not be made or its change not be saved.
    Broken,
}

impl From<SaveError> for Refused {
    fn from(error: SaveError) -> Self {
        tracing::error!(%error, "a request failed");
        Self::Broken
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, title, message) = match self {
            Self::UnknownClient => (
                StatusCode::BAD_REQUEST,
                "Unknown application",
                "The application that sent you here is not registered. Register it with the Sandbox, then start again from the application.",
            ),
            Self::ForeignRedirect => (
                StatusCode::BAD_REQUEST,
                "Wrong return address",
                "The application that sent you here wants the answer at an address that is not registered for it. Nothing was shared. Register exactly that address, then start again.",
            ),
            Self::RequestGone => (
                StatusCode::GONE,
                "This request is over",
                "It was answered already, it took more than ten minutes, or it began in another browser. Start again from the application.",
            ),
            Self::ForeignForm => (
                StatusCode::FORBIDDEN,
                "This page is out of date",
                "You signed in or out since it was opened. Nothing was changed. Go back, reload the page, and try again.",
            ),
            Self::NothingTicked(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Nothing was ticked",
                "To allow something, tick at least one box. To allow nothing, choose Cancel.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "No such page",
                "There is nothing under this address.",
            ),
            Self::Broken => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "That did not work",
                "The Sandbox could not save the change, so nothing was changed. Its log says why.",
            ),
        };
        let back = match self {
            Self::NothingTicked(path) => Some(path),
            _ => None,
        };
        let page = RefusedPage {
            title,
            message,
            back,
        };
        match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => (status, title).into_response(),
        }
    }
}

/// How pages are sent.
pub(super) enum Page {}

impl Page {
    /// Shows a page.
    pub(super) fn show(page: &impl Template, browser: &Browser) -> Result<Response, Refused> {
        let html = page.render().map_err(|error| {
            tracing::error!(%error, "a page could not be made");
            Refused::Broken
        })?;
        Ok(with_cookie(Html(html).into_response(), browser))
    }

    /// Sends the browser on to a path of ours.
    pub(super) fn see_other(path: &str, browser: &Browser) -> Response {
        with_cookie(Self::leave(path), browser)
    }

    /// Sends the browser away, with a GET.
    pub(super) fn leave(url: &str) -> Response {
        match HeaderValue::try_from(url) {
            Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
            Err(_) => Refused::ForeignRedirect.into_response(),
        }
    }
}

fn with_cookie(mut response: Response, browser: &Browser) -> Response {
    if let Some(cookie) = browser.set_cookie() {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// `GET /style.css`.
pub(super) async fn style() -> Response {
    let css = include_str!("style.css");
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], css).into_response()
}

/// Every other path.
pub(super) async fn not_found() -> Refused {
    Refused::NotFound
}
