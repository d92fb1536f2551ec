//! THE order of the layers, outermost first.

use std::future::ready;
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
        None => unguarded(outermost(service, drain)),
        // Before anything is answered or read, the gateway's own services included: who may not
        // call learns nothing and makes nobody work. Within the deadline, because keys may be
        // waited for.
        Some(params) => outermost(Guard::new(service, params), drain),
    }
}

/// Lets nobody through to whom a rule applies, as there is no guard: a reload that brings the first
/// rule is in effect in the schema a moment before workers have one.
fn unguarded(stack: Stack) -> Stack {
    Rc::new(move |call: Call| {
        if call.policy.access.is_some() {
            let message = "who may call is about to be asked; try again";
            let fault = Fault::unavailable("GUARD_NOT_READY", message).never_processed();
            return Box::pin(ready(Err(fault)));
        }
        stack(call)
    })
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use futures_util::FutureExt;
    use http::uri::PathAndQuery;

    use super::*;
    use crate::call::record::{CallRecord, Sink};
    use crate::call::{Body, Deadline, Metadata, Peer, Record};
    use crate::schema::access::Access;
    use crate::schema::policy::Policy;
    use crate::schema::tests;

    struct Forget;

    impl Sink for Forget {
        fn finished(&self, _record: &CallRecord) {}
    }

    fn call(access: Option<Access>) -> Call {
        let schema = Arc::new(tests::schema(r#"syntax = "proto3"; package t;"#));
        let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let (head, ()) = http::Request::new(()).into_parts();
        let now = tokio::time::Instant::now().into_std();
        let record = CallRecord::new(now, Rc::new(Peer::new(nobody, nobody, false)), &head);
        let policy = Policy {
            access: access.map(Arc::new),
            ..(*schema.default_policy).clone()
        };
        Call {
            schema,
            method: None,
            path: PathAndQuery::from_static("/t.S/Get"),
            authority: None,
            metadata: Metadata::new(),
            body: Body::empty(),
            deadline: Deadline::NEVER,
            policy: Arc::new(policy),
            record: Record::new(record, Arc::new(Forget)),
        }
    }

    #[test]
    fn without_a_guard_nobody_gets_to_what_is_guarded() {
        let answers: Stack = Rc::new(|_| Box::pin(ready(Err(Fault::deadline()))));
        let stack = unguarded(answers);
        let reason = |access| {
            let answer = stack(call(access)).now_or_never().unwrap();
            answer.err().unwrap().reason()
        };
        assert_eq!(reason(None), Fault::deadline().reason());
        assert_eq!(reason(Some(Access::default())), "GUARD_NOT_READY");
    }
}
