//! The pages that people see: one typed context per page, rendered on the server with JavaScript off.
//!
//! Owns the words, the templates, the style sheet and the picture, and the content security policy that they live
//! under. Refuses to know requests, sessions, storage and the gateway: the handlers fill the contexts, and nothing here
//! decides anything. A context takes text as [`Label`] (no control or direction-changing characters), addresses of
//! other sites as [`WebAddress`] (`http` and `https` only) and moments as [`When`], so that a template cannot be handed
//! something that it must not print. Askama escapes every value for HTML.
//!
//! Contexts are not `Debug`: they hold tickets, authorization URLs and form tokens.
//!
//! Texts follow three rules: say what happened, say what to do, and use no word that only an engineer knows. The raw
//! names of permissions and tools stand inside `<details>`.

mod address;
mod assets;
mod card;
mod connect;
mod connected;
mod connections;
mod details;
mod disconnect;
mod error;
mod gallery;
mod label;
mod layout;
mod outage;
mod problem;
mod remove;
mod sign_in;
mod steps;
mod when;

pub use address::{InvalidAddress, WebAddress};
pub use askama::Template;
pub use assets::{ASSETS, Asset, STYLE_PATH, asset};
pub use card::{Action, Choice, Outlook, ServiceCard, SetUpHelp, SettingLine, Status};
pub use connect::{ConnectPage, ContinuePage};
pub use connected::{ConnectedPage, NextStep, SecondAccount, StillExpired, UsedByDefault};
pub use connections::{ConnectionsPage, Notice, Tone};
use details::groups;
pub use details::{GrantedPermission, Permission, ToolLine};
pub use disconnect::{
    AtProvider, DisconnectPage, DisconnectedPage, Obstacle, Revocation, Revoking,
};
pub use error::{ErrorPage, WayOut};
pub use gallery::gallery;
pub use label::Label;
pub use layout::{Layout, Viewer};
pub use outage::{Outage, OutagePage};
pub use problem::Problem;
pub use remove::{RemovePage, RemovedPage};
pub use sign_in::{SignInPage, SignOutPage};
pub use steps::{ConnectStep, StepsPage};
pub use when::When;

/// Where the Connections page lies: every page links back to it.
pub const HOME_PATH: &str = "/connections";

/// Where the form in the header sends its POST to sign the person out.
pub const SIGN_OUT_PATH: &str = "/sign-out";

/// The page that asks where one wants to be signed out is at [`SIGN_OUT_PATH`] too; here everywhere is meant.
pub const SIGN_OUT_EVERYWHERE_PATH: &str = "/sign-out/everywhere";

/// The page on which people sign in; where they do so with an issuer, its form sends its POST there as well.
pub const SIGN_IN_PATH: &str = "/sign-in";

/// The name of the hidden form field that carries the form token, in every form of these pages.
pub const CSRF_FIELD: &str = "csrf";

/// The `Content-Security-Policy` under which every page here works: own style sheet, own picture, own forms, no script.
///
/// `form-action 'self'` is enough because no form is ever answered with a redirect to another site: Chromium applies it
/// to the redirects too, which is why [`ContinuePage`] exists.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                                           base-uri 'none'; frame-ancestors 'none'";
