//! One bound for the size of a message, whichever service it is for.
//!
//! The generated servers have a bound each, 4 MiB unless every one of them is told otherwise. This
//! layer reads the five bytes before each message (gRPC over HTTP/2, "Length-Prefixed-Message") and
//! ends the call before a larger one is collected.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

/// The largest message that is taken, in bytes.
pub const MESSAGE_BYTES_MAX: u32 = 1024 * 1024;
/// A compression flag and a length of four bytes, big-endian.
const PREFIX_BYTES: usize = 5;

#[derive(Clone, Copy)]
pub(super) struct MessageLimitLayer;

impl<S> Layer<S> for MessageLimitLayer {
    type Service = MessageLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MessageLimit { inner }
    }
}

#[derive(Clone)]
pub(super) struct MessageLimit<S> {
    inner: S,
}

impl<S> Service<http::Request<Body>> for MessageLimit<S>
where
    S: Service<http::Request<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let limited = |body| Body::new(LimitedBody { body, prefixes: Prefixes::default() });
        self.inner.call(request.map(limited))
    }
}

struct LimitedBody {
    body: Body,
    prefixes: Prefixes,
}

impl HttpBody for LimitedBody {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(size) = self.prefixes.read(data)
        {
            let text = format!("a message of {size} bytes is over {MESSAGE_BYTES_MAX}");
            return Poll::Ready(Some(Err(Status::resource_exhausted(text))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Follows a byte stream from message to message.
#[derive(Default)]
struct Prefixes {
    prefix: [u8; PREFIX_BYTES],
    prefix_read: usize,
    message_left: usize,
}

impl Prefixes {
    /// Reads on; an error is the size of a message that is too large.
    fn read(&mut self, mut data: &[u8]) -> Result<(), u32> {
        loop {
            let skipped = self.message_left.min(data.len());
            self.message_left -= skipped;
            data = data.get(skipped..).unwrap_or_default();
            let Some((&byte, rest)) = data.split_first() else { return Ok(()) };
            data = rest;
            if let Some(place) = self.prefix.get_mut(self.prefix_read) {
                *place = byte;
            }
            self.prefix_read += 1;
            if self.prefix_read == PREFIX_BYTES {
                let [_, length @ ..] = self.prefix;
                let length = u32::from_be_bytes(length);
                if length > MESSAGE_BYTES_MAX {
                    return Err(length);
                }
                self.message_left = length as usize;
                self.prefix_read = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32, content: usize) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(PREFIX_BYTES + content, 0xff);
        bytes
    }

    #[test]
    fn messages_are_told_apart_however_the_stream_is_cut() {
        let mut stream = message(3, 3);
        stream.extend(message(0, 0));
        stream.extend(message(MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX as usize));
        stream.extend(message(MESSAGE_BYTES_MAX + 1, 0));
        for cut in [1, 2, 5, 7, 1000, stream.len()] {
            let mut prefixes = Prefixes::default();
            let mut pieces = stream.chunks(cut);
            let refused = pieces.find_map(|piece| prefixes.read(piece).err());
            assert_eq!(refused, Some(MESSAGE_BYTES_MAX + 1), "cut into {cut}");
            assert!(pieces.next().is_none(), "refused before the last piece, cut into {cut}");
        }
    }
}
