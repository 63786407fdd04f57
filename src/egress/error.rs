//! What can go wrong on the way out, told so that the caller can act on it.
//!
//! Of a URL only scheme, host and port ever stand in a message: paths can hold document names, queries can hold
//! tokens.

use std::error::Error as StdError;

use thiserror::Error;

/// Why a request brought no reply.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EgressError {
    /// The address must not be reached. Nothing was sent; the provider file, a variable in it, or the name's DNS
    /// records have to change.
    #[error("the gateway does not connect to {address}: {reason}")]
    AddressRefused {
        /// Scheme, host and port, or a description when there are none.
        address: String,
        /// What is wrong with it.
        reason: AddressRefusal,
    },
    /// The host could not be found, reached or authenticated. Nothing was sent; trying again is safe.
    #[error("no connection to {origin}: {cause}")]
    ConnectFailed {
        /// Scheme, host and port.
        origin: String,
        /// What the system, the resolver or TLS says.
        cause: String,
    },
    /// It took too long.
    #[error("{origin} took too long ({stage})")]
    TimedOut {
        /// Scheme, host and port.
        origin: String,
        /// What was being waited for.
        stage: TimeoutStage,
    },
    /// More came back than may. The request was carried out: ask for less.
    #[error("the reply of {origin} is larger than the {limit}")]
    ReplyTooLarge {
        /// Scheme, host and port.
        origin: String,
        /// The limit that it broke.
        limit: ReplyLimit,
    },
    /// The connection broke, or what came is not a reply. The request may have been carried out.
    #[error("the reply of {origin} is broken: {cause}")]
    ReplyBroken {
        /// Scheme, host and port.
        origin: String,
        /// What is wrong with it.
        cause: String,
    },
}

impl EgressError {
    /// Whether the other side may have seen the request, and acted on it. When in doubt: yes. Only requests for which
    /// this is false may be repeated without knowing what they do.
    #[must_use]
    pub fn request_was_sent(&self) -> bool {
        match self {
            Self::AddressRefused { .. } | Self::ConnectFailed { .. } => false,
            Self::TimedOut { stage, .. } => *stage != TimeoutStage::Connecting,
            Self::ReplyTooLarge { .. } | Self::ReplyBroken { .. } => true,
        }
    }

    pub(super) fn timed_out(origin: String, stage: TimeoutStage) -> Self {
        Self::TimedOut { origin, stage }
    }

    /// Reads what the HTTP client says while it waits for the headers of a reply.
    pub(super) fn from_client(origin: String, error: &reqwest::Error) -> Self {
        if let Some(reason) = causes(error).find_map(|cause| cause.downcast_ref::<AddressRefusal>())
        {
            return Self::AddressRefused {
                address: origin,
                reason: *reason,
            };
        }
        if !error.is_connect() {
            return Self::ReplyBroken {
                origin,
                cause: innermost(error),
            };
        }
        if error.is_timeout() {
            return Self::timed_out(origin, TimeoutStage::Connecting);
        }
        Self::ConnectFailed {
            origin,
            cause: innermost(error),
        }
    }
}

/// Why an address must not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressRefusal {
    /// No scheme, no host, or not a URL at all.
    #[error("it is not an absolute URL")]
    NotAbsolute,
    /// Something other than HTTP over TLS.
    #[error("only https:// is used")]
    Scheme,
    /// A user name or password stands in the URL.
    #[error("the URL holds a user name or a password")]
    UserInfo,
    /// Dot segments, which would lead to another path than the one that was written.
    #[error(
        "the path holds . or .. segments, so that another path would be reached than the one written"
    )]
    PathIsRewritten,
    /// An IP address inside some network.
    #[error("the IP address is not a public one")]
    LiteralIsNotPublic,
    /// A name that leads inside some network.
    #[error("the name resolves to no public address")]
    NameIsNotPublic,
    /// An allowed loopback name that leads elsewhere.
    #[error("the name is allowed as a loopback name but resolves to no loopback address")]
    NameIsNotLoopback,
}

/// What was being waited for when the time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TimeoutStage {
    /// The connection: nothing was sent.
    #[error("while connecting")]
    Connecting,
    /// The headers of the reply.
    #[error("before its reply began")]
    AwaitingReply,
    /// The rest of the reply.
    #[error("while sending its reply")]
    ReadingReply,
}

/// The limit that a reply broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReplyLimit {
    /// Bytes as they travel.
    #[error("limit of {0} bytes on the wire")]
    Wire(usize),
    /// Bytes once decoded.
    #[error("limit of {0} decoded bytes")]
    Decoded(usize),
    /// Bytes of all headers.
    #[error("limit of {0} bytes of headers")]
    Headers(usize),
}

/// Why there is no way out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EgressSetupError {
    /// The HTTP client cannot be made; in practice, the system has no trust store.
    #[error(
        "outgoing TLS cannot be set up: {cause}. Install the system's certificate authorities (the package is mostly called ca-certificates), or point SSL_CERT_FILE at them"
    )]
    Tls {
        /// What the TLS stack says.
        cause: String,
    },
    /// The configured user agent has characters that no header may have.
    #[error("the user agent must be visible ASCII")]
    UserAgent,
}

impl EgressSetupError {
    pub(super) fn client(error: &reqwest::Error) -> Self {
        Self::Tls {
            cause: innermost(error),
        }
    }
}

/// The text of the first cause: the outer ones print URLs and repeat each other.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause: &&(dyn StdError + 'static)| {
        (*cause).source()
    })
}
