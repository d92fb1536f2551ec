//! `grpc.health.v1`: the app's own answer when it has one, else the gateway's view of the app.
//!
//! Source: grpc/grpc `doc/health-checking.md`.

use std::rc::Rc;

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::{Duration, MissedTickBehavior};
use tower::Service;

use super::Params;
use super::exchange::{self, Requests};
use crate::call::{Body, Call, Code, Fault, Reply, Status};
use crate::life::ready::{Condition, Ready};
use crate::schema::Schema;
use crate::schema::builtin::pb::health::health_check_response::ServingStatus;
use crate::schema::builtin::pb::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListResponse,
};

/// A method of the health service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Check,
    List,
    Watch,
}

impl Method {
    /// The method of a path without its leading `/grpc.`.
    pub(super) fn of(rest: &str) -> Option<Self> {
        match rest.strip_prefix("health.v1.Health/")? {
            "Check" => Some(Self::Check),
            "List" => Some(Self::List),
            "Watch" => Some(Self::Watch),
            _ => None,
        }
    }
}

/// Asks the app; when it has no health service, or cannot be reached, answers from here.
pub(super) async fn answer<S>(
    method: Method,
    mut call: Call,
    mut inner: S,
    params: Rc<Params>,
) -> Result<Reply, Fault>
where
    S: Service<Call, Response = Reply, Error = Fault>,
{
    let mut requests = Requests::of(&mut call);
    let Some(request) = requests.next::<HealthCheckRequest>().await? else {
        return Ok(exchange::status(
            Code::Unimplemented,
            "the request holds no message",
        ));
    };
    call.body = Body::whole(exchange::frame(&request), None);
    let schema = call.schema.clone();
    let record = call.record.clone();
    match inner.call(call).await {
        Ok(reply) if !is_unimplemented(&reply) => return Ok(reply),
        Err(fault) if fault.code() != Code::Unavailable => return Err(fault),
        Ok(_) | Err(_) => {}
    }
    record.note().code = Some(Code::Ok);
    Ok(own(method, &request.service, &schema, &params))
}

fn is_unimplemented(reply: &Reply) -> bool {
    let status = reply.trailers_only.as_ref().and_then(Status::from_trailers);
    status.is_some_and(|status| status.code == Code::Unimplemented)
}

/// The gateway's view.
fn own(method: Method, service: &str, schema: &Schema, params: &Params) -> Reply {
    let known = service.is_empty() || schema.files.services.iter().any(|name| **name == *service);
    match method {
        Method::Check if !known => exchange::status(
            Code::NotFound,
            format!("the service {service} is not known here"),
        ),
        Method::Check => exchange::unary(&response(params.ready.holds(Condition::App))),
        Method::List => {
            let serving = params.ready.holds(Condition::App);
            let names = schema.files.services.iter().map(|name| name.to_string());
            let statuses = names
                .chain([String::new()])
                .map(|name| (name, response(serving)))
                .collect();
            exchange::unary(&HealthListResponse { statuses })
        }
        Method::Watch => exchange::reply(watch(known, params.ready.clone())),
    }
}

fn response(serving: bool) -> HealthCheckResponse {
    let status = if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    HealthCheckResponse {
        status: status.into(),
    }
}

/// The state now, then every change of it, until the client leaves. The state is looked at often
/// enough for whoever balances by it.
fn watch(known: bool, ready: Ready) -> Body {
    const PERIOD: Duration = Duration::from_millis(200);
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let states = stream::unfold(
        (ready, ticks, None),
        move |(ready, mut ticks, told)| async move {
            let status = loop {
                ticks.tick().await;
                let status = match (known, ready.holds(Condition::App)) {
                    (false, _) => ServingStatus::ServiceUnknown,
                    (true, true) => ServingStatus::Serving,
                    (true, false) => ServingStatus::NotServing,
                };
                if told != Some(status) {
                    break status;
                }
            };
            let message = HealthCheckResponse {
                status: status.into(),
            };
            let frame = Frame::data(exchange::frame(&message));
            Some((Ok::<_, Fault>(frame), (ready, ticks, Some(status))))
        },
    );
    Body::stream(StreamBody::new(states))
}
