//! `/split`: how calls are shared out between upstreams, and other weights for them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::Views;
use super::guard::refuse;
use crate::schema::split::{Phase, Split};

/// A split as it is now.
#[derive(Debug, Serialize)]
struct SplitView {
    /// The selector of the route.
    route: String,
    /// `steady`, `ramp`, `grown`, `by_hand` or `rolled_back`.
    phase: &'static str,
    /// Why the new side was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The new side.
    new: String,
    sides: Vec<Value>,
}

impl SplitView {
    fn new(split: &Split) -> Self {
        let phase = split.phase();
        let new = split.upstream(split.plan.new);
        let sides = split.sides().into_iter().map(|side| {
            json!({
                "upstream": &*side.upstream,
                "weight": side.weight,
                "percent": side.share * 100.0,
                "calls": side.counts.calls,
                "failed": side.counts.failed,
            })
        });
        Self {
            route: split.plan.route.to_string(),
            phase: match &phase {
                Phase::Steady => "steady",
                Phase::Ramp(_) => "ramp",
                Phase::Grown => "grown",
                Phase::ByHand => "by_hand",
                Phase::RolledBack(_) => "rolled_back",
            },
            why: match phase {
                Phase::RolledBack(why) => Some(why),
                _ => None,
            },
            new: new.map_or_else(String::new, ToString::to_string),
            sides: sides.collect(),
        }
    }
}

/// GET.
pub(super) async fn show(State(views): State<Arc<Views>>) -> Response {
    let splits = views.facts.splits();
    let shown: Vec<SplitView> = splits.iter().map(|split| SplitView::new(split)).collect();
    Json(json!({ "splits": shown })).into_response()
}

/// PUT `?route=SELECTOR&NAME=WEIGHT`; the route may be left out where there is one split.
pub(super) async fn change(
    State(views): State<Arc<Views>>,
    Query(asked): Query<Vec<(String, String)>>,
) -> Response {
    match set(&views.facts.splits(), asked) {
        Ok(split) => Json(SplitView::new(&split)).into_response(),
        Err(why) => refuse(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &why),
    }
}

fn set(splits: &[Arc<Split>], asked: Vec<(String, String)>) -> Result<Arc<Split>, String> {
    let (mut route, mut weights) = (None, Vec::new());
    for (name, value) in asked {
        if name == "route" {
            route = Some(value);
            continue;
        }
        let weight = value.parse();
        let weight = weight.map_err(|_none| format!("`{value}` is no weight for `{name}`"))?;
        weights.push((name, weight));
    }
    let split = match (&route, splits) {
        (_, []) => return Err(String::from("no route has a split")),
        (None, [only]) => only,
        (None, _) => return Err(String::from("say of which route: `?route=SELECTOR`")),
        (Some(route), all) => {
            let mut all = all.iter();
            let found = all.find(|one| *one.plan.route == **route);
            found.ok_or_else(|| format!("the route `{route}` has no split"))?
        }
    };
    if weights.is_empty() {
        return Err(String::from("say which weights: `?app=95&canary=5`"));
    }
    split.set(&weights)?;
    let route = &*split.plan.route;
    tracing::info!(route, ?weights, "the weights of a split were set");
    Ok(Arc::clone(split))
}
