//! What is counted, through the page that Prometheus reads.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::page::Form;
use super::{Metrics, expose};
use crate::call::record::{CallRecord, Record, Sink, Trace};
use crate::call::{Code, Fault, Peer};
use crate::schema::{BindingId, Schema, tests};
use crate::telemetry::clock::Clock;

const BOOKS: &str = r#"
    syntax = "proto3";
    package books;
    import "google/api/annotations.proto";
    message Book { string name = 1; }
    service Shop {
      rpc Get(Book) returns (Book) { option (google.api.http) = {get: "/v1/{name=books/*}"}; }
      rpc Put(Book) returns (Book) { option (google.api.http) = {put: "/v1/{name=books/*}" body: "*"}; }
    }
"#;

fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn long_ago() -> SystemTime {
    UNIX_EPOCH
}

fn metrics(workers: usize) -> Arc<Metrics> {
    let clock = Clock {
        monotonic: instant,
        wall: long_ago,
    };
    Arc::new(Metrics::new(workers, clock, "app:50051".to_owned()))
}

fn record(http_method: &str) -> CallRecord {
    let request = http::Request::builder().method(http_method).uri("/");
    let (head, ()) = request.body(()).unwrap().into_parts();
    let address = "127.0.0.1:1".parse().unwrap();
    let peer = Rc::new(Peer::new(address, address, false));
    CallRecord {
        protocol: "rest",
        ..CallRecord::new(instant(), peer, &head)
    }
}

/// A REST call of the first rule that took three milliseconds.
fn call(schema: &Arc<Schema>, path: &str) -> (CallRecord, Duration) {
    let id = schema.find(path).unwrap();
    let binding = schema
        .bindings
        .iter()
        .position(|binding| binding.method == id)
        .unwrap();
    let record = CallRecord {
        schema: Some(Arc::clone(schema)),
        method: Some(id),
        binding: Some(BindingId(u32::try_from(binding).unwrap())),
        http_status: Some(200),
        code: Some(Code::Ok),
        ..record("GET")
    };
    (record, Duration::from_millis(3))
}

/// The page in the text format.
fn page(metrics: &Metrics) -> String {
    expose::page(metrics, Form::Text, 0).finish()
}

/// The samples of the page whose lines begin with `name`, without comments.
fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
    page(metrics)
        .lines()
        .filter(|line| line.starts_with(name))
        .map(String::from)
        .collect()
}

#[test]
fn a_call_counts_by_rpc_and_by_template() {
    let schema = Arc::new(tests::schema(BOOKS));
    let metrics = metrics(2);
    metrics.adopt(&schema);
    // Two workers and a third that shares; the page adds them up.
    for shard in [metrics.shard(), metrics.shard(), metrics.shard()] {
        let (mut record, took) = call(&schema, "/books.Shop/Get");
        record.upstream_started = Some(record.started);
        record.upstream_answered = Some(record.started + Duration::from_millis(1));
        record.bytes_out = 10;
        record.messages_out = 1;
        record.attempts = 1;
        shard.started();
        shard.finished(&record, record.started + took);
    }
    let labels = r#"{grpc_method="books.Shop/Get",grpc_status="OK""#;
    let name = "grpc_server_call_duration_seconds";
    let found = samples(&metrics, name);
    assert_eq!(found.len(), 16 + 3, "one series: {found:#?}");
    assert!(found.contains(&format!("{name}_bucket{labels},le=\"0.002\"}} 0")));
    assert!(found.contains(&format!("{name}_bucket{labels},le=\"0.005\"}} 3")));
    assert!(found.contains(&format!("{name}_bucket{labels},le=\"+Inf\"}} 3")));
    assert!(found.contains(&format!("{name}_sum{labels}}} 0.009")));
    assert!(found.contains(&format!("{name}_count{labels}}} 3")));

    let labels = r#"{http_request_method="GET",http_route="/v1/{name=books/*}",http_response_status_code="200"}"#;
    let name = "http_server_request_duration_seconds";
    let found = samples(&metrics, name);
    assert_eq!(found.len(), 16 + 3, "one series: {found:#?}");
    assert!(found.contains(&format!("{name}_count{labels} 3")));

    for (sample, expected) in [
        (
            "sidegate_upstream_first_byte_seconds_sum",
            r#"{grpc_method="books.Shop/Get"} 0.003"#,
        ),
        (
            "grpc_server_call_sent_total_compressed_message_size_bytes_sum",
            r#"{grpc_method="books.Shop/Get"} 30"#,
        ),
        (
            "grpc_server_call_started_total",
            r#"{grpc_method="books.Shop/Get"} 3"#,
        ),
        (
            "sidegate_rpc_response_messages_total",
            r#"{grpc_method="books.Shop/Get"} 3"#,
        ),
        (
            "grpc_client_attempt_started_total",
            r#"{grpc_method="books.Shop/Get",grpc_target="app:50051"} 3"#,
        ),
        (
            "grpc_client_attempt_duration_seconds_sum",
            r#"{grpc_method="books.Shop/Get",grpc_target="app:50051",grpc_status="OK"} 0.009"#,
        ),
        ("sidegate_calls_total", r#"{protocol="rest"} 3"#),
        ("sidegate_calls_in_flight", " 0"),
    ] {
        assert_eq!(samples(&metrics, sample), [format!("{sample}{expected}")]);
    }
    assert_eq!(
        samples(&metrics, "sidegate_rpc_request_messages_total"),
        [""; 0]
    );
}

/// R10, fault 45.
#[test]
fn what_clients_make_up_makes_no_series() {
    let schema = Arc::new(tests::schema(BOOKS));
    let metrics = metrics(1);
    metrics.adopt(&schema);
    let shard = metrics.shard();
    let empty = page(&metrics).lines().count();
    for number in 0..1000 {
        let mut record = record(["GET", "MADEUP1", "MADEUP2"][number % 3]);
        record.schema = Some(Arc::clone(&schema));
        record.http_status = Some(404);
        record.fault(&Fault::invalid("NO_ROUTE", "no route"));
        shard.finished(&record, record.started);
    }
    let text = page(&metrics);
    // One rpc, two HTTP methods, one protocol, one reason.
    assert_eq!(
        text.lines().count(),
        empty + 3 * (16 + 3) + 2 + 1 + 2 * (8 + 3)
    );
    assert!(text.contains("grpc_method=\"other\",grpc_status=\"INVALID_ARGUMENT\""));
    assert!(text.contains("http_request_method=\"_OTHER\",http_route=\"other\""));
    assert!(text.contains("sidegate_faults_total{reason=\"NO_ROUTE\"} 1000"));
}

#[test]
fn a_reload_keeps_counting_and_forgets_what_is_gone() {
    let old = Arc::new(tests::schema(BOOKS));
    // `Another` moves the indices of what stays; `Put` goes.
    let text = BOOKS
        .replace(
            "service Shop",
            "service Another { rpc Get(Book) returns (Book); } service Shop",
        )
        .replace("rpc Put", "rpc Stock");
    let new = Arc::new(tests::schema(&text));
    let metrics = metrics(1);
    let shard = metrics.shard();
    let finish = |schema: &Arc<Schema>, path: &str| {
        let (record, took) = call(schema, path);
        shard.finished(&record, record.started + took);
    };
    let name = "grpc_server_call_duration_seconds_count";
    let count = |rpc: &str, count: u32| {
        format!("{name}{{grpc_method=\"{rpc}\",grpc_status=\"OK\"}} {count}")
    };

    metrics.adopt(&old);
    finish(&old, "/books.Shop/Get");
    finish(&old, "/books.Shop/Put");
    metrics.adopt(&new);
    finish(&new, "/books.Shop/Get");
    finish(&old, "/books.Shop/Get");
    finish(&old, "/books.Shop/Put");
    finish(&new, "/books.Shop/Stock");
    let mut expected = [count("books.Shop/Get", 3), count("books.Shop/Stock", 1)];
    assert_eq!(samples(&metrics, name), expected);
    let routes = samples(&metrics, "http_server_request_duration_seconds_count");
    assert_eq!(routes.len(), 2, "{routes:#?}");

    // The schema of long ago is not known any more.
    metrics.adopt(&new);
    finish(&old, "/books.Shop/Get");
    expected[1] = count("books.Shop/Stock", 1);
    let found = samples(&metrics, name);
    assert_eq!(found[..2], expected);
    assert_eq!(found[2..], [count("other", 1)]);
}

#[test]
fn calls_are_in_flight_until_their_record_is_dropped() {
    struct Counts(super::Shard);
    impl Sink for Counts {
        fn started(&self) {
            self.0.started();
        }
        fn finished(&self, record: &CallRecord) {
            self.0.finished(record, record.started);
        }
    }
    let metrics = metrics(1);
    let sink: Arc<dyn Sink> = Arc::new(Counts(metrics.shard()));
    let one = Record::new(record("GET"), Arc::clone(&sink));
    let two = Record::new(record("GET"), sink);
    assert_eq!(metrics.calls_in_flight(), 2);
    drop(one);
    assert_eq!(metrics.calls_in_flight(), 1);
    drop(two);
    assert_eq!(metrics.calls_in_flight(), 0);
}

#[test]
fn the_page_is_well_formed() {
    let metrics = metrics(1);
    metrics.adopt(&tests::schema(BOOKS));
    metrics.show(|page| page.single("connections_open", "gauge", "Open ones.", 3));
    let page = expose::page(&metrics, Form::Text, 7).finish();
    let mut families = std::collections::BTreeSet::new();
    for line in page.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            assert!(families.insert(family), "{family} stands twice");
        } else if !line.starts_with("# HELP ") {
            let (_, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(page.contains("\nsidegate_schema_loads_total 1\n"));
    assert!(page.contains("\nconnections_open 3\n"));
    assert!(page.contains("\nsidegate_access_log_dropped_lines_total 7\n"));
    assert!(page.contains("\nprocess_start_time_seconds 0\n"));
    assert!(page.contains("\nprocess_resident_memory_bytes "));
}

#[test]
fn a_snapshot_adds_the_workers_up() {
    let schema = Arc::new(tests::schema(BOOKS));
    let metrics = metrics(2);
    metrics.adopt(&schema);
    for shard in [metrics.shard(), metrics.shard()] {
        let (mut record, took) = call(&schema, "/books.Shop/Get");
        let ended = record.started + took;
        shard.started();
        shard.finished(&record, ended);
        record.http_status = Some(404);
        record.code = Some(Code::NotFound);
        record.reason = Some("TEST");
        shard.started();
        shard.finished(&record, ended);
        shard.started();
    }
    let seen = metrics.snapshot();
    assert_eq!(
        (seen.methods.len(), seen.routes.len()),
        (1, 1),
        "what never happened is left out"
    );
    let (rpc, codes) = &seen.methods[0];
    let counts: Vec<_> = codes
        .iter()
        .map(|(code, summary)| (*code, summary.count))
        .collect();
    assert_eq!(
        (&**rpc, counts),
        ("books.Shop/Get", vec![("OK", 2), ("NOT_FOUND", 2)])
    );
    let ((method, template), statuses) = &seen.routes[0];
    assert_eq!((&**method, &**template), ("GET", "/v1/{name=books/*}"));
    let counts: Vec<_> = statuses
        .iter()
        .map(|(status, summary)| (*status, summary.count))
        .collect();
    assert_eq!(counts, [(200, 2), (404, 2)]);
    assert_eq!(seen.in_flight, 2);
    assert_eq!(seen.protocols, [("rest", 4)]);
    assert_eq!(seen.reasons, [("TEST", 2)]);
}

/// A page that Prometheus takes as OpenMetrics: counters without `_total` in their families, traces
/// where one was sampled, and an end.
#[test]
fn openmetrics_has_exemplars_and_an_end() {
    let schema = Arc::new(tests::schema(BOOKS));
    let metrics = metrics(1);
    metrics.adopt(&schema);
    let shard = metrics.shard();
    let (mut record, took) = call(&schema, "/books.Shop/Get");
    record.trace = Some(Trace {
        trace_id: 0xabc,
        span_id: 1,
        parent: 0,
        upstream: 2,
        sampled: true,
        b3: false,
        b3_multi: false,
    });
    shard.finished(&record, record.started + took);
    let page = expose::page(&metrics, Form::OpenMetrics, 0).finish();
    assert!(page.ends_with("\n# EOF\n"));
    let bucket = format!(
        "le=\"0.005\"}} 1 # {{trace_id=\"{:032x}\"}} 0.003 0.000\n",
        0xabc
    );
    assert!(page.contains(&bucket), "{page}");
    assert!(page.contains("# TYPE sidegate_calls counter\nsidegate_calls_total{"));
    assert!(!page.contains("_total counter"));
    let text = self::page(&metrics);
    assert!(!text.contains("# {") && !text.contains("# EOF"));
}
