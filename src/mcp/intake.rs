//! Taking in the body of a request: all of it, within bounds of length and time, before anything looks at it.

use std::fmt::Display;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::bounds::{self, Excess, LONGEST};

/// How long a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a whole body may take: 4 MiB at half a megabit a second.
const WHOLE: Duration = Duration::from_mins(1);

/// Why a body was not taken in.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is no message that may go further.
    Excess(Excess),
    /// It did not come in time.
    TooSlow,
    /// It ended before its end.
    BrokenOff(String),
}

impl Refusal {
    /// The status that says it (RFC 9110, section 15.5).
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Excess(Excess::TooLong) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Excess(_) | Self::BrokenOff(_) => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// What is wrong, and what to do.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Excess(excess) => excess.sentence(),
            Self::TooSlow => format!(
                "The body of this request did not come in time: at most {} seconds may pass between two parts of it, and \
                 {} until its end. Send it again.",
                SILENCE.as_secs(),
                WHOLE.as_secs()
            ),
            Self::BrokenOff(cause) => {
                format!("The body of this request ended before its end ({cause}). Send it again.")
            }
        }
    }
}

/// The whole body, which is JSON within bounds.
///
/// # Errors
/// [`Refusal`].
pub(super) async fn take_in<B>(headers: &HeaderMap, body: B) -> Result<Vec<u8>, Refusal>
where
    B: Body + Unpin,
    B::Data: AsRef<[u8]>,
    B::Error: Display,
{
    let announced = length(headers);
    if announced.is_some_and(|length| length > LONGEST) {
        return Err(Refusal::Excess(Excess::TooLong));
    }
    let read = read(body, announced.unwrap_or(0));
    let taken = timeout(WHOLE, read)
        .await
        .unwrap_or(Err(Refusal::TooSlow))?;
    bounds::check(&taken).map_err(Refusal::Excess)?;
    Ok(taken)
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read<B>(mut body: B, announced: usize) -> Result<Vec<u8>, Refusal>
where
    B: Body + Unpin,
    B::Data: AsRef<[u8]>,
    B::Error: Display,
{
    // No more than has come is set aside for a body that is only announced.
    let mut taken = Vec::with_capacity(announced.min(64 << 10));
    loop {
        let frame = timeout(SILENCE, body.frame()).await;
        let Some(frame) = frame.map_err(|_| Refusal::TooSlow)? else {
            return Ok(taken);
        };
        let frame = frame.map_err(|error| Refusal::BrokenOff(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let data = data.as_ref();
        if data.len() > LONGEST - taken.len() {
            return Err(Refusal::Excess(Excess::TooLong));
        }
        taken.extend_from_slice(data);
    }
}

/// The clock of these tests stands still until nothing else can happen, and then jumps to the next deadline.
#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;

    use futures::Stream;
    use futures::stream::{self, StreamExt};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    type Parts = Pin<Box<dyn Stream<Item = Result<Frame<&'static [u8]>, Infallible>>>>;

    /// A body whose parts come one every `pause`, after which it stays open for ever unless it `ends`.
    fn dripping(parts: Vec<&'static [u8]>, pause: Duration, ends: bool) -> StreamBody<Parts> {
        let parts = stream::iter(parts).then(move |part| async move {
            tokio::time::sleep(pause).await;
            Ok(Frame::data(part))
        });
        let rest: Parts = if ends {
            Box::pin(stream::empty())
        } else {
            Box::pin(stream::pending())
        };
        StreamBody::new(Box::pin(parts.chain(rest)))
    }

    async fn status(body: StreamBody<Parts>) -> Result<usize, u16> {
        let taken = take_in(&HeaderMap::new(), body).await;
        taken
            .map(|body| body.len())
            .map_err(|refusal| refusal.status().as_u16())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_pause_but_not_for_ever() {
        let five = Duration::from_secs(5);
        let parts: Vec<&[u8]> = vec![b"{\"a\"", b":", b"1}"];
        assert_eq!(status(dripping(parts.clone(), five, true)).await, Ok(7));
        assert_eq!(status(dripping(parts.clone(), five, false)).await, Err(408));
        assert_eq!(status(dripping(parts, SILENCE * 2, true)).await, Err(408));
        let spaces = vec![&b" "[..]; 1_000];
        assert_eq!(status(dripping(spaces, five, true)).await, Err(408));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_no_longer_than_it_may_be_whatever_it_says() {
        static MIB: [u8; 1 << 20] = [b' '; 1 << 20];
        let endless = vec![&MIB[..]; 100];
        assert_eq!(
            status(dripping(endless, Duration::ZERO, true)).await,
            Err(413)
        );
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, (100 << 20).into());
        let nothing = dripping(vec![], Duration::ZERO, false);
        let refusal = take_in(&headers, nothing).await.unwrap_err();
        assert_eq!(refusal.status(), 413);
        assert!(refusal.sentence().contains("4 MiB"));
    }
}
