//! Which trace a call belongs to, what the app is told of it, and what the collector gets.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::HeaderMap;
use prost::Message;

use super::{B3Out, Params, Resource, Tracer, count, request};
use crate::call::metadata::tell;
use crate::call::record::{CallRecord, Trace};
use crate::call::{Code, Fault, Peer};
use crate::schema::{BindingId, tests};
use crate::telemetry::log::line::Entry;
use crate::telemetry::queue::{self, Flush, Output};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// What of OTLP the tests look at.
mod pb {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Request {
        #[prost(message, repeated, tag = "1")]
        pub(super) resources: Vec<ResourceSpans>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ResourceSpans {
        #[prost(message, optional, tag = "1")]
        pub(super) resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")]
        pub(super) scopes: Vec<ScopeSpans>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Resource {
        #[prost(message, repeated, tag = "1")]
        pub(super) attributes: Vec<Attribute>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ScopeSpans {
        #[prost(message, repeated, tag = "2")]
        pub(super) spans: Vec<Span>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Span {
        #[prost(bytes = "vec", tag = "1")]
        pub(super) trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) span_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        pub(super) parent: Vec<u8>,
        #[prost(string, tag = "5")]
        pub(super) name: String,
        #[prost(int32, tag = "6")]
        pub(super) kind: i32,
        #[prost(fixed64, tag = "7")]
        pub(super) started: u64,
        #[prost(fixed64, tag = "8")]
        pub(super) ended: u64,
        #[prost(message, repeated, tag = "9")]
        pub(super) attributes: Vec<Attribute>,
        #[prost(message, optional, tag = "15")]
        pub(super) status: Option<Status>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Status {
        #[prost(string, tag = "2")]
        pub(super) message: String,
        #[prost(int32, tag = "3")]
        pub(super) code: i32,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Attribute {
        #[prost(string, tag = "1")]
        pub(super) key: String,
        #[prost(message, optional, tag = "2")]
        pub(super) value: Option<Value>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Value {
        #[prost(string, optional, tag = "1")]
        pub(super) text: Option<String>,
        #[prost(int64, optional, tag = "3")]
        pub(super) number: Option<i64>,
    }
}

/// Forgets what it gets.
struct Nowhere;

impl Output for Nowhere {
    fn take(&mut self, _batch: &[u8]) -> u64 {
        0
    }
}

fn params() -> (Params, Flush) {
    let (queue, flush) = queue::start_to("test", 1 << 16, Nowhere).unwrap();
    let params = Params {
        sample: 1.0,
        follow: true,
        b3: B3Out::Follow,
        queue,
    };
    (params, flush)
}

fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn record() -> CallRecord {
    let request = http::Request::get("/v1/books/a?token=x").header("user-agent", "curl/8");
    let (head, ()) = request.body(()).unwrap().into_parts();
    let address = "127.0.0.1:1".parse().unwrap();
    CallRecord::new(
        instant(),
        Rc::new(Peer::new(address, address, false)),
        &head,
    )
}

fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

/// What becomes of a request with these headers.
fn begin(tracer: &Tracer, pairs: &[(&'static str, String)]) -> (Option<Trace>, HeaderMap) {
    let (mut record, mut headers) = (record(), headers(pairs));
    tracer.begin(&mut record, &mut headers);
    // As the head of the request to the app will be.
    if let Some(told) = record.trace.as_ref().and_then(Trace::told) {
        let before = headers.len();
        tell(&mut headers, &told);
        let three = 1 + usize::from(told.b3) + 3 * usize::from(told.b3_multi);
        assert_eq!(headers.len(), before + three, "none stayed of the client's");
    }
    (record.trace, headers)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_trace_of_a_client_goes_on_below_its_span() {
    let (params, _flush) = params();
    let tracer = Tracer::On(Box::new(params));
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let state = ("tracestate", "a=1".to_owned());
    let (of, headers) = begin(&tracer, &[("traceparent", parent), state]);
    let of = of.unwrap();
    assert_eq!(
        format!("{:032x} {:016x}", of.trace_id, of.parent),
        format!("{TRACE} {SPAN}")
    );
    assert!(of.sampled && of.span_id != of.upstream && of.span_id != of.parent);
    let told = format!("00-{TRACE}-{:016x}-01", of.upstream);
    assert_eq!(text(&headers, "traceparent"), told);
    assert_eq!(text(&headers, "tracestate"), "a=1");
    assert!(headers.keys().all(|name| !name.as_str().contains("b3")));

    let unsampled = ("traceparent", format!("00-{TRACE}-{SPAN}-00"));
    let (of, headers) = begin(&tracer, &[unsampled]);
    assert!(!of.unwrap().sampled, "the client's decision holds");
    assert!(text(&headers, "traceparent").ends_with("-00"));
}

#[test]
fn what_is_no_context_begins_a_trace() {
    let (params, _flush) = params();
    let tracer = Tracer::On(Box::new(params.clone()));
    let good = ("traceparent", format!("00-{TRACE}-{SPAN}-01"));
    for pairs in [
        vec![],
        vec![("traceparent", "00-x".to_owned())],
        vec![good.clone(), good.clone()],
        vec![("b3", "1".to_owned())],
    ] {
        let mut pairs = pairs;
        pairs.push(("tracestate", "a=1".to_owned()));
        let (of, headers) = begin(&tracer, &pairs);
        let of = of.unwrap();
        assert_eq!(of.parent, 0, "{pairs:?}");
        assert_ne!(format!("{:032x}", of.trace_id), TRACE);
        let told = format!("00-{:032x}-{:016x}-01", of.trace_id, of.upstream);
        assert_eq!(text(&headers, "traceparent"), told);
        assert_eq!(headers.get_all("traceparent").iter().count(), 1);
        assert_eq!(
            text(&headers, "tracestate"),
            "",
            "it belonged to another trace"
        );
    }
    let restart = Tracer::On(Box::new(Params {
        follow: false,
        ..params
    }));
    assert_eq!(begin(&restart, &[good]).0.unwrap().parent, 0);
}

#[test]
fn b3_comes_in_and_goes_out_in_both_forms() {
    let (params, _flush) = params();
    let single = || vec![("b3", format!("{TRACE}-{SPAN}-1-{SPAN}"))];
    let multi = || {
        vec![
            ("x-b3-traceid", TRACE.to_owned()),
            ("x-b3-spanid", SPAN.to_owned()),
            ("x-b3-parentspanid", SPAN.to_owned()),
            ("x-b3-sampled", "1".to_owned()),
        ]
    };
    for (out, pairs, has_single, has_multi) in [
        (B3Out::Follow, single(), true, false),
        (B3Out::Follow, multi(), false, true),
        (B3Out::Follow, vec![], false, false),
        (B3Out::Off, multi(), false, false),
        (B3Out::Single, multi(), true, false),
        (B3Out::Multi, single(), false, true),
        (B3Out::Multi, vec![], false, true),
    ] {
        let tracer = Tracer::On(Box::new(Params {
            b3: out,
            ..params.clone()
        }));
        let (of, headers) = begin(&tracer, &pairs);
        let of = of.unwrap();
        if !pairs.is_empty() {
            assert_eq!(
                format!("{:032x} {:016x}", of.trace_id, of.parent),
                format!("{TRACE} {SPAN}")
            );
        }
        let (trace, span) = (
            format!("{:032x}", of.trace_id),
            format!("{:016x}", of.upstream),
        );
        let expected = if has_single {
            format!("{trace}-{span}-1")
        } else {
            String::new()
        };
        assert_eq!(text(&headers, "b3"), expected, "{out:?} {pairs:?}");
        let expected = if has_multi {
            [&*trace, &*span, "1"]
        } else {
            [""; 3]
        };
        let found =
            ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"].map(|name| text(&headers, name));
        assert_eq!(found, expected, "{out:?} {pairs:?}");
        assert_eq!(text(&headers, "x-b3-parentspanid"), "");
    }
}

#[test]
fn a_share_of_new_traces_is_recorded() {
    let (params, _flush) = params();
    for (sample, low, high) in [(0.0, 0, 0), (0.25, 2_200, 2_800), (1.0, 10_000, 10_000)] {
        let tracer = Tracer::On(Box::new(Params {
            sample,
            ..params.clone()
        }));
        let sampled = (0..10_000)
            .filter(|_| begin(&tracer, &[]).0.unwrap().sampled)
            .count();
        assert!(
            (low..=high).contains(&sampled),
            "{sampled} of 10,000 at {sample}"
        );
    }
}

#[test]
fn without_a_collector_log_lines_name_the_trace_and_headers_pass() {
    let pairs = [("traceparent", format!("00-{TRACE}-{SPAN}-01"))];
    let (of, headers) = begin(&Tracer::Read, &pairs);
    let of = of.unwrap();
    assert_eq!(
        format!("{:032x} {:016x}", of.trace_id, of.span_id),
        format!("{TRACE} {SPAN}")
    );
    assert_eq!(text(&headers, "traceparent"), pairs[0].1);
    assert_eq!(begin(&Tracer::Read, &[]).0, None);
    assert_eq!(begin(&Tracer::Off, &pairs).0, None);
}

fn spans(record: &CallRecord, took: Duration) -> Vec<pb::Span> {
    let entry = Entry {
        record,
        ended: record.started + took,
        wall: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
    };
    let mut written = Vec::new();
    super::otlp::spans(&entry, record.trace.as_ref().unwrap(), &mut written);
    let resource = Resource {
        service: "books".to_owned(),
        instance: "host:1".to_owned(),
    };
    let message = request(&resource, &written);
    let request = pb::Request::decode(message.as_slice()).unwrap();
    let [of] = &request.resources[..] else {
        panic!("{request:?}")
    };
    let own = &of.resource.as_ref().unwrap().attributes[0];
    assert_eq!(own.key, "service.name");
    let [scope] = &of.scopes[..] else {
        panic!("{of:?}")
    };
    assert_eq!(count(&written), scope.spans.len() as u64);
    scope.spans.clone()
}

fn attribute(span: &pb::Span, key: &str) -> String {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key);
    found
        .and_then(|found| found.value.clone())
        .map_or_else(String::new, |value| {
            value
                .text
                .unwrap_or_else(|| value.number.unwrap().to_string())
        })
}

#[test]
fn a_call_has_a_span_and_one_for_asking_the_app() {
    let schema = Arc::new(tests::schema(
        r#"syntax = "proto3"; package books; import "google/api/annotations.proto";
        message Book { string name = 1; }
        service Shop { rpc Get(Book) returns (Book) { option (google.api.http) = {get: "/v1/{name=books/*}"}; } }"#,
    ));
    let (params, _flush) = params();
    let mut record = record();
    params.begin(
        &mut record,
        &mut headers(&[("traceparent", format!("00-{TRACE}-{SPAN}-01"))]),
    );
    record.method = schema.find("/books.Shop/Get");
    record.binding = Some(BindingId(0));
    record.schema = Some(schema);
    record.http_status = Some(200);
    record.code = Some(Code::Ok);
    record.attempts = 1;
    record.endpoint = Some("127.0.0.1:50051".into());
    record.upstream_started = Some(record.started + Duration::from_millis(1));
    let found = spans(&record, Duration::from_millis(3));
    let [server, client] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((server.kind, client.kind), (2, 3));
    assert_eq!(server.trace_id, client.trace_id);
    assert_eq!(server.parent, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    assert_eq!(client.parent, server.span_id);
    assert_eq!(client.span_id, record.trace.unwrap().upstream.to_be_bytes());
    assert_eq!(server.name, "GET /v1/{name=books/*}");
    assert_eq!(client.name, "books.Shop/Get");
    assert_eq!(server.ended, 1_700_000_000_000_000_000);
    assert_eq!(server.ended - server.started, 3_000_000);
    assert_eq!(client.ended - client.started, 2_000_000);
    for (key, expected) in [
        ("http.route", "/v1/{name=books/*}"),
        ("url.path", "/v1/books/a"),
        ("http.response.status_code", "200"),
        ("rpc.service", "books.Shop"),
        ("rpc.method", "Get"),
        ("rpc.grpc.status_code", "0"),
        ("user_agent.original", "curl/8"),
        ("client.address", "127.0.0.1:1"),
    ] {
        assert_eq!(attribute(server, key), expected, "{key}");
    }
    assert_eq!(attribute(client, "server.address"), "127.0.0.1:50051");
    assert!(server.status.is_none() && client.status.is_none());
}

/// Fault 44: whatever a client sends, its span is bounded and sound.
#[test]
fn a_call_that_fails_says_why_within_bounds() {
    let (params, _flush) = params();
    let path = format!("/{}", "ü".repeat(3_000).replace('ü', "%c3"));
    let request = http::Request::builder()
        .method("X".repeat(5_000).as_str())
        .uri(path);
    let (head, ()) = request.body(()).unwrap().into_parts();
    let mut record = CallRecord {
        http_method: head.method,
        uri: head.uri,
        ..record()
    };
    params.begin(&mut record, &mut HeaderMap::new());
    record.fault(&Fault::unavailable("NO_APP", "the app is away"));
    record.http_status = Some(503);
    let found = spans(&record, Duration::ZERO);
    let [server] = &found[..] else {
        panic!("{found:?}")
    };
    let status = server.status.as_ref().unwrap();
    assert_eq!((status.code, &*status.message), (2, "UNAVAILABLE: NO_APP"));
    assert_eq!(attribute(server, "error.type"), "NO_APP");
    assert_eq!(server.parent, b"");
    assert!(server.encoded_len() < 8 << 10, "{}", server.encoded_len());
}
