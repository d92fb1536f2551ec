//! [`Tap`]: finished calls as they end, for whoever listens at the moment.
//!
//! A call costs one look at a flag while nobody listens. A listener says which calls it wants; it
//! gets their lines of the access log, redacted as those are, through a bounded queue. What a slow
//! listener has no room for is dropped and counted, so that no worker ever waits for one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::log::line::{self, Entry};
use crate::call::Code;
use crate::call::record::CallRecord;
use crate::live::Live;

/// As many may listen at a time.
const MOST_LISTENERS: usize = 8;

/// So many lines wait for a listener; none is longer than [`line::LIMIT`].
const WAITING: usize = 256;

/// Where calls are heard of. Clones are the same tap.
#[derive(Clone, Debug, Default)]
pub struct Tap(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Whether there is a listener: all that a call looks at as a rule.
    open: AtomicBool,
    listeners: Live<Vec<Arc<Listener>>>,
    /// Query parameters that are hidden besides those that look secret, in lower case.
    hidden: Live<Vec<Box<str>>>,
    /// Held while the list changes; workers only read it.
    changing: Mutex<()>,
}

#[derive(Debug)]
struct Listener {
    filter: Filter,
    lines: mpsc::Sender<String>,
    dropped: AtomicU64,
}

/// Which calls a listener wants; an empty one wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The template of the route, with or without the HTTP method before it.
    pub route: Option<String>,
    /// `pkg.Service/Method`, or a service.
    pub rpc: Option<String>,
    /// An HTTP status (`404`), a class of them (`5xx`) or the name of a gRPC status (`NOT_FOUND`).
    pub status: Option<String>,
    /// Only calls that did not end well.
    pub errors: bool,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Listening {
    tap: Tap,
    listener: Arc<Listener>,
    lines: mpsc::Receiver<String>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            open: AtomicBool::new(false),
            listeners: Live::new(Vec::new()),
            hidden: Live::new(Vec::new()),
            changing: Mutex::default(),
        }
    }
}

impl Tap {
    /// Hears the calls that end from now on; `None` when too many listen already.
    pub fn listen(&self, filter: Filter) -> Option<Listening> {
        let (sender, lines) = mpsc::channel(WAITING);
        let listener = Arc::new(Listener {
            filter,
            lines: sender,
            dropped: AtomicU64::new(0),
        });
        let one_at_a_time = self.0.changing.lock();
        let _one_at_a_time = one_at_a_time.unwrap_or_else(PoisonError::into_inner);
        let mut listeners = Vec::clone(&self.0.listeners.load());
        if listeners.len() >= MOST_LISTENERS {
            return None;
        }
        listeners.push(Arc::clone(&listener));
        self.0.listeners.publish(listeners);
        self.0.open.store(true, Ordering::Relaxed);
        Some(Listening {
            tap: self.clone(),
            listener,
            lines,
        })
    }

    /// Hides these query parameters from now on, as the access log does.
    pub fn hide(&self, names: Vec<Box<str>>) {
        self.0.hidden.publish(names);
    }

    /// Whether anybody listens.
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Tells of a call that has ended.
    #[cold]
    pub fn tell(&self, entry: &Entry<'_>) {
        let mut made: Option<String> = None;
        for listener in self.0.listeners.peek().iter() {
            if !listener.filter.wants(entry.record) {
                continue;
            }
            let line = made.get_or_insert_with(|| {
                let mut line = String::new();
                line::json(entry, &self.0.hidden.peek(), &mut line);
                line
            });
            if listener.lines.try_send(line.clone()).is_err() {
                listener.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Listening {
    /// The next call, as one JSON object and a line end.
    pub async fn next(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// How many calls had no room so far.
    pub fn dropped(&self) -> u64 {
        self.listener.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let shared = &self.tap.0;
        let _one_at_a_time = shared
            .changing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut listeners = Vec::clone(&shared.listeners.load());
        listeners.retain(|one| !Arc::ptr_eq(one, &self.listener));
        shared.open.store(!listeners.is_empty(), Ordering::Relaxed);
        shared.listeners.publish(listeners);
    }
}

impl Filter {
    /// Whether a call is wanted.
    fn wants(&self, record: &CallRecord) -> bool {
        let all = |wanted: &Option<String>, fits: &dyn Fn(&str) -> bool| {
            wanted.as_deref().is_none_or(fits)
        };
        (!self.errors || is_error(record))
            && all(&self.route, &|route| is_route(record, route))
            && all(&self.rpc, &|rpc| is_rpc(record, rpc))
            && all(&self.status, &|status| is_status(record, status))
    }
}

fn is_error(record: &CallRecord) -> bool {
    record.code != Some(Code::Ok) || record.http_status.is_some_and(|status| status >= 400)
}

fn is_route(record: &CallRecord, route: &str) -> bool {
    let (Some(schema), Some(binding)) = (&record.schema, record.binding) else {
        return false;
    };
    let binding = schema.binding(binding);
    let (method, template) = match route.split_once(' ') {
        Some((method, template)) => (Some(method), template),
        None => (None, route),
    };
    binding.template.as_str() == template
        && method.is_none_or(|method| method == &*binding.http_method)
}

fn is_rpc(record: &CallRecord, rpc: &str) -> bool {
    let (Some(schema), Some(method)) = (&record.schema, record.method) else {
        return false;
    };
    let (wanted, path) = (rpc.trim_start_matches('/'), &schema.method(method).path);
    let path = path.trim_start_matches('/');
    let service = path.split('/').next();
    path == wanted || service == Some(wanted)
}

fn is_status(record: &CallRecord, status: &str) -> bool {
    let http = record.http_status.unwrap_or(0);
    match status.strip_suffix("xx") {
        Some(class) => class.parse() == Ok(http / 100),
        None => status.parse() == Ok(http) || record.code.is_some_and(|code| code.name() == status),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::call::Peer;
    use crate::schema::tests::schema;
    use crate::schema::{BindingId, Schema};

    const BOOKS: &str = r#"
        syntax = "proto3";
        package shop;
        import "google/api/annotations.proto";
        message Book { string name = 1; }
        service Books {
          rpc Get(Book) returns (Book) { option (google.api.http) = {get: "/v1/{name}"}; }
        }
    "#;

    fn call(schema: &Arc<Schema>, status: u16, code: Code) -> CallRecord {
        let request = http::Request::get("/v1/a?access_token=x&mine=y")
            .body(())
            .unwrap();
        let ends = "127.0.0.1:1".parse().unwrap();
        let peer = Rc::new(Peer::new(ends, ends, false));
        let started = tokio::time::Instant::now().into_std();
        let mut record = CallRecord::new(started, peer, &request.into_parts().0);
        record.binding = Some(BindingId(0));
        record.method = Some(schema.binding(BindingId(0)).method);
        record.schema = Some(Arc::clone(schema));
        record.http_status = Some(status);
        record.code = Some(code);
        record
    }

    fn tell(tap: &Tap, record: &CallRecord) {
        tap.tell(&Entry {
            record,
            ended: record.started,
            wall: UNIX_EPOCH,
        });
    }

    #[test]
    fn a_listener_says_what_it_wants() {
        let schema = Arc::new(schema(BOOKS));
        let (good, bad) = (
            call(&schema, 200, Code::Ok),
            call(&schema, 404, Code::NotFound),
        );
        let filter = |key: &str, value: &str| {
            let given = |name: &str| (key == name).then(|| value.to_owned());
            Filter {
                route: given("route"),
                rpc: given("rpc"),
                status: given("status"),
                errors: key == "errors",
            }
        };
        for (key, value, wants_good, wants_bad) in [
            ("", "", true, true),
            ("errors", "", false, true),
            ("status", "404", false, true),
            ("status", "2xx", true, false),
            ("status", "NOT_FOUND", false, true),
            ("status", "nonsense", false, false),
            ("route", "/v1/{name}", true, true),
            ("route", "GET /v1/{name}", true, true),
            ("route", "PUT /v1/{name}", false, false),
            ("rpc", "/shop.Books/Get", true, true),
            ("rpc", "shop.Books", true, true),
            ("rpc", "shop", false, false),
        ] {
            let filter = filter(key, value);
            assert_eq!(filter.wants(&good), wants_good, "{filter:?}");
            assert_eq!(filter.wants(&bad), wants_bad, "{filter:?}");
        }
        let nowhere = CallRecord {
            binding: None,
            method: None,
            ..call(&schema, 404, Code::NotFound)
        };
        assert!(filter("", "").wants(&nowhere));
        assert!(!filter("rpc", "shop.Books").wants(&nowhere));
    }

    #[tokio::test]
    async fn a_slow_listener_loses_lines_and_delays_nobody() {
        let schema = Arc::new(schema(BOOKS));
        let tap = Tap::default();
        assert!(!tap.is_open());
        tap.hide(vec!["mine".into()]);
        let mut slow = tap.listen(Filter::default()).unwrap();
        let deaf = tap
            .listen(Filter {
                errors: true,
                ..Filter::default()
            })
            .unwrap();
        assert!(tap.is_open());
        let record = call(&schema, 200, Code::Ok);
        for _ in 0..WAITING + 7 {
            tell(&tap, &record);
        }
        assert_eq!((slow.dropped(), deaf.dropped()), (7, 0));
        let line = slow.next().await.unwrap();
        assert!(
            line.contains("\"query\":\"access_token=***&mine=***\""),
            "{line}"
        );
        drop(slow);
        assert!(tap.is_open());
        drop(deaf);
        assert!(!tap.is_open());
    }

    #[test]
    fn listeners_are_few() {
        let tap = Tap::default();
        let all: Vec<_> = std::iter::from_fn(|| tap.listen(Filter::default())).collect();
        assert_eq!(all.len(), MOST_LISTENERS);
        drop(all);
        assert!(tap.listen(Filter::default()).is_some());
    }
}
