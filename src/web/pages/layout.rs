//! What stands around every page: the head, the header with the signed-in person, the footer.

use crate::base::Secret;

use super::Label;

/// Who is signed in.
#[derive(Clone)]
pub struct Viewer {
    /// The name under which the person knows herself here.
    pub name: Label,
}

/// The frame around a page.
#[derive(Clone)]
pub struct Layout {
    /// The signed-in person; `None` leaves out the name, Sign out and the link to the connections.
    pub viewer: Option<Viewer>,
    csrf: Secret,
}

impl Layout {
    /// The frame for a signed-in person. `csrf` is the form token of her session: it goes into every form.
    #[must_use]
    pub fn signed_in(name: impl Into<Label>, csrf: Secret) -> Self {
        Self {
            viewer: Some(Viewer { name: name.into() }),
            csrf,
        }
    }

    /// The frame for someone who is not known. Such pages hold no form that changes anything.
    #[must_use]
    pub fn signed_out() -> Self {
        Self {
            viewer: None,
            csrf: Secret::new(""),
        }
    }

    /// A frame for Ana.
    #[must_use]
    pub fn sample() -> Self {
        Self::signed_in("Ana Ferreira", Secret::new("sample-form-token"))
    }

    pub(super) fn csrf(&self) -> &str {
        self.csrf.expose()
    }
}
