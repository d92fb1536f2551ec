//! `/loglevel`: what the gateway tells about itself, changed while it runs, for good or for a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::guard::refuse;
use crate::life::task::{self, Task};
use crate::telemetry::diagnostics::Level;

/// Levels, from little to much.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// No change lasts longer, unless it lasts for good.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The page; without a handle on the diagnostics it says that there is none.
pub(super) fn page(level: Option<Level>) -> Router {
    let state = Arc::new(LogLevel {
        level,
        passing: Arc::default(),
    });
    Router::new()
        .route("/loglevel", get(show).put(change).post(change))
        .layer(DefaultBodyLimit::max(4 << 10))
        .with_state(state)
}

struct LogLevel {
    level: Option<Level>,
    passing: Arc<Mutex<Option<Passing>>>,
}

/// A change that ends by itself.
struct Passing {
    /// What was told before it.
    before: String,
    ends: Instant,
    /// Ends the change; dropped when another one takes its place.
    _task: Task<()>,
}

/// How a change is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    level: Option<String>,
    #[serde(rename = "for")]
    time: Option<String>,
}

/// What holds.
#[derive(Serialize)]
struct View {
    level: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    falls_back_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_seconds: Option<u64>,
}

impl LogLevel {
    fn view(&self, level: &Level) -> View {
        let passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
        let passing = passing.as_ref();
        View {
            level: level.current(),
            falls_back_to: passing.map(|passing| passing.before.clone()),
            in_seconds: passing.map(|passing| {
                let left = passing.ends.saturating_duration_since(Instant::now());
                left.as_millis()
                    .div_ceil(1000)
                    .try_into()
                    .unwrap_or(u64::MAX)
            }),
        }
    }

    fn change(&self, level: &Level, wanted: &str, time: Option<Duration>) -> Result<(), String> {
        check(wanted)?;
        let mut passing = self.passing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = passing.take().map(|passing| passing.before);
        let before = before.unwrap_or_else(|| level.current());
        level.set(wanted).map_err(|error| error.to_string())?;
        tracing::info!(level = wanted, ?time, "the log level was changed");
        let Some(time) = time else { return Ok(()) };
        let (level, slot) = (level.clone(), Arc::clone(&self.passing));
        let back = before.clone();
        let task = task::spawn("log level", async move {
            sleep(time).await;
            if let Err(error) = level.set(&back) {
                tracing::error!(%error, "the log level cannot fall back");
            }
            // This task ends with it, which is fine: there is nothing more to do.
            slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
        *passing = Some(Passing {
            before,
            ends: Instant::now() + time,
            _task: task,
        });
        Ok(())
    }
}

async fn show(State(state): State<Arc<LogLevel>>) -> Response {
    match &state.level {
        Some(level) => Json(state.view(level)).into_response(),
        None => nobody(),
    }
}

async fn change(
    State(state): State<Arc<LogLevel>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let Some(level) = &state.level else {
        return nobody();
    };
    let changed = read(query.as_deref().unwrap_or_default(), &body)
        .and_then(|(wanted, time)| state.change(level, &wanted, time));
    match changed {
        Ok(()) => Json(state.view(level)).into_response(),
        Err(why) => refuse(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &why),
    }
}

fn nobody() -> Response {
    let message = "the program that the gateway is part of decides what is told";
    refuse(StatusCode::NOT_IMPLEMENTED, "UNIMPLEMENTED", message)
}

/// What is asked for: in the query, as JSON in the body, or as a body that is the level alone.
fn read(query: &str, body: &[u8]) -> Result<(String, Option<Duration>), String> {
    let text = std::str::from_utf8(body).map_err(|_not| "the body is no text".to_owned())?;
    let asked = if text.trim().is_empty() {
        from_query(query)?
    } else if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| format!("the body: {error}"))?
    } else {
        Asked {
            level: Some(text.trim().to_owned()),
            ..from_query(query)?
        }
    };
    let level = asked.level.ok_or_else(|| {
        "say `?level=debug`, and `&for=5m` if it is to fall back; or the same as JSON".to_owned()
    })?;
    Ok((level, asked.time.as_deref().map(period).transpose()?))
}

fn from_query(query: &str) -> Result<Asked, String> {
    let mut asked = Asked::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value =
            crate::route::path::decode_query(value, false).map_err(|error| error.to_string())?;
        match name {
            "level" => asked.level = Some(value.into_owned()),
            "for" => asked.time = Some(value.into_owned()),
            _ => return Err(format!("`{name}`: there are `level` and `for`")),
        }
    }
    Ok(asked)
}

/// Refuses what the filter would take for something else: a word that is no level names a module.
fn check(level: &str) -> Result<(), String> {
    for directive in level.split(',') {
        let (module, word) = match directive.split_once('=') {
            Some((module, word)) => (module, word),
            None => ("", directive),
        };
        if !LEVELS.contains(&word.trim()) || module.contains(char::is_whitespace) {
            let levels = LEVELS.join(", ");
            return Err(format!(
                "`{directive}` is no log level: there are {levels}, and `module=level` for a part \
                 of the gateway"
            ));
        }
    }
    Ok(())
}

/// A length of time: `90s`, `5m`, `1h`; a number alone is seconds.
fn period(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    let seconds = number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit));
    match seconds.map(Duration::from_secs) {
        Some(time) if !time.is_zero() && time <= LONGEST => Ok(time),
        _ => Err(format!(
            "`{text}` is no time such as 90s, 5m or 1h; at most 24h"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::diagnostics;

    #[tokio::test(start_paused = true)]
    async fn a_change_for_a_time_falls_back_to_what_was_before() {
        let (level, _guard) = diagnostics::for_tests("info");
        let page = LogLevel {
            level: Some(level.clone()),
            passing: Arc::default(),
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        page.change(&level, "debug", seconds(10)).unwrap();
        sleep(Duration::from_secs(5)).await;
        page.change(&level, "trace", seconds(10)).unwrap();
        let view = page.view(&level);
        assert_eq!(
            (&*view.level, view.falls_back_to.as_deref()),
            ("trace", Some("info"))
        );
        assert_eq!(view.in_seconds, Some(10));
        sleep(Duration::from_secs(9)).await;
        assert_eq!(
            level.current(),
            "trace",
            "the first change has been replaced"
        );
        sleep(Duration::from_secs(2)).await;
        assert_eq!(level.current(), "info");
        assert!(page.view(&level).falls_back_to.is_none());

        page.change(&level, "debug", seconds(10)).unwrap();
        page.change(&level, "warn", None).unwrap();
        sleep(Duration::from_secs(20)).await;
        assert_eq!(level.current(), "warn", "a change for good ends the other");
        assert!(page.change(&level, "loud", None).is_err());
        assert_eq!(level.current(), "warn");
    }

    #[test]
    fn a_change_is_asked_for_in_three_ways() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        for (query, body, level, time) in [
            ("level=debug", "", "debug", None),
            ("level=debug&for=5m", "", "debug", minutes(5)),
            ("for=1h", "warn\n", "warn", minutes(60)),
            (
                "level=warn%2Csidegate=trace",
                "",
                "warn,sidegate=trace",
                None,
            ),
            ("", r#"{"level":"trace","for":"60"}"#, "trace", minutes(1)),
        ] {
            assert_eq!(
                read(query, body.as_bytes()),
                Ok((level.to_owned(), time)),
                "{query}{body}"
            );
        }
        for (query, body) in [
            ("", ""),
            ("lvl=debug", ""),
            ("level=debug&for=5", "{"),
            ("level=debug&for=0s", ""),
            ("level=debug&for=25h", ""),
            ("level=debug&for=5d", ""),
            ("level=debug&for=99999999999999999999s", ""),
            ("", r#"{"level":"debug","until":"never"}"#),
        ] {
            assert!(read(query, body.as_bytes()).is_err(), "{query}{body}");
        }
    }

    #[test]
    fn words_that_are_no_levels_are_refused() {
        for good in ["debug", "off", "warn,sidegate::source=debug", "h2=error"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "loud",
            "DEBUG!",
            "sidegate=loud",
            "sidegate",
            "warn,",
            "a b=info",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
