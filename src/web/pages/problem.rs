//! What can go wrong in the browser, and the words for it.

use super::Label;

/// What went wrong, as far as the reader can do something about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The link was made for someone else than who is signed in.
    WrongPerson,
    /// The link is too old.
    LinkExpired,
    /// The link has done its work already.
    LinkUsed,
    /// The person said no at the service.
    Cancelled {
        /// The service's name.
        service: Label,
    },
    /// The service wants an administrator's consent first.
    NeedsApproval {
        /// The service's name.
        service: Label,
    },
    /// The service does not accept the redirect URL that Attache gave.
    WrongRedirect {
        /// The service's name.
        service: Label,
        /// The redirect URL that has to be registered there.
        redirect_url: Label,
    },
    /// The person came back too late, twice, or in another browser: what was started is not there any more.
    StateExpired,
    /// The service answered something that does not belong to what was asked, so nothing was connected.
    Untrusted {
        /// The service's name.
        service: Label,
    },
    /// The service refused, with its reason.
    Refused {
        /// The service's name.
        service: Label,
        /// The service's own words.
        reason: Label,
    },
    /// The service could not be reached or failed.
    ProviderDown {
        /// The service's name.
        service: Label,
    },
    /// The login worked, and the account that was chosen has nothing there that tools could work with.
    NothingReached {
        /// The service's name.
        service: Label,
    },
    /// The person said no at the issuer with which people sign in.
    SignInCancelled {
        /// What the issuer is called.
        issuer: Label,
    },
    /// What came back from the issuer answers nothing that this browser began lately.
    SignInLost,
    /// What came back from the issuer does not fit.
    SignInUntrusted {
        /// What the issuer is called.
        issuer: Label,
    },
    /// The issuer refused, with its reason.
    SignInRefused {
        /// What the issuer is called.
        issuer: Label,
        /// Its error code.
        reason: Label,
    },
    /// The issuer could not be asked.
    SignInDown {
        /// What the issuer is called.
        issuer: Label,
    },
    /// What the issuer says is not valid now by our clock.
    SignInClocks {
        /// What the issuer is called.
        issuer: Label,
    },
    /// The issuer knows the person, and none of their groups lets them in.
    NotAMember {
        /// What the issuer is called.
        issuer: Label,
    },
    /// The form came from another site or from a page that is too old.
    StaleForm,
    /// There is nothing at this address.
    NotFound,
    /// Too many requests.
    TooMany,
    /// The store takes no writes: its disk is full, or failed.
    DiskFull,
    /// Something failed on our side.
    Internal,
}

impl Problem {
    /// The heading.
    pub(super) fn title(&self) -> String {
        match self {
            Self::WrongPerson => "This link is for someone else".to_owned(),
            Self::LinkExpired => "This link has expired".to_owned(),
            Self::LinkUsed => "This link has been used".to_owned(),
            Self::Cancelled { service } => format!("{service} is not connected"),
            Self::NeedsApproval { service } => format!("{service} needs an administrator"),
            Self::WrongRedirect { service, .. } => format!("{service} is not set up correctly"),
            Self::StateExpired => "We lost track of this connection".to_owned(),
            Self::Untrusted { service } => format!("The answer from {service} did not fit"),
            Self::Refused { service, .. } => format!("{service} said no"),
            Self::ProviderDown { service } => format!("{service} does not answer"),
            Self::NothingReached { service } => format!("There is nothing to reach at {service}"),
            Self::SignInCancelled { .. }
            | Self::SignInLost
            | Self::SignInUntrusted { .. }
            | Self::SignInRefused { .. }
            | Self::SignInDown { .. }
            | Self::SignInClocks { .. } => "You are not signed in".to_owned(),
            Self::NotAMember { .. } => "You have no access to this Attache".to_owned(),
            Self::StaleForm => "This page was too old".to_owned(),
            Self::NotFound => "There is nothing here".to_owned(),
            Self::TooMany => "That was a little too fast".to_owned(),
            Self::DiskFull => "The disk of this Attache is full".to_owned(),
            Self::Internal => "Something went wrong on our side".to_owned(),
        }
    }

    /// What happened, in a sentence.
    pub(super) fn happened(&self) -> String {
        match self {
            Self::WrongPerson => {
                "The link was made for another person than the one who is signed in here, so nothing was connected."
                    .to_owned()
            }
            Self::LinkExpired => "Links like this work for a few minutes only.".to_owned(),
            Self::LinkUsed => {
                "Each link works once, and this one has already done its work.".to_owned()
            }
            Self::Cancelled { service } => {
                format!("You did not allow it at {service}, so nothing was connected.")
            }
            Self::NeedsApproval { service } => {
                format!("Your organisation lets only administrators allow new apps at {service}.")
            }
            Self::WrongRedirect { service, .. } => {
                format!("{service} does not know the address to which it should send you back.")
            }
            Self::StateExpired => {
                "It took too long, the page was opened twice, or you came back in another browser. Nothing was connected."
                    .to_owned()
            }
            Self::Untrusted { service } => {
                format!("What came back was not what we asked {service} for. To keep you safe, nothing was connected.")
            }
            Self::Refused { service, reason } => {
                format!("{service} refused to connect. Its reason: {reason}")
            }
            Self::ProviderDown { service } => {
                format!("{service} could not be reached, or had a problem of its own. Nothing was changed.")
            }
            Self::NothingReached { service } => {
                format!(
                    "The account that you chose at {service} is a member of no site or organization there, so nothing was \
                     connected."
                )
            }
            Self::SignInCancelled { issuer } => {
                format!("You did not sign in at {issuer}, or did not allow it.")
            }
            Self::SignInLost => {
                "It took too long, the page was opened twice, or you came back in another browser than the one you began in."
                    .to_owned()
            }
            Self::SignInUntrusted { issuer } => {
                format!("What came back from {issuer} was not what we asked it for, so nobody was signed in.")
            }
            Self::SignInRefused { issuer, reason } => {
                format!("{issuer} refused to sign you in. Its reason: {reason}.")
            }
            Self::SignInDown { issuer } => {
                format!("{issuer} could not be reached, or had a problem of its own.")
            }
            Self::SignInClocks { issuer } => {
                format!("By the clock of Attache, what {issuer} says about you is not valid at this time.")
            }
            Self::NotAMember { issuer } => {
                format!("You are signed in at {issuer}, and you belong to none of the groups there that may use this Attache.")
            }
            Self::StaleForm => {
                "The button you pressed belonged to a page from an earlier sign-in, so nothing was done.".to_owned()
            }
            Self::NotFound => {
                "The address may be mistyped, or what was here has been removed.".to_owned()
            }
            Self::TooMany => "There were too many requests in a short time.".to_owned(),
            Self::DiskFull => {
                "Nothing new can be stored at the moment, so this was not done. Nothing was lost, and nothing is wrong \
                 with your connections."
                    .to_owned()
            }
            Self::Internal => "It is not your fault. The details are in the log.".to_owned(),
        }
    }

    /// What to do about it.
    pub(super) fn remedy(&self) -> String {
        match self {
            Self::WrongPerson => {
                "If you asked for it, sign out, sign in as yourself and open the link again. If someone sent it to you, \
                 close this page: it would have connected your account for them."
                    .to_owned()
            }
            Self::LinkExpired => {
                "Ask your agent again, and it gives you a new one. Or connect from the connections page.".to_owned()
            }
            Self::LinkUsed => "Look at your connections: it is probably connected.".to_owned(),
            Self::Cancelled { .. } => {
                "If that was a slip, try again. Otherwise there is nothing to do.".to_owned()
            }
            Self::NeedsApproval { service } => {
                format!("Ask the person who looks after {service} in your organisation to approve this app, then try again.")
            }
            Self::WrongRedirect { redirect_url, .. } => {
                format!("Your administrator can mend this by registering this address there: {redirect_url}")
            }
            Self::StateExpired => "Start once more, and stay in this browser.".to_owned(),
            Self::Untrusted { .. } => {
                "Start once more from your connections. If it happens again, tell your administrator.".to_owned()
            }
            Self::Refused { .. } => {
                "Try again. If it stays like this, show this page to your administrator.".to_owned()
            }
            Self::ProviderDown { .. } | Self::TooMany | Self::SignInDown { .. } => "Wait a minute, then try again.".to_owned(),
            Self::NothingReached { .. } => {
                "Try again with another account, or ask for an invitation there first. If you were asked which site to \
                 allow, choose one."
                    .to_owned()
            }
            Self::SignInCancelled { .. } | Self::SignInLost => {
                "Start once more, and stay in this browser.".to_owned()
            }
            Self::SignInUntrusted { .. } | Self::SignInRefused { .. } => {
                "Try again. If it stays like this, give your administrator the number below.".to_owned()
            }
            Self::SignInClocks { .. } => {
                "Tell your administrator: one of the two clocks is wrong.".to_owned()
            }
            Self::NotAMember { .. } => {
                "Ask your administrator to add you to one of them, then try again.".to_owned()
            }
            Self::StaleForm => "Go back, load the page again and press the button once more.".to_owned(),
            Self::NotFound => "Your connections are a good place to go on from.".to_owned(),
            Self::DiskFull => {
                "Tell the person who runs Attache to free some space, then try again. It goes on by itself then."
                    .to_owned()
            }
            Self::Internal => {
                "Try again. If it happens again, give your administrator the number below.".to_owned()
            }
        }
    }
}
