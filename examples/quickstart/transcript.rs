//! The calls of the quick start: each is shown as the command that makes it and with its answer,
//! and each answer is checked.

use std::error::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use sidegate::life::task;
use tokio::net::TcpStream;

use crate::bookstore::proto::bookstore::v1::GetBookRequest;
use crate::bookstore::proto::bookstore::v1::bookstore_client::BookstoreClient;
use crate::bookstore::proto::bookstore::v1::get_book_request::Key;

/// One call over REST and what must come of it.
struct Step {
    /// Why it is shown.
    title: &'static str,
    method: &'static str,
    target: &'static str,
    accept: Option<&'static str>,
    body: &'static str,
    status: u16,
    /// Parts of the answer.
    holds: &'static [&'static str],
}

/// A plain GET that succeeds; the steps say what is different.
const STEP: Step = Step {
    title: "",
    method: "GET",
    target: "",
    accept: None,
    body: "",
    status: 200,
    holds: &[],
};

const STEPS: &[Step] = &[
    Step {
        title: "a resource by its name, from a path of two variables in one",
        target: "/v1/shelves/scifi/books/solaris",
        holds: &[
            r#""title":"Solaris""#,
            r#""authors":["Stanisław Lem"]"#,
            r#""copiesSold":"1200000""#,
            r#""publishTime":"1961-06-01T00:00:00Z""#,
            r#""readingTime":"24480s""#,
        ],
        ..STEP
    },
    Step {
        title: "a list, filtered and by pages",
        target: "/v1/books?genres=GENRE_COMPUTING&published_after=1976-01-01T00:00:00Z&page_size=1",
        holds: &[
            r#""title":"The C Programming Language""#,
            r#""totalSize":"1""#,
        ],
        ..STEP
    },
    Step {
        title: "a new book; the body is one field of the request, the rest is query",
        method: "POST",
        target: "/v1/shelves/scifi/books?book_id=neuromancer",
        body: r#"{"title": "Neuromancer", "authors": ["William Gibson"], "pages": 271}"#,
        holds: &[
            r#""name":"shelves/scifi/books/neuromancer""#,
            r#""pages":271"#,
        ],
        ..STEP
    },
    Step {
        title: "a partial update",
        method: "PATCH",
        target: "/v1/shelves/scifi/books/neuromancer?update_mask=rating,price.currency",
        body: r#"{"rating": 4.5, "price": {"currency": "USD"}}"#,
        holds: &[
            r#""rating":4.5"#,
            r#""price":{"currency":"USD"}"#,
            r#""pages":271"#,
        ],
        ..STEP
    },
    Step {
        title: "a custom verb",
        method: "POST",
        target: "/v1/shelves/scifi/books/neuromancer:archive",
        body: r#"{"reason": "sold out"}"#,
        holds: &[r#""archiveTime":""#],
        ..STEP
    },
    Step {
        title: "a server stream, one JSON value a line",
        target: "/v1/shelves/classics/books:stream",
        accept: Some("application/x-ndjson"),
        holds: &["Alice's Adventures", "Moby-Dick", "Pride and Prejudice"],
        ..STEP
    },
    Step {
        title: "a client stream: an array, of which every element is a message",
        method: "POST",
        target: "/v1/shelves/scifi/books:import",
        body: r#"[{"title": "Ubik"}, {"title": ""}, {"title": "Kindred"}]"#,
        holds: &[r#""importedCount":2"#, r#""rejected":{"1":"#],
        ..STEP
    },
    Step {
        title: "the application's own error, with its details",
        target: "/v1/shelves/scifi/books/missing",
        status: 404,
        holds: &[
            r#""status":"NOT_FOUND""#,
            r#""@type":"type.googleapis.com/google.rpc.ResourceInfo""#,
        ],
        ..STEP
    },
    Step {
        title: "a mistake that the application never hears of",
        target: "/v1/books?page_sise=1",
        status: 400,
        holds: &[r#""status":"INVALID_ARGUMENT""#, "pageSize"],
        ..STEP
    },
];

/// Tells a line to whoever looks.
type Say = fn(&str);

/// Makes all calls; an error says which one did not answer as it should.
pub(crate) async fn run(gateway: SocketAddr, say: Say) -> Result<(), Box<dyn Error>> {
    for step in STEPS {
        show(gateway, step, say).await?;
    }
    native(gateway, say).await
}

async fn show(gateway: SocketAddr, step: &Step, say: Say) -> Result<(), Box<dyn Error>> {
    say(&format!("# {}", step.title));
    say(&command(gateway, step));
    let (status, body) = ask(gateway, step).await?;
    let text = String::from_utf8_lossy(&body);
    if status != 200 {
        say(&status.to_string());
    }
    say(text.trim_end());
    say("");
    if status != step.status {
        return Err(format!("{}: expected {}, got {status}", step.title, step.status).into());
    }
    let missing = step.holds.iter().find(|part| !text.contains(**part));
    missing.map_or(Ok(()), |part| {
        Err(format!("{}: the answer lacks {part}", step.title).into())
    })
}

/// The command that makes the same call from a shell.
fn command(gateway: SocketAddr, step: &Step) -> String {
    let mut command = String::from("$ curl");
    if !matches!((step.method, step.body), ("GET", "") | ("POST", _)) {
        command = format!("{command} -X {}", step.method);
    }
    if let Some(accept) = step.accept {
        command = format!("{command} -H 'accept: {accept}'");
    }
    command = format!("{command} '{gateway}{}'", step.target);
    if !step.body.is_empty() {
        command = format!("{command} --json '{}'", step.body);
    }
    command
}

/// One request on a connection of its own.
async fn ask(gateway: SocketAddr, step: &Step) -> Result<(StatusCode, Bytes), Box<dyn Error>> {
    let stream = TcpStream::connect(gateway).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::builder()
        .method(step.method)
        .uri(step.target)
        .header("host", gateway.to_string());
    if let Some(accept) = step.accept {
        request = request.header("accept", accept);
    }
    if !step.body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let request = request.body(Full::new(Bytes::from_static(step.body.as_bytes())))?;
    let _connection = task::spawn("connection", connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// The same port speaks gRPC to who speaks gRPC.
async fn native(gateway: SocketAddr, say: Say) -> Result<(), Box<dyn Error>> {
    say("# and gRPC itself, on the same port, from a tonic client");
    let mut client = BookstoreClient::connect(format!("http://{gateway}")).await?;
    let key = Some(Key::Isbn(String::from("9780156027601")));
    let book = client.get_book(GetBookRequest { key }).await?.into_inner();
    say(&format!("{} by {}\n", book.title, book.authors.join(", ")));
    if book.name == "shelves/scifi/books/solaris" {
        return Ok(());
    }
    Err(format!("gRPC: expected Solaris, got {}", book.name).into())
}
