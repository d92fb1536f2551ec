//! THE order of the layers, outermost first.

use std::rc::Rc;

use tower::Service;

use crate::call::{Call, Fallback, Fault, LocalFuture, Reply, Stack};
use crate::layer::builtin::{self, Builtin};
use crate::layer::deadline::Deadlines;
use crate::layer::gather::Gather;
use crate::life::drain::Drain;
use crate::upstream::plain::Plain;
use crate::upstream::{self, Latest, Set, Upstreams};

/// Puts the layers in front of one worker's connections to the app.
pub(super) fn stack(upstreams: &Latest, builtin: builtin::Params, drain: Drain) -> Stack {
    // The app, or whichever upstream the policy of a call names.
    let service = Set::new(upstreams);
    // Nearest the app: nothing is sent before the one message of a unary request is there and
    // sound, so that the app never hears of bad JSON.
    let service = Gather::new(service);
    // Before gathering, because reflection is a stream that is answered as it comes.
    let service = Builtin::new(service, builtin);
    // Outermost: the caller's deadline holds for everything, reading its request included, and so
    // does the end of the process.
    let service = Deadlines::new(service).ending_with(drain);
    Rc::new(move |call: Call| -> LocalFuture<Result<Reply, Fault>> {
        Box::pin(service.clone().call(call))
    })
}

/// Where paths lead that no rule knows: no layer has a use for what is no call.
pub(super) fn fallback(params: upstream::Params) -> Fallback {
    let plain = Plain::new(params);
    Rc::new(move |request| Box::pin(plain.clone().exchange(request)))
}

/// Calls of the gateway's own, which no layer has a say in.
pub(super) fn direct(
    upstreams: &Upstreams,
) -> impl FnMut(Call) -> LocalFuture<Result<Reply, Fault>> {
    let mut service = upstreams.clone();
    move |call| service.call(call)
}
