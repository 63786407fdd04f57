//! The one page there is while the store cannot be opened.

use askama::Template;

use super::Layout;

/// Why the store cannot be opened, as far as the reader can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The disk is full.
    NoSpace,
    /// The store's files are damaged, or some of them are gone.
    Damaged,
    /// The disk cannot be read or written.
    Disk,
}

impl Outage {
    /// What happened, in a sentence. It names no folder: whoever finds this address may read it.
    #[must_use]
    pub fn happened(self) -> &'static str {
        match self {
            Self::NoSpace => {
                "The disk on which Attache keeps its records is full, so they cannot be opened."
            }
            Self::Damaged => {
                "The files in which Attache keeps its records are damaged, so they were left as they are."
            }
            Self::Disk => "The disk on which Attache keeps its records cannot be read or written.",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NoSpace => {
                "Whoever runs it has to free some space there. Attache goes on by itself then, and nothing is lost."
            }
            Self::Damaged => {
                "Whoever runs it finds out more with `attache doctor`, and puts back a backup with `attache restore`."
            }
            Self::Disk => {
                "Whoever runs it has to see to the disk: `attache doctor` says more. Attache goes on by itself once it works again."
            }
        }
    }
}

/// The page.
#[derive(Clone, Template)]
#[template(path = "outage.html", config = "src/web/askama.toml")]
pub struct OutagePage {
    /// The frame. Nobody can be signed in.
    pub layout: Layout,
    /// Why.
    pub outage: Outage,
}

impl OutagePage {
    /// The page for a reason.
    #[must_use]
    pub fn new(outage: Outage) -> Self {
        Self {
            layout: Layout::signed_out(),
            outage,
        }
    }

    /// One for each reason, with its name.
    #[must_use]
    pub fn samples() -> [(&'static str, Self); 3] {
        [
            ("no-space", Self::new(Outage::NoSpace)),
            ("damaged", Self::new(Outage::Damaged)),
            ("disk", Self::new(Outage::Disk)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_says_what_happened_and_what_to_do() {
        for (name, page) in OutagePage::samples() {
            let html = page.render().unwrap();
            assert!(html.contains("id=\"outage\""), "{name}");
            for text in [page.outage.happened(), page.outage.remedy()] {
                assert!(html.contains(text), "{name}: {html}");
            }
        }
    }
}
