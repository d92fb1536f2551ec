//! HTTP/1.1 and 1.0, by a server of our own.
//!
//! - [`head`] reads a head once, and strictly; [`decode`] reads bodies;
//! - [`input`] reads from the socket, for whoever wants something of it;
//! - [`drive`] answers one request after the other;
//! - [`answer`] and [`output`] write;
//! - [`phase`] knows how long what a connection does may last;
//! - [`upgrade`] is what becomes of the connection when a 101 is answered.
//!
//! Request bodies that nobody wants are read to a limit, so that the connection can be kept
//! without its next request being mistaken; where that cannot be promised the answer says so
//! (fault 13).

mod answer;
mod body;
mod decode;
mod drive;
mod feed;
mod head;
mod input;
mod output;
mod phase;
mod request;
mod scan;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod tests;
mod upgrade;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

pub(super) use answer::Dates;
pub use feed::feed;
pub(super) use output::Spare;

use super::connection::{Context, Farewell, Opened};
use drive::{Connection, End};
use tokio::time::Instant;

/// Serves a connection to its end.
pub(super) async fn serve(context: &Rc<Context>, opened: Opened) -> Farewell {
    let params = &context.params;
    let first_look = opened.at + phase::nap(params);
    let mut connection = Connection::new(context, opened);
    let mut end = {
        let connection = &mut connection;
        let mut sleep = pin!(tokio::time::sleep_until(first_look));
        let mut drain = pin!(context.drain.started());
        let (mut listens, mut told) = (false, false);
        poll_fn(|waker| {
            if !told {
                // Once it was asked, the task is woken when draining begins.
                told = if listens {
                    context.drain.is_draining()
                } else {
                    drain.as_mut().poll(waker).is_ready()
                };
                listens = true;
                if told {
                    connection.leave();
                    // There may be less time than it was to sleep.
                    sleep.as_mut().reset(Instant::now());
                }
            }
            if let Poll::Ready(end) = connection.poll(waker) {
                return Poll::Ready(end);
            }
            phase::poll_too_long(sleep.as_mut(), || connection.ends(), params, waker)
                .map(|()| connection.end_of_time())
        })
        .await
    };
    if let (End::Done, Some((offer, body))) = (end, connection.taken_over()) {
        // What came too early is in neither protocol.
        end = if connection.has_early_bytes() {
            End::Cut
        } else {
            context.stats.count_upgraded();
            upgrade::run(params, offer, body).await
        };
    }
    if end == End::TooSlow {
        context.stats.count_timed_out();
    }
    match end {
        End::Cut => Farewell::BreakOff,
        _ if connection.is_cut() => Farewell::BreakOff,
        End::Done | End::Broken => Farewell::Linger,
        End::Gone | End::TooSlow => Farewell::Close,
    }
}
