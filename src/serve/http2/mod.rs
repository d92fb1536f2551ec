//! HTTP/2, by the `h2` crate itself, so that every limit is in reach.
//!
//! The connection's task owns a task for each stream: when it ends, they do, and with them the
//! handlers of its requests. A stream's task owns both bodies; nobody else reads or writes.

mod frames;
mod inflow;
mod outflow;
mod state;
mod stream;
mod upgrade;
mod watched;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{self, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::time::{timeout, timeout_at};

use super::Params;
use super::connection::{Context, Farewell, Opened};
use crate::life::task::TaskSet;
use state::{State, Verdict};
use watched::Watched;

/// The next thing that happens on a connection.
enum Event {
    Stream(Box<(Request<RecvStream>, SendResponse<Bytes>)>),
    /// The client should be told to go elsewhere.
    Leave,
    Abused,
    Verdict(Verdict),
    Closed,
}

/// Serves a connection to its end.
pub(super) async fn serve(context: &Rc<Context>, opened: Opened) -> Farewell {
    let Opened { socket, peer, at } = opened;
    let state = State::new(socket.clone());
    let io = Watched::new(socket, Rc::clone(&state));
    let shaking = builder(&context.params).handshake::<_, Bytes>(io);
    let Ok(Ok(mut connection)) = timeout_at(at + context.params.opening, shaking).await else {
        return Farewell::Linger;
    };
    let streams = TaskSet::new();
    let open = |request, respond| {
        let (context, state) = (Rc::clone(context), Rc::clone(&state));
        let serving = stream::serve(context, state, Rc::clone(&peer), request, respond);
        streams.spawn_local("http2 stream", serving);
    };
    let end = run(context, &state, &mut connection, open).await;
    // The handlers are told before anything else happens.
    drop(streams);
    match end {
        End::Closed => return Farewell::Linger,
        End::TooSlow => context.stats.count_timed_out(),
        End::Abused => {
            const LEAVING: Duration = Duration::from_secs(1);
            context.stats.count_abusive();
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            let leaving = poll_fn(|waker| connection.poll_closed(waker));
            // Who does not listen is cut off.
            drop(timeout(LEAVING, leaving).await);
        }
    }
    Farewell::Close
}

/// How a connection ended.
enum End {
    Closed,
    TooSlow,
    Abused,
}

/// Opens streams until the connection ends.
async fn run(
    context: &Context,
    state: &Rc<State>,
    connection: &mut Connection<Watched, Bytes>,
    open: impl Fn(Request<RecvStream>, SendResponse<Bytes>),
) -> End {
    let mut draining = context.drain.is_draining();
    // A connection that comes while draining may ask once before it is told.
    let is_late = draining;
    if is_late {
        state.come_late();
    }
    let mut drain = pin!(context.drain.started());
    let mut watch = pin!(state.watch(&context.params));
    loop {
        let event = poll_fn(|waker| {
            state.polled_by(waker);
            if !draining && drain.as_mut().poll(waker).is_ready() {
                draining = true;
            }
            if draining && !state.is_leaving() && (!is_late || state.has_served()) {
                return Poll::Ready(Event::Leave);
            }
            poll_event(connection, state, watch.as_mut(), waker)
        })
        .await;
        match event {
            Event::Stream(stream) => open(stream.0, stream.1),
            Event::Abused => return End::Abused,
            Event::Closed => return End::Closed,
            Event::Verdict(Verdict::TooSlow) => return End::TooSlow,
            Event::Verdict(Verdict::Idle) if state.is_leaving() => return End::Closed,
            Event::Leave | Event::Verdict(Verdict::Idle) => {
                state.leave();
                connection.graceful_shutdown();
                watch.set(state.watch(&context.params));
            }
        }
    }
}

fn poll_event(
    connection: &mut Connection<Watched, Bytes>,
    state: &State,
    watch: Pin<&mut impl Future<Output = Verdict>>,
    waker: &mut task::Context<'_>,
) -> Poll<Event> {
    if state.is_abused() {
        return Poll::Ready(Event::Abused);
    }
    match connection.poll_accept(waker) {
        Poll::Ready(Some(Ok(stream))) => return Poll::Ready(Event::Stream(Box::new(stream))),
        Poll::Ready(Some(Err(error))) => {
            tracing::debug!(%error, "an HTTP/2 connection broke");
            return Poll::Ready(Event::Closed);
        }
        Poll::Ready(None) => return Poll::Ready(Event::Closed),
        Poll::Pending => state.end_turn(),
    }
    watch.poll(waker).map(Event::Verdict)
}

fn builder(params: &Params) -> Builder {
    /// Streams that were reset and may still get frames, which are ignored.
    const REMEMBERED_RESETS: usize = 100;
    const REMEMBERED_FOR: Duration = Duration::from_secs(1);
    /// Streams that were reset before they were looked at.
    const UNSEEN_RESETS: usize = 20;
    /// What small frames may cost before their streams' tasks have come to take them: enough for
    /// a stream window of the smallest messages, read at one go.
    const SMALL_FRAMES: usize = 4 << 20;
    let mut builder = Builder::new();
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(params.streams)
        .initial_window_size(params.stream_window)
        .initial_connection_window_size(params.connection_window)
        .max_header_list_size(params.head_bytes)
        .max_send_buffer_size(params.send_buffer)
        .data_frame_budget(SMALL_FRAMES)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .reset_stream_duration(REMEMBERED_FOR)
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        .max_local_error_reset_streams(Some(params.malformed_streams));
    builder
}
