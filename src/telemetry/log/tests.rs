//! Lines of calls as they would come from anywhere: one each, whole, and readable (fault 44).

use std::rc::Rc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::HeaderMap;
use serde_json::{Value, json};

use super::line::{self, Entry, LIMIT};
use super::{AccessLog, Format, Options};
use crate::call::record::{CallRecord, Trace};
use crate::call::{Code, Fault, Peer};
use crate::telemetry::queue;

/// The head of a request as a client may send it.
fn record(started: Instant, request: http::request::Builder) -> CallRecord {
    let (head, ()) = request.body(()).unwrap().into_parts();
    let [address, local] = ["192.0.2.1:4711", "192.0.2.2:8081"].map(|text| text.parse().unwrap());
    let peer = Rc::new(Peer::new(address, local, false));
    CallRecord {
        protocol: "rest",
        ..CallRecord::new(started, peer, &head)
    }
}

fn json_line(entry: &Entry<'_>) -> String {
    let mut out = String::new();
    line::json(entry, &[], &mut out);
    out
}

fn text_line(entry: &Entry<'_>) -> String {
    let mut out = String::new();
    line::text(entry, &[], &mut out);
    out
}

fn at(started: Instant, record: &CallRecord) -> Entry<'_> {
    Entry {
        record,
        ended: started + Duration::from_micros(12_345),
        wall: UNIX_EPOCH + Duration::from_millis(1_700_000_000_007),
    }
}

fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[test]
fn a_call_that_went_well() {
    let started = instant();
    let mut record = record(
        started,
        http::Request::get("/v1/shelves/scifi?page_size=3&access_token=abc")
            .header("user-agent", "curl/8"),
    );
    record.http_status = Some(200);
    record.code = Some(Code::Ok);
    record.endpoint = Some("127.0.0.1:50051".into());
    record.attempts = 1;
    record.bytes_out = 120;
    record.messages_in = 1;
    record.messages_out = 1;
    record.upstream_started = Some(started + Duration::from_millis(1));
    record.upstream_answered = Some(started + Duration::from_millis(3));

    let entry = at(started, &record);
    assert_eq!(
        json_line(&entry),
        concat!(
            r#"{"time":"2023-11-14T22:13:20.007Z","event":"call","protocol":"rest","method":"GET","#,
            r#""path":"/v1/shelves/scifi","query":"page_size=3&access_token=***","#,
            r#""http_status":200,"grpc_status":"OK","endpoint":"127.0.0.1:50051","attempts":1,"#,
            r#""bytes_in":0,"bytes_out":120,"messages_in":1,"messages_out":1,"#,
            r#""queue_ms":1.000,"upstream_ms":2.000,"total_ms":12.345,"peer":"192.0.2.1:4711","user_agent":"curl/8"}"#,
            "\n"
        )
    );
    assert_eq!(
        text_line(&entry),
        "22:13:20.007  200    12.345 ms  rest     \
         GET /v1/shelves/scifi?page_size=3&access_token=***\n"
    );
}

#[test]
fn a_call_that_failed_says_why() {
    let started = instant();
    let mut record = record(started, http::Request::post("/v1/shelves"));
    record.http_status = Some(503);
    record.fault(
        &Fault::unavailable("NO_APP", "the app is away").with_cause("refused: \x1b[31m\r\n"),
    );
    record.upstream_started = Some(started);

    let entry = at(started, &record);
    let read: Value = serde_json::from_str(&json_line(&entry)).unwrap();
    assert_eq!(read["reason"], "NO_APP");
    assert_eq!(read["cause"], "refused: \x1b[31m\r\n");
    assert_eq!(
        read["upstream_ms"],
        json!(12.345),
        "it was waited for to the end"
    );
    assert_eq!(
        text_line(&entry),
        "22:13:20.007  503    12.345 ms  rest     POST /v1/shelves  \
         UNAVAILABLE NO_APP: refused: \\u001b[31m\\r\\n\n"
    );
}

#[test]
fn whatever_is_sent_is_one_line_of_bounded_length() {
    let long = "%1b[2J".repeat(3_000);
    let mut agent = vec![0xff, 0x9b, b'"', b'\\', b'\t'];
    agent.extend(std::iter::repeat_n(0xc3, 60_000));
    let started = instant();
    let mut record = record(
        started,
        http::Request::builder()
            .method("X".repeat(1000).as_str())
            .uri(format!("/{long}?token={long}&{long}"))
            .header("user-agent", http::HeaderValue::from_bytes(&agent).unwrap()),
    );
    record.cause = Some("\u{9b}\u{202e}\0\n".repeat(10_000));
    record.endpoint = Some("\\".repeat(10_000).into());
    for count in [
        &mut record.bytes_in,
        &mut record.bytes_out,
        &mut record.messages_in,
        &mut record.messages_out,
    ] {
        *count = u64::MAX;
    }
    record.trace = Some(Trace {
        trace_id: u128::MAX,
        span_id: u64::MAX,
        parent: 1,
        upstream: 1,
        sampled: true,
        b3: false,
        b3_multi: false,
    });
    for number in 0..20 {
        let name = format!("x-{}-{number}", "long".repeat(20)).parse().unwrap();
        record
            .logged
            .push((name, http::HeaderValue::from_bytes(&agent).unwrap()));
    }
    record.http_status = Some(u16::MAX);
    record.fault(&Fault::deadline().with_cause("\u{9b}\u{202e}\0\n".repeat(10_000)));

    let entry = at(started, &record);
    for line in [json_line(&entry), text_line(&entry)] {
        assert!(line.len() <= LIMIT, "{} bytes", line.len());
        assert_eq!(line.find('\n'), Some(line.len() - 1), "one line");
        let bare = line.trim_end();
        assert!(!bare.contains(|c: char| c.is_control() || c == '\u{202e}'));
    }
    let read: Value = serde_json::from_str(&json_line(&entry)).unwrap();
    assert!(
        read["user_agent"]
            .as_str()
            .unwrap()
            .starts_with("\u{fffd}\u{fffd}\"\\\t")
    );
    assert!(read["query"].as_str().unwrap().starts_with("token=***&%1b"));
}

/// The limits of the fields leave room for everything else in a line, names of routes included.
#[test]
fn the_limits_add_up() {
    let fields = line::FIELD_LIMITS.iter().sum::<usize>();
    let rest = 1024;
    assert!(fields + rest <= LIMIT, "{fields}");
}

#[test]
fn configured_headers_are_shown_and_secrets_are_not() {
    let mut record = record(instant(), http::Request::get("/"));
    let sent = [
        ("x-request-id", "a\"b"),
        ("authorization", "Bearer x"),
        ("x-api-key", "y"),
        ("x-note", "Basic z"),
        ("x-other", "o"),
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        headers.insert(name, value.parse().unwrap());
    }
    let (queue, _flush) = queue::start("test", 1 << 16, std::io::sink()).unwrap();
    let options = Options {
        headers: sent[..4]
            .iter()
            .map(|(name, _)| name.parse().unwrap())
            .collect(),
        ..Options::default()
    };
    AccessLog::new(Format::Json, queue, options).begin(&mut record, &headers);
    let started = record.started;
    let line = json_line(&at(started, &record));
    let read: Value = serde_json::from_str(&line).unwrap();
    let expected = json!({"x-request-id": "a\"b", "authorization": "***", "x-api-key": "***", "x-note": "***"});
    assert_eq!(read["headers"], expected, "{line}");
}

#[test]
fn a_line_names_the_trace() {
    let mut record = record(instant(), http::Request::get("/"));
    record.trace = Some(Trace {
        trace_id: 0xabc,
        span_id: 0xdef,
        parent: 0,
        upstream: 1,
        sampled: false,
        b3: false,
        b3_multi: false,
    });
    let started = record.started;
    let read: Value = serde_json::from_str(&json_line(&at(started, &record))).unwrap();
    assert_eq!(read["trace_id"], format!("{:032x}", 0xabc));
    assert_eq!(read["span_id"], format!("{:016x}", 0xdef));
}

#[test]
fn sampling_keeps_every_failure() {
    for (sample, least, most) in [(0.0, 0, 0), (0.25, 150, 350), (1.0, 1000, 1000)] {
        let (queue, _flush) = queue::start("test", 1 << 24, std::io::sink()).unwrap();
        let options = Options {
            sample,
            ..Options::default()
        };
        let log = AccessLog::new(Format::Json, queue, options);
        let mut record = record(instant(), http::Request::get("/"));
        record.http_status = Some(200);
        record.code = Some(Code::Ok);
        let kept = (0..1000).filter(|_| log.wants(&record)).count();
        assert!((least..=most).contains(&kept), "{kept} of 1000 at {sample}");
        record.code = Some(Code::NotFound);
        assert!((0..1000).all(|_| log.wants(&record)));
        record.code = None;
        record.http_status = Some(404);
        assert!((0..1000).all(|_| log.wants(&record)));
    }
}
