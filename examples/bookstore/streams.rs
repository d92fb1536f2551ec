//! The streaming methods, and the two that send files.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use tonic::{Response, Status, Streaming};

use super::proto::bookstore::v1::{
    Book, ChatRequest, ChatResponse, DownloadBookRequest, ImportBooksRequest, ImportBooksResponse,
    StreamBooksRequest,
};
use super::proto::google::api::HttpBody;
use super::refuse;
use super::store::Store;

/// A stream of messages to the client.
pub(crate) type Outbound<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Sends every book, `rounds` times over, and breaks off after `fail_after` of them.
pub(crate) fn books(
    books: Vec<Book>,
    request: &StreamBooksRequest,
) -> Result<Outbound<Book>, Status> {
    let interval = Duration::try_from(request.interval.unwrap_or_default())
        .map_err(|_negative| refuse::invalid("interval", "must not be negative"))?;
    let rounds = usize::try_from(request.rounds)
        .map_err(|_negative| refuse::invalid("rounds", "must not be negative"))?
        .max(1);
    let total = books.len().saturating_mul(rounds);
    let sound = request.fail_after.map_or(total, |after| {
        usize::try_from(after).map_or(0, |after| after.min(total))
    });
    let good = (0..sound).filter_map(move |at| books.get(at % books.len()).cloned().map(Ok));
    let end = request
        .fail_after
        .map(|after| Err(refuse::broke_off(after)))
        .into_iter();
    let messages = stream::iter(good.chain(end));
    if interval.is_zero() {
        return Ok(Box::pin(messages));
    }
    Ok(Box::pin(messages.then(move |message| async move {
        tokio::time::sleep(interval).await;
        message
    })))
}

/// Takes in books until the client has no more. A book that cannot be taken in does not keep
/// out the others.
pub(crate) async fn import(
    store: &Store,
    mut inbound: Streaming<ImportBooksRequest>,
) -> Result<ImportBooksResponse, Status> {
    let mut response = ImportBooksResponse::default();
    let mut parent = String::new();
    let mut position = 0;
    while let Some(request) = inbound.message().await? {
        if !request.parent.is_empty() {
            parent = request.parent;
        }
        if position == 0 {
            // A shelf that is not there fails the whole import, before anything is done.
            store.shelf(&parent)?;
        }
        match store.create_book(&parent, "", request.book.unwrap_or_default()) {
            Ok(book) => {
                response.imported_count += 1;
                response.names.push(book.name);
            }
            Err(status) => {
                let why = String::from(status.message());
                response.rejected.insert(position, why);
            }
        }
        position += 1;
    }
    Ok(response)
}

/// Words that name no book.
const SMALL_TALK: [&str; 8] = ["and", "any", "for", "have", "please", "some", "the", "you"];

/// The bookseller's side of a conversation: an answer for every message, as it comes.
#[derive(Debug)]
pub(crate) struct Replies {
    store: Arc<Store>,
    inbound: Streaming<ChatRequest>,
    sequence: i32,
    over: bool,
}

impl Replies {
    /// Answers what comes in.
    pub(crate) fn new(store: Arc<Store>, inbound: Streaming<ChatRequest>) -> Self {
        Self {
            store,
            inbound,
            sequence: 0,
            over: false,
        }
    }

    fn answer(&mut self, text: &str) -> Result<ChatResponse, Status> {
        self.sequence += 1;
        let said = text.trim().to_lowercase();
        if said.is_empty() {
            self.over = true;
            return Err(refuse::invalid("text", "must not be empty"));
        }
        if said == "bye" {
            self.over = true;
            return Ok(self.say("goodbye, and come again", Vec::new()));
        }
        let words: Vec<&str> = said
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| word.len() > 2 && !SMALL_TALK.contains(word))
            .collect();
        let mut books = self.store.books("")?;
        books.retain(|book| {
            let known = format!("{} {}", book.title, book.authors.join(" ")).to_lowercase();
            words.iter().any(|word| known.contains(word))
        });
        let text = match books.as_slice() {
            [] => String::from("I know no such book"),
            [book] => format!("you will like {}", book.title),
            several => format!("I have {} books for you", several.len()),
        };
        Ok(self.say(&text, books))
    }

    fn say(&self, text: &str, books: Vec<Book>) -> ChatResponse {
        ChatResponse {
            sequence: self.sequence,
            text: String::from(text),
            books,
        }
    }
}

impl Stream for Replies {
    type Item = Result<ChatResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        self.inbound.poll_next_unpin(context).map(|message| {
            message.map(|request| request.and_then(|request| self.answer(&request.text)))
        })
    }
}

/// Sends the text of a book in pieces, of which the first says what it is, and breaks off after
/// `fail_after` of them.
pub(crate) fn download(
    book: &Book,
    request: &DownloadBookRequest,
) -> Result<Response<Outbound<HttpBody>>, Status> {
    let chunk = match usize::try_from(request.chunk_bytes) {
        Ok(0) => 1024,
        Ok(bytes) => bytes,
        Err(_) => return Err(refuse::invalid("chunk_bytes", "must not be negative")),
    };
    let text = text(book).into_bytes();
    let mut content_type = Some(String::from("text/plain; charset=utf-8"));
    let sound = request.fail_after.map_or(usize::MAX, |after| {
        usize::try_from(after).unwrap_or_default()
    });
    let end = request
        .fail_after
        .map(|after| Err(refuse::broke_off(after)));
    let pieces: Vec<Result<HttpBody, Status>> = text
        .chunks(chunk)
        .take(sound)
        .map(|piece| {
            Ok(HttpBody {
                content_type: content_type.take().unwrap_or_default(),
                data: piece.to_vec(),
                extensions: Vec::new(),
            })
        })
        .chain(end)
        .collect();
    let id = book.name.rsplit('/').next().unwrap_or("book");
    let mut response: Response<Outbound<HttpBody>> = Response::new(Box::pin(stream::iter(pieces)));
    if let Ok(value) = format!("attachment; filename=\"{id}.txt\"").parse() {
        response.metadata_mut().insert("content-disposition", value);
    }
    Ok(response)
}

fn text(book: &Book) -> String {
    let title = format!("{}\nby {}\n", book.title, book.authors.join(" and "));
    let pages = (1..=book.pages).map(|page| format!("\n- {page} -\n"));
    std::iter::once(title).chain(pages).collect()
}

/// The cover of a book: its title on a colour of its own.
pub(crate) fn cover(book: &Book) -> HttpBody {
    let hue = book.name.bytes().map(u32::from).sum::<u32>() % 360;
    let title = book
        .title
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let image = format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="240" height="360">"#,
            r#"<rect width="240" height="360" fill="hsl({hue} 40% 40%)"/>"#,
            r#"<text x="120" y="120" fill="white" text-anchor="middle">{title}</text></svg>"#,
        ),
        hue = hue,
        title = title,
    );
    HttpBody {
        content_type: String::from("image/svg+xml"),
        data: image.into_bytes(),
        extensions: Vec::new(),
    }
}
