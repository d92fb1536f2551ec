//! The pages, one function each.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::Views;
use super::guard::{mark, refuse, this_host_only};
use super::routes_view::RoutesView;
use super::views::{ProblemView, ReadinessView, SchemaView, descriptor_set};
use crate::telemetry::metrics::expose;

/// What the front page says until there is more to see.
const INDEX: &str = "\
/livez       whether the process lives
/readyz      whether it may be sent work, and what is missing if not
/metrics     what is counted, for Prometheus
/routes      the route table; ?format=table for people
/schema      services, methods and files; ?format=binpb for the descriptors
/problems    what is wrong with the schema and the configuration
/config      the configuration as it is in effect
/drain       POST: not ready from now on, and clients are asked to go elsewhere
";

/// The pages for this host.
pub(super) fn admin(views: Arc<Views>) -> Router {
    probes()
        .route("/", get(async || INDEX))
        .route("/routes", get(routes))
        .route("/schema", get(schema))
        .route("/problems", get(problems))
        .route("/config", get(config))
        .route("/drain", post(drain))
        .fallback(not_found)
        .with_state(views)
        .layer(middleware::from_fn(this_host_only))
        .layer(middleware::from_fn(mark))
}

/// The pages for probes and scrapers elsewhere; they name the host as they know it.
pub(super) fn ops(views: Arc<Views>) -> Router {
    probes()
        .fallback(not_found)
        .with_state(views)
        .layer(middleware::from_fn(mark))
}

fn probes() -> Router<Arc<Views>> {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
}

/// How a page is asked for.
#[derive(Debug, Deserialize)]
struct Asked {
    format: Option<String>,
}

async fn readiness(State(views): State<Arc<Views>>) -> Response {
    let view = ReadinessView::new(&views.ready, &views.drain);
    let status = if view.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(view)).into_response()
}

async fn metrics(State(views): State<Arc<Views>>) -> Response {
    let page = views.telemetry.exposition();
    ([(header::CONTENT_TYPE, expose::CONTENT_TYPE)], page).into_response()
}

async fn routes(State(views): State<Arc<Views>>, Query(asked): Query<Asked>) -> Response {
    let view = RoutesView::new(&views.schema.load());
    match asked.format.as_deref() {
        None | Some("json") => Json(view).into_response(),
        Some("table") => view.to_string().into_response(),
        Some(_) => no_such_format("json and table"),
    }
}

async fn schema(State(views): State<Arc<Views>>, Query(asked): Query<Asked>) -> Response {
    let schema = views.schema.load();
    match asked.format.as_deref() {
        None | Some("json") => Json(SchemaView::new(&schema)).into_response(),
        Some("binpb") => {
            let kind = [(header::CONTENT_TYPE, "application/x-protobuf")];
            (kind, descriptor_set(&schema)).into_response()
        }
        Some(_) => no_such_format("json and binpb"),
    }
}

async fn problems(State(views): State<Arc<Views>>) -> Response {
    let problems = views.problems.load();
    let views: Vec<ProblemView<'_>> = problems.iter().map(ProblemView::new).collect();
    Json(json!({ "problems": views })).into_response()
}

async fn config(State(views): State<Arc<Views>>) -> Response {
    Json((views.config)()).into_response()
}

async fn drain(State(views): State<Arc<Views>>) -> Response {
    views.drain.start();
    Json(json!({ "draining": true, "in_flight": views.drain.count() })).into_response()
}

async fn not_found() -> Response {
    let message = "there is no such page; / lists them";
    refuse(StatusCode::NOT_FOUND, "NOT_FOUND", message)
}

fn no_such_format(known: &str) -> Response {
    let message = format!("this page has the formats {known}");
    refuse(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &message)
}
