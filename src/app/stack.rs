//! THE order of the layers, outermost first.

use std::rc::Rc;
use std::sync::Arc;

use tower::Service;

use crate::call::{Call, Fallback, Fault, LocalFuture, Reply, Stack};
use crate::layer::builtin::{self, Builtin};
use crate::layer::deadline::Deadlines;
use crate::layer::gather::Gather;
use crate::layer::guard::{self, Guard};
use crate::layer::limit::{Limit, Loads};
use crate::life::drain::Drain;
use crate::protocol::gate::Gate;
use crate::upstream::plain::Plain;
use crate::upstream::{self, Latest, Set, Upstreams};

/// Puts the layers in front of one worker's connections to the app.
///
/// Layers that the configuration has no use for are not there.
pub(super) fn stack(
    upstreams: &Latest,
    builtin: builtin::Params,
    drain: Drain,
    guard: Option<guard::Params>,
    loads: Option<Arc<Loads>>,
) -> Stack {
    // The app, or whichever upstream the policy of a call names.
    let service = Set::new(upstreams);
    // Nearest the app: nothing is sent before the one message of a unary request is there and
    // sound, so that the app never hears of bad JSON.
    let service = Gather::new(service);
    match loads {
        None => answering(service, builtin, drain, guard),
        // Before gathering, which reads bodies; after the guard, which says whose call it is.
        Some(loads) => answering(Limit::new(service, loads), builtin, drain, guard),
    }
}

fn answering<S>(
    service: S,
    builtin: builtin::Params,
    drain: Drain,
    guard: Option<guard::Params>,
) -> Stack
where
    S: Service<Call, Response = Reply, Error = Fault> + Clone + 'static,
    S::Future: 'static,
{
    // Before gathering, because reflection is a stream that is answered as it comes; and before
    // limits, so that an overload is told from an illness.
    let service = Builtin::new(service, builtin);
    match guard {
        None => outermost(service, drain),
        // Before anything is answered or read, the gateway's own services included: who may not
        // call learns nothing and makes nobody work. Within the deadline, because keys may be
        // waited for.
        Some(params) => outermost(Guard::new(service, params), drain),
    }
}

fn outermost<S>(service: S, drain: Drain) -> Stack
where
    S: Service<Call, Response = Reply, Error = Fault> + Clone + 'static,
    S::Future: 'static,
{
    // Outermost: the caller's deadline holds for everything, reading its request included, and so
    // does the end of the process.
    let service = Deadlines::new(service).ending_with(drain);
    Rc::new(move |call: Call| -> LocalFuture<Result<Reply, Fault>> {
        Box::pin(service.clone().call(call))
    })
}

/// Who may have what is no call, plain HTTP and pages of the gateway's own: the rule is everybody's.
pub(super) fn gate(guard: Option<guard::Params>) -> Gate {
    let Some(params) = guard else {
        return Gate::CLOSED;
    };
    Gate::new(Rc::new(move |headers, record| {
        let schema = record.note().schema.clone();
        let access = schema.and_then(|schema| schema.default_policy.access.clone());
        let access = access.unwrap_or_default();
        Box::pin(guard::pass(params.clone(), access, headers, record))
    }))
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
