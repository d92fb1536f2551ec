//! [`Output`]: what waits to be written, in order.
//!
//! Frames of many calls gather here and leave in one write. Small pieces are copied together;
//! a large one is kept as it is and goes out beside them.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// From this size on, a piece is not copied.
const SHARED_BYTES: usize = 4096;

/// Bytes on their way out.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Everything but the large pieces.
    joined: Vec<u8>,
    /// How much of `joined` is written.
    written: usize,
    large: VecDeque<Large>,
    large_bytes: usize,
}

#[derive(Debug)]
struct Large {
    /// It comes before this place of `joined`.
    before: usize,
    data: Bytes,
}

impl Output {
    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.joined.len() - self.written + self.large_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.joined.extend_from_slice(bytes);
    }

    pub(super) fn push_data(&mut self, data: Bytes) {
        if data.len() < SHARED_BYTES {
            self.push(&data);
            return;
        }
        self.large_bytes += data.len();
        let before = self.joined.len();
        self.large.push_back(Large { before, data });
    }

    /// Writes until nothing is left.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        socket: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let mut socket = Pin::new(&mut *socket);
            let written = if self.large.is_empty() {
                let rest = self.joined.get(self.written..).unwrap_or_default();
                ready!(socket.as_mut().poll_write(context, rest))?
            } else {
                const PIECES: usize = 32;
                let mut pieces = [IoSlice::new(&[]); PIECES];
                let count = self.pieces(&mut pieces);
                let pieces = pieces.get(..count).unwrap_or_default();
                ready!(socket.as_mut().poll_write_vectored(context, pieces))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// The first pieces, in order; how many there are.
    fn pieces<'a>(&'a self, pieces: &mut [IoSlice<'a>]) -> usize {
        let mut at = self.written;
        let mut count = 0;
        let mut add = |piece: &'a [u8]| {
            if !piece.is_empty()
                && let Some(place) = pieces.get_mut(count)
            {
                *place = IoSlice::new(piece);
                count += 1;
            }
        };
        for large in &self.large {
            add(self.joined.get(at..large.before).unwrap_or_default());
            add(&large.data);
            at = large.before;
        }
        add(self.joined.get(at..).unwrap_or_default());
        count
    }

    fn advance(&mut self, written: usize) {
        let mut rest = written;
        while rest > 0 {
            let until = self
                .large
                .front()
                .map_or(self.joined.len(), |large| large.before);
            let step = rest.min(until - self.written);
            self.written += step;
            rest -= step;
            let Some(large) = self.large.front_mut() else {
                break;
            };
            let step = rest.min(large.data.len());
            large.data.advance(step);
            self.large_bytes -= step;
            rest -= step;
            if large.data.is_empty() {
                self.large.pop_front();
            }
        }
        self.tidy_up();
    }

    /// Forgets what is written: at the end, or when there is much of it.
    fn tidy_up(&mut self) {
        const MUCH: usize = 64 << 10;
        if self.written < self.joined.len() && self.written < MUCH {
            return;
        }
        for large in &mut self.large {
            large.before -= self.written;
        }
        self.joined.drain(..self.written);
        self.written = 0;
        // After a rush the room goes back.
        self.joined.shrink_to(MUCH);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    /// Takes so many bytes at a time.
    struct Narrow(usize, Vec<u8>);

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.0);
            self.1.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all = pieces.iter().flat_map(|piece| piece.iter());
            let taken: Vec<u8> = all.take(self.0).copied().collect();
            self.1.extend_from_slice(&taken);
            Poll::Ready(Ok(taken.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        #[test]
        fn everything_goes_out_in_order(
            rounds in proptest::collection::vec(
                proptest::collection::vec((0_usize..9000, any::<u8>()), 0..12), 1..4),
            width in 1_usize..20_000,
        ) {
            let mut output = Output::default();
            let mut narrow = Narrow(width, Vec::new());
            let mut expected = Vec::new();
            let mut context = Context::from_waker(Waker::noop());
            for round in rounds {
                let before = expected.len();
                for (len, byte) in round {
                    let data = vec![byte; len];
                    expected.extend_from_slice(&data);
                    output.push(&data[..len / 2]);
                    output.push_data(Bytes::from(data).slice(len / 2..));
                }
                prop_assert_eq!(output.len(), expected.len() - before);
                prop_assert!(output.poll_write(&mut narrow, &mut context).is_ready());
                prop_assert!(output.is_empty());
                prop_assert!(narrow.1 == expected);
            }
        }
    }

    #[test]
    fn a_large_piece_is_not_copied() {
        let mut output = Output::default();
        let data = Bytes::from(vec![1; SHARED_BYTES]);
        output.push(b"head");
        output.push_data(data.clone());
        let mut pieces = [IoSlice::new(&[]); 4];
        assert_eq!(output.pieces(&mut pieces), 2);
        assert_eq!(pieces[1].as_ptr(), data.as_ptr());
    }
}
