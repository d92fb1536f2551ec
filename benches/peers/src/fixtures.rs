//! What is asked and answered: the schema, and for every method one request and one answer, as
//! JSON and on the wire. All of it is made here and always the same.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Value, json};

/// Messages in the stream.
pub const STREAMED: usize = 1_000;

/// Bytes in the download.
pub const BLOB: usize = 1 << 20;

/// One method with one request and its answer.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// `/package.Service/Method`.
    pub rpc: &'static str,
    /// The method of HTTP.
    pub method: &'static str,
    /// The path and query of the REST call.
    pub path: &'static str,
    /// The body of the REST call.
    pub body: Option<Bytes>,
    /// The request on the wire, without a frame.
    pub request: Bytes,
    /// One message of the answer on the wire, without a frame.
    pub answer: Bytes,
    /// The same as JSON; for the download its bytes.
    pub json: Bytes,
    /// How many messages are answered, where it is a stream.
    pub streamed: Option<usize>,
}

/// The schema and all fixtures.
#[derive(Debug)]
pub struct Fixtures {
    /// The schema.
    pub pool: DescriptorPool,
    /// A descriptor set with everything that is imported.
    pub descriptor_set: Vec<u8>,
    /// By name of the row that they are for.
    pub all: Vec<(&'static str, Fixture)>,
}

/// The directories that protos are looked for in: ours, and Google's as the gateway ships them.
pub fn includes() -> [PathBuf; 2] {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    [here.join("proto"), here.join("../../src/schema/builtin")]
}

/// Compiles the schema and makes all fixtures.
pub fn fixtures() -> Fixtures {
    let mut compiler = protox::Compiler::new(includes()).expect("the directories exist");
    compiler.include_imports(true);
    compiler
        .open_file("yard/v1/yard.proto")
        .expect("the schema compiles");
    let descriptor_set = compiler.encode_file_descriptor_set();
    let pool = compiler.descriptor_pool();
    let one = |name: &str, request, answer| Ask {
        pool: &pool,
        rpc_name: name.to_owned(),
        request,
        answer,
    };
    let id = || json!({"id": "b-17"});
    let list = |size: usize| json!({"pageSize": size});
    let posted = fit(part(7), "description", 700);
    let all = vec![
        ("small", one("GetBook", id(), book(0)).get("/v1/books/b-17")),
        (
            "part",
            one("GetPart", id(), fit(part(0), "description", 600)).get("/v1/parts/b-17"),
        ),
        (
            "item",
            one("GetItem", id(), fit(item(0), "longDescription", 2_048)).get("/v1/items/b-17"),
        ),
        (
            "post",
            one("CreatePart", posted.clone(), book(1)).post("/v1/parts", &posted),
        ),
        (
            "list41",
            one("ListItems", list(20), items(20)).get("/v1/items?page_size=20"),
        ),
        (
            "list69",
            one("ListParts", list(115), parts(115)).get("/v1/parts?page_size=115"),
        ),
        (
            "stream",
            one("StreamBooks", list(STREAMED), book(2))
                .get("/v1/books:stream?page_size=1000")
                .streaming(),
        ),
        ("blob", blob(&pool)),
    ];
    Fixtures {
        pool,
        descriptor_set,
        all,
    }
}

impl Fixtures {
    /// The fixture of a name that exists.
    pub fn get(&self, name: &str) -> &Fixture {
        self.all
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, fixture)| fixture)
            .unwrap_or_else(|| panic!("no fixture is called {name}"))
    }
}

/// A call about to become a fixture.
struct Ask<'a> {
    pool: &'a DescriptorPool,
    rpc_name: String,
    request: Value,
    answer: Value,
}

impl Ask<'_> {
    fn get(&self, path: &'static str) -> Fixture {
        let service = self
            .pool
            .get_service_by_name("yard.v1.Yard")
            .expect("the service is in the schema");
        let method = service
            .methods()
            .find(|method| method.name() == self.rpc_name)
            .expect("the method is in the schema");
        let message = |descriptor, value: &Value| {
            DynamicMessage::deserialize(descriptor, value).expect("the fixture is valid JSON")
        };
        let answer = message(method.output(), &self.answer);
        Fixture {
            rpc: Box::leak(format!("/yard.v1.Yard/{}", self.rpc_name).into_boxed_str()),
            method: "GET",
            path,
            body: None,
            request: message(method.input(), &self.request)
                .encode_to_vec()
                .into(),
            answer: answer.encode_to_vec().into(),
            json: render(&answer),
            streamed: None,
        }
    }

    fn post(&self, path: &'static str, body: &Value) -> Fixture {
        Fixture {
            method: "POST",
            body: Some(body.to_string().into()),
            ..self.get(path)
        }
    }
}

impl Fixture {
    /// What finds the route: path and query, which are unique but for the method of HTTP.
    pub fn key(&self) -> (&'static str, &'static str) {
        (self.method, self.path)
    }

    /// Whether the answer is bytes and no JSON.
    pub fn is_blob(&self) -> bool {
        self.rpc.ends_with("/GetBlob")
    }

    fn streaming(self) -> Self {
        Self {
            streamed: Some(STREAMED),
            ..self
        }
    }
}

fn render(message: &DynamicMessage) -> Bytes {
    let mut out = serde_json::Serializer::new(Vec::new());
    message
        .serialize_with_options(&mut out, &SerializeOptions::new())
        .expect("the fixture has a JSON form");
    out.into_inner().into()
}

/// A download: the JSON of an `HttpBody` is not wanted, its bytes are.
fn blob(pool: &DescriptorPool) -> Fixture {
    let data: Vec<u8> = (0..BLOB).map(|at| (at % 251) as u8).collect();
    let descriptor = pool
        .get_message_by_name("google.api.HttpBody")
        .expect("HttpBody is imported");
    let mut message = DynamicMessage::new(descriptor);
    message.set_field_by_name(
        "content_type",
        prost_reflect::Value::String("application/octet-stream".into()),
    );
    message.set_field_by_name("data", prost_reflect::Value::Bytes(data.clone().into()));
    let empty = Ask {
        pool,
        rpc_name: "GetBlob".into(),
        request: json!({"id": "b-17"}),
        answer: json!({}),
    };
    Fixture {
        answer: message.encode_to_vec().into(),
        json: data.into(),
        ..empty.get("/v1/blobs/b-17")
    }
}

/// Lengthens a text of an object so that its JSON has a length.
fn fit(mut value: Value, field: &str, length: usize) -> Value {
    let missing = length.saturating_sub(value.to_string().len());
    let filler: String = "It fits where the old one did, and lasts longer. "
        .chars()
        .cycle()
        .take(missing)
        .collect();
    let text = value[field].as_str().unwrap_or_default().to_owned();
    value[field] = Value::String(text + &filler);
    value
}

const STATES: [&str; 3] = ["STATE_DRAFT", "STATE_PUBLISHED", "STATE_WITHDRAWN"];

fn book(n: usize) -> Value {
    let book = json!({
        "name": format!("books/{:06}", 104_729 * (n + 1) % 999_983),
        "title": "Twenty Thousand Leagues Under the Sea",
        "author": "Jules Verne",
        "pages": 288 + n % 300,
        "sold": (1_250_000 + n * 7).to_string(),
        "state": "STATE_PUBLISHED",
    });
    fit(book, "title", 156)
}

fn part(n: usize) -> Value {
    json!({
        "partNumber": format!("P-{:07}", 15_485_863 * (n + 1) % 9_999_991),
        "displayName": format!("Hinge no. {n}, left"),
        "description": "Steel, zinc plated. ",
        "state": STATES[n % STATES.len()],
        "priceMicros": (4_990_000 + n * 1_013).to_string(),
        "weightGrams": 12.5 + n as f64 / 8.0,
        "quantity": 40 + n,
        "available": true,
        "createTime": format!("2024-03-{:02}T09:{:02}:00Z", 1 + n % 28, n % 60),
        "leadTime": format!("{}s", 3_600 * (1 + n % 72)),
        "tags": ["hardware", "door", format!("batch-{}", n % 19)],
        // One entry in each map: their order on the wire is left to chance.
        "labels": {"shelf": format!("A{}", n % 40)},
        "stock": {"north": 1 + n % 90},
        "size": {"widthMm": 35.25, "heightMm": 80.5 + n as f64, "depthMm": 2.75},
    })
}

fn item(n: usize) -> Value {
    json!({
        "itemId": format!("item-{n:05}"),
        "displayName": format!("Cupboard {n}"),
        "longDescription": "Oak, oiled, \u{201c}made to measure\u{201d}. ",
        "state": STATES[n % STATES.len()],
        "rating": 4.5,
        "createTime": "2024-01-01T09:00:00Z",
        "updateTime": format!("2024-05-{:02}T17:30:00.250Z", 1 + n % 28),
        "scores": (0..12).map(|at| at * 3 + n % 7).collect::<Vec<_>>(),
        "measures": (0..6).map(|at| 0.5 + at as f64 * 1.25).collect::<Vec<_>>(),
        "parts": [part(n * 2), part(n * 2 + 1)],
        "manual": book(n),
        "checksum": "3q2+78r+ur7erb7vyv66vg==",
    })
}

fn items(count: usize) -> Value {
    let all: Vec<Value> = (0..count)
        .map(|n| fit(item(n), "longDescription", 2_048))
        .collect();
    json!({"items": all, "nextPageToken": "page-2"})
}

fn parts(count: usize) -> Value {
    let all: Vec<Value> = (0..count)
        .map(|n| fit(part(n), "description", 600))
        .collect();
    json!({"parts": all, "nextPageToken": "page-2"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_what_the_rows_say() {
        let fixtures = fixtures();
        for (name, least, most) in [
            ("small", 156, 156),
            ("part", 590, 610),
            ("item", 2_030, 2_060),
            ("list41", 40_000, 42_000),
            ("list69", 68_000, 70_000),
            ("blob", BLOB, BLOB),
        ] {
            let length = fixtures.get(name).json.len();
            assert!((least..=most).contains(&length), "{name}: {length} B");
        }
        assert_eq!(
            fixtures.get("post").body.as_ref().map(Bytes::len),
            Some(700)
        );
    }
}
