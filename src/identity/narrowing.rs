//! What a person lets one of their agents do: everything that they can, or less.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// What an agent is narrowed to. It belongs to the person: they change it at any moment, and the agent cannot. It never
/// widens anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrowing {
    /// Only these services, or products of services; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<BTreeSet<String>>,
    /// Only tools that look around (`readOnlyHint`).
    #[serde(default, skip_serializing_if = "is_no")]
    pub read_only: bool,
    /// Nothing from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_no(flag: &bool) -> bool {
    !flag
}

/// Why something lies outside a narrowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// It is of a service that is not among those allowed.
    Service,
    /// It changes something.
    Changes,
    /// The time is over.
    Over,
}

impl Narrowing {
    /// Whether it narrows nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the service may be used that goes by any of `names`: its identifier, and those of its products.
    ///
    /// # Errors
    /// [`Outside`], the weightiest first.
    pub fn check_service<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
        now: Timestamp,
    ) -> Result<(), Outside> {
        if self.until.is_some_and(|until| until <= now) {
            return Err(Outside::Over);
        }
        match &self.services {
            Some(allowed) if !names.into_iter().any(|name| allowed.contains(name)) => {
                Err(Outside::Service)
            }
            _ => Ok(()),
        }
    }

    /// Whether a tool may be run whose service goes by `names`.
    ///
    /// # Errors
    /// [`Outside`], the weightiest first.
    pub fn check_tool<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
        read_only: bool,
        now: Timestamp,
    ) -> Result<(), Outside> {
        self.check_service(names, now)?;
        if self.read_only && !read_only {
            return Err(Outside::Changes);
        }
        Ok(())
    }

    /// To what, in words that follow "narrowed to": "slack and tools that only look, until 2027-01-01T00:00:00Z".
    #[must_use]
    pub fn words(&self) -> String {
        let services = match &self.services {
            Some(services) if services.is_empty() => "no service".to_owned(),
            Some(services) => services.iter().cloned().collect::<Vec<_>>().join(", "),
            None => "all services".to_owned(),
        };
        let looks = if self.read_only {
            " with tools that only look"
        } else {
            ""
        };
        let until = self
            .until
            .map(|until| format!(" until {until}"))
            .unwrap_or_default();
        format!("{services}{looks}{until}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_000);

    fn only(services: &[&str]) -> Narrowing {
        Narrowing {
            services: Some(services.iter().map(ToString::to_string).collect()),
            ..Narrowing::default()
        }
    }

    #[test]
    fn without_a_narrowing_everything_is_allowed() {
        let all = Narrowing::default();
        assert!(all.is_none());
        assert_eq!(all.check_tool(["slack"], false, NOW), Ok(()));
    }

    #[test]
    fn a_service_is_allowed_by_its_name_and_by_those_of_its_products() {
        let narrowing = only(&["google_mail"]);
        let google = ["google", "google_mail", "google_drive"];
        assert_eq!(narrowing.check_service(google, NOW), Ok(()));
        assert_eq!(
            narrowing.check_tool(["google", "google_mail"], false, NOW),
            Ok(())
        );
        let drive = narrowing.check_tool(["google", "google_drive"], true, NOW);
        assert_eq!(drive, Err(Outside::Service));
        assert_eq!(only(&[]).check_service(google, NOW), Err(Outside::Service));
    }

    #[test]
    fn what_changes_something_and_what_is_over_is_outside() {
        let looks = Narrowing {
            read_only: true,
            until: Some(NOW),
            ..only(&["slack"])
        };
        let before = Timestamp::from_unix(999);
        assert_eq!(
            looks.check_tool(["slack"], false, before),
            Err(Outside::Changes)
        );
        assert_eq!(looks.check_tool(["slack"], true, before), Ok(()));
        assert_eq!(looks.check_tool(["slack"], true, NOW), Err(Outside::Over));
        assert_eq!(
            looks.words(),
            "slack with tools that only look until 1970-01-01T00:16:40Z"
        );
    }

    #[test]
    fn an_empty_record_narrows_nothing() {
        assert!(serde_json::from_str::<Narrowing>("{}").unwrap().is_none());
        assert_eq!(serde_json::to_string(&Narrowing::default()).unwrap(), "{}");
    }
}
