//! The pages, one function each.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::Views;
use super::console::{self, Data};
use super::explain::{Asked as AskedFor, World, explain};
use super::figures::FiguresView;
use super::guard::{check, mark, refuse};
use super::level;
use super::listening::tap;
use super::routes_view::RoutesView;
use super::split;
use super::views::{ProblemView, ReadinessView, SchemaView, UpstreamView, descriptor_set};
use crate::telemetry::OfApp;
use crate::telemetry::metrics::page::Form;

/// What the pages are, for who reads them without a browser.
const INDEX: &str = "\
/            the console, for a browser
/help        this list
/livez       whether the process lives
/readyz      whether it may be sent work, and what is missing if not
/metrics     what is counted, for Prometheus
/figures     what is counted, for the charts of the console
/routes      the route table; ?format=table for people
/schema      services, methods and files; ?format=binpb for the descriptors
/openapi.json  the description of the routes
/problems    what is wrong with the schema and the configuration
/config      every key of the configuration, its value and where that comes from
/upstreams   the application and the connections to it
/split       how calls are shared out; PUT ?route=SELECTOR&app=95&canary=5 changes it
/explain     ?method=GET&path=/v1/x: what becomes of a request, and why; ?format=text for people
/tap         calls as they end, as server-sent events; ?route= &rpc= &status= &errors=true
/loglevel    what is told on stderr; PUT ?level=debug&for=5m changes it
/drain       POST: not ready from now on, and clients are asked to go elsewhere
/app-config  the application's own configuration, where `app_config.serve` says so
/reload      the last reloads; POST looks at all files again and tells what became of it
";

/// The pages for this host.
pub(super) fn admin(views: Arc<Views>) -> Router {
    let level = level::page(views.log_level.clone());
    let console = console::page(views.data.map_or(Data::Tls, Data::Plain));
    let token = views.token.clone();
    let since = Instant::now();
    probes()
        .route("/help", get(async || INDEX))
        .route("/figures", get(async move |views| figures(&views, since)))
        .route("/routes", get(routes))
        .route("/schema", get(schema))
        .route("/openapi.json", get(openapi))
        .route("/problems", get(problems))
        .route("/config", get(config))
        .route("/drain", post(drain).put(drain))
        .route("/upstreams", get(upstreams))
        .route(
            "/split",
            get(split::show).put(split::change).post(split::change),
        )
        .route("/explain", get(explaining))
        .route("/tap", get(tap))
        .route("/app-config", get(app_config))
        .route("/reload", get(reloads).post(reload).put(reload))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(views)
        .merge(level)
        .merge(console)
        .layer(middleware::from_fn_with_state(token, check))
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

async fn metrics(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let form = Form::asked(accept.unwrap_or_default());
    let of_app = match &views.scrape {
        Some(scrape) => Some(scrape.page().await),
        None => None,
    };
    let of_app = of_app.as_ref().map(|scraped| OfApp {
        text: &scraped.text,
        up: scraped.up,
        age: scraped.age,
    });
    let page = views.telemetry.exposition(form, of_app);
    ([(header::CONTENT_TYPE, form.content_type())], page).into_response()
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

async fn app_config(State(views): State<Arc<Views>>) -> Response {
    match &*views.app_config.load() {
        Some(values) => Json(values).into_response(),
        None => not_found().await.into_response(),
    }
}

async fn problems(State(views): State<Arc<Views>>) -> Response {
    let problems = views.problems.load();
    let views: Vec<ProblemView<'_>> = problems.iter().map(ProblemView::new).collect();
    Json(json!({ "problems": views })).into_response()
}

async fn config(State(views): State<Arc<Views>>) -> Response {
    Json(views.facts.config()).into_response()
}

async fn upstreams(State(views): State<Arc<Views>>) -> Response {
    Json(json!({ "upstreams": views.facts.upstreams() })).into_response()
}

async fn openapi(State(views): State<Arc<Views>>) -> Response {
    let schema = views.schema.load();
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, schema.openapi().json.clone()).into_response()
}

fn figures(State(views): &State<Arc<Views>>, since: Instant) -> Response {
    let snapshot = views.telemetry.metrics().snapshot();
    let now = since.elapsed().as_secs_f64();
    Json(FiguresView::new(snapshot, now)).into_response()
}

/// `?method=&path=`, and as many `&header=Name: value` as there are.
async fn explaining(
    State(views): State<Arc<Views>>,
    Query(asked): Query<Vec<(String, String)>>,
) -> Response {
    let request = match asked_for(&asked) {
        Ok(request) => request,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &why),
    };
    let schema = views.schema.load();
    let upstreams = views.facts.upstreams();
    let said = explain(
        &World {
            schema: &schema,
            own: &views.own,
            upstream: &|name| place(&upstreams, name),
            fallback: views.facts.fallback().as_deref(),
            settings: &|method| views.facts.settings(method),
        },
        &request,
        Instant::now().into_std(),
    );
    let format = asked.iter().find(|(name, _)| name == "format");
    match format.map(|(_, format)| format.as_str()) {
        None | Some("json") => Json(said).into_response(),
        Some("text") => said.to_string().into_response(),
        Some(_) => no_such_format("json and text"),
    }
}

/// Where the upstream of a name is; the first one is the application.
fn place(upstreams: &[UpstreamView], name: Option<&str>) -> String {
    let named = |one: &&UpstreamView| name.is_none_or(|name| one.name == name);
    let found = upstreams.iter().find(named);
    found.map_or_else(String::new, |one| one.url.clone())
}

fn asked_for(asked: &[(String, String)]) -> Result<AskedFor, String> {
    let (mut method, mut path, mut headers) = ("GET", None, HeaderMap::new());
    for (name, value) in asked {
        match &**name {
            "method" => method = value,
            "path" => path = Some(value),
            "header" => {
                let parts = value.split_once(':');
                let header = parts.and_then(|(name, value)| {
                    let name = HeaderName::try_from(name.trim()).ok()?;
                    Some((name, HeaderValue::try_from(value.trim()).ok()?))
                });
                let (name, value) =
                    header.ok_or_else(|| format!("`{value}` is no header `Name: value`"))?;
                headers.append(name, value);
            }
            "format" => {}
            _ => {
                return Err(format!(
                    "`{name}`: there are method, path, header and format"
                ));
            }
        }
    }
    let path = path.ok_or("say which path: `?method=GET&path=/v1/things`")?;
    AskedFor::new(method, path, headers)
}

async fn drain(State(views): State<Arc<Views>>) -> Response {
    views.drain.start();
    Json(json!({ "draining": true, "in_flight": views.drain.count() })).into_response()
}

async fn reloads(State(views): State<Arc<Views>>) -> Response {
    Json(json!({ "reloads": (views.reload.history)() })).into_response()
}

/// 200 when what the files say is in effect, 422 when it is wrong and the old state stays.
async fn reload(State(views): State<Arc<Views>>) -> Response {
    let Some(told) = (views.reload.ask)().await else {
        let message = "the gateway is about to end";
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message);
    };
    let status = match told.get("outcome").and_then(|outcome| outcome.as_str()) {
        Some("refused") => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    (status, Json(told)).into_response()
}

async fn not_found() -> Response {
    let message = "there is no such page; /help lists them";
    refuse(StatusCode::NOT_FOUND, "NOT_FOUND", message)
}

async fn not_allowed() -> Response {
    let message = "this page does not take this method";
    refuse(StatusCode::METHOD_NOT_ALLOWED, "UNIMPLEMENTED", message)
}

fn no_such_format(known: &str) -> Response {
    let message = format!("this page has the formats {known}");
    refuse(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &message)
}
