//! HTTP/1.1 and 1.0, by hyper, with what it lacks around it.
//!
//! - [`strict`] looks at every byte before hyper does;
//! - [`guard`] is the socket as hyper sees it;
//! - [`exchange`] knows in which phase the connection is, which decides how long it may last;
//! - [`upgrade`] is what becomes of the connection when a 101 is answered;
//! - request bodies that nobody wants are read to a limit, so that the connection can be kept
//!   without its next request being mistaken (fault 13).

mod body;
mod exchange;
mod guard;
mod request;
mod strict;
mod upgrade;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::connection::{Context, Farewell, Opened};
use exchange::{End, Exchange};
use guard::Guard;

/// Serves a connection to its end.
pub(super) async fn serve(context: &Rc<Context>, opened: Opened) -> Farewell {
    let Opened { socket, peer, at } = opened;
    let exchange = Exchange::new(socket.clone(), at);
    let guard = TokioIo::new(Guard::new(socket, Rc::clone(&exchange)));
    let service = service_fn(|request| {
        // Now, not when the answer is first asked for: the client may close its side before.
        exchange.begin();
        let shared = request::Shared {
            context: Rc::clone(context),
            exchange: Rc::clone(&exchange),
            peer: Rc::clone(&peer),
        };
        request::answer(shared, request)
    });
    let draining = context.drain.is_draining();
    let mut connection = builder(context, draining).serve_connection(guard, service);
    let mut end = {
        let mut timer = pin!(exchange.watch(&context.params));
        let mut drain = pin!(context.drain.started());
        let mut told = draining;
        poll_fn(|waker| {
            exchange.polled_by(waker);
            if !told && drain.as_mut().poll(waker).is_ready() {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(waker) {
                return Poll::Ready(result.map_or(End::Broken, |()| End::Done));
            }
            exchange.poll_leftover(waker, context.params.unwanted_body);
            if exchange.client_is_gone() {
                return Poll::Ready(End::Gone);
            }
            timer.as_mut().poll(waker).map(|()| End::TooSlow)
        })
        .await
    };
    if let (End::Done, Some((offer, body))) = (end, exchange.taken_over()) {
        let parts = connection.into_parts();
        // What came too early is in neither protocol.
        let early = !parts.read_buf.is_empty() || parts.io.inner().has_held_back();
        end = if early {
            End::Cut
        } else {
            context.stats.count_upgraded();
            upgrade::run(&exchange, &context.params, offer, body).await
        };
    }
    if end == End::TooSlow {
        context.stats.count_timed_out();
    }
    match end {
        End::Cut => Farewell::BreakOff,
        _ if exchange.is_cut() => Farewell::BreakOff,
        End::Done | End::Broken => Farewell::Linger,
        End::Gone | End::TooSlow => Farewell::Close,
    }
}

fn builder(context: &Context, last_request: bool) -> http1::Builder {
    let params = &context.params;
    let mut builder = http1::Builder::new();
    builder
        .keep_alive(!last_request)
        .max_headers(params.head_fields)
        .max_buf_size(params.head_bytes as usize)
        // The phases of the connection have their own timers; see `exchange`.
        .header_read_timeout(None);
    builder
}
