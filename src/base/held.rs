//! Something that lives as long as the body of an HTTP message.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

/// A body that keeps `G` until it has been sent or dropped: a count of what is under way, a permit. Its length stays
/// known, so that short answers are not sent in chunks.
#[derive(Debug)]
pub struct Held<B, G> {
    body: B,
    _until_it_ends: G,
}

impl<B, G> Held<B, G> {
    /// `body`, and with it `guard`.
    pub fn new(body: B, guard: G) -> Self {
        Self {
            body,
            _until_it_ends: guard,
        }
    }
}

impl<B: Body + Unpin, G: Unpin> Body for Held<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
