//! Why a request could not be written.

/// Why a request could not be written. No message holds more of an argument than its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// An argument that the request cannot do without.
    #[error("the argument `{argument}` is missing: check the arguments before rendering")]
    Missing {
        /// Its name.
        argument: String,
    },
    /// A value that would change the meaning of the address.
    #[error("the argument `{argument}` {reason}: send another value")]
    Refused {
        /// Its name.
        argument: String,
        /// What is wrong with it, as the rest of the sentence.
        reason: &'static str,
    },
    /// The rendered address is not the one that the template promises.
    #[error(
        "the rendered address left `{expected}`: nothing was sent; correct the provider file or its variables"
    )]
    AddressChanged {
        /// The scheme, host, port and path that were promised.
        expected: String,
    },
    /// The host is not among those that the provider may be reached at.
    #[error("the host `{host}` is not in `host_allow` of the provider file: nothing was sent")]
    HostNotAllowed {
        /// The host.
        host: String,
    },
    /// The variables belong to another provider.
    #[error(
        "variables of `{given}` were used for a tool of `{expected}`: resolve them with its own provider"
    )]
    OtherProvider {
        /// Whose variables were given.
        given: String,
        /// Whose variables were expected.
        expected: String,
    },
    /// Of several arguments that mean the same, exactly one is needed.
    #[error("exactly one of these arguments is needed: {}", .arguments.join(", "))]
    OneOf {
        /// Their names.
        arguments: Vec<String>,
    },
    /// The cursor is of another tool, or was made up.
    #[error("the argument `cursor` {0}")]
    Cursor(String),
    /// The body is larger than is ever sent.
    #[error("the request would be larger than 10 MiB: send less at once")]
    BodyTooLarge,
    /// Every boundary that was tried stands in the content.
    #[error("the content holds every boundary that was tried: change the content")]
    NoBoundary,
    /// An address holds what only a connection says, and this one does not say it.
    #[error("the connection does not say its `{name}`: connect the account again")]
    NotCaptured {
        /// The name of what is missing.
        name: String,
    },
    /// A request names a base address that there is not.
    #[error("there is no base address `{base}`: correct `base` in the provider file")]
    UnknownBase {
        /// Its name.
        base: String,
    },
    /// The address is longer than HTTP libraries carry.
    #[error("the rendered address is too long: shorten the arguments")]
    TooLong,
}

impl RenderError {
    /// A value that was refused.
    pub(super) fn refused(argument: &str, reason: &'static str) -> Self {
        Self::Refused {
            argument: argument.to_owned(),
            reason,
        }
    }

    /// A value that is absent.
    pub(super) fn missing(argument: &str) -> Self {
        Self::Missing {
            argument: argument.to_owned(),
        }
    }
}
