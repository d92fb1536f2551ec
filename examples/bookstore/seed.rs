//! The books the store opens with: always the same, so that examples and tests can name them.

use prost_types::{Duration, Timestamp};

use super::proto::bookstore::v1::book::Format;
use super::proto::bookstore::v1::{Book, Ebook, Genre, Price, Print, Shelf};
use super::store::Seed;

/// When the store opened: 2024-01-01T09:00:00Z.
const OPENING: i64 = 1_704_099_600;

/// More than a double can hold exactly, so that whoever loses digits of an int64 is found out.
const BEYOND_A_DOUBLE: i64 = 9_007_199_254_740_993;

/// A book in the short form of the table below.
struct Row {
    shelf: &'static str,
    id: &'static str,
    title: &'static str,
    author: &'static str,
    genre: Genre,
    isbn: &'static str,
    pages: i32,
    copies_sold: i64,
    cents: i64,
    rating: Option<f64>,
    /// Midnight of the day of publication, in seconds of the Unix epoch.
    published: i64,
    print: bool,
}

const SHELVES: [(&str, &str); 3] = [
    ("classics", "Classics"),
    ("computing", "Computing"),
    ("scifi", "Science fiction"),
];

#[rustfmt::skip]
const BOOKS: [Row; 8] = [
    Row { shelf: "classics", id: "alice", title: "Alice's Adventures in Wonderland", author: "Lewis Carroll",
          genre: Genre::Children, isbn: "9780141439761", pages: 192, copies_sold: 100_000_000, cents: 799,
          rating: Some(4.0), published: -3_285_014_400, print: true },
    Row { shelf: "classics", id: "moby-dick", title: "Moby-Dick", author: "Herman Melville",
          genre: Genre::Fiction, isbn: "9780142437247", pages: 720, copies_sold: 5_000_000, cents: 1_299,
          rating: Some(3.5), published: -3_730_233_600, print: true },
    Row { shelf: "classics", id: "pride-and-prejudice", title: "Pride and Prejudice", author: "Jane Austen",
          genre: Genre::Fiction, isbn: "9780141439518", pages: 480, copies_sold: 20_000_000, cents: 899,
          rating: Some(4.3), published: -4_952_102_400, print: true },
    Row { shelf: "computing", id: "c-programming-language", title: "The C Programming Language", author: "Brian W. Kernighan; Dennis M. Ritchie",
          genre: Genre::Computing, isbn: "9780131103627", pages: 272, copies_sold: 2_000_000, cents: 5_999,
          rating: Some(4.5), published: 256_953_600, print: true },
    Row { shelf: "computing", id: "mythical-man-month", title: "The Mythical Man-Month", author: "Frederick P. Brooks Jr.",
          genre: Genre::Computing, isbn: "9780201835953", pages: 336, copies_sold: 250_000, cents: 3_999,
          rating: None, published: 157_766_400, print: false },
    Row { shelf: "scifi", id: "frankenstein", title: "Frankenstein", author: "Mary Shelley",
          genre: Genre::ScienceFiction, isbn: "9780141439471", pages: 352, copies_sold: BEYOND_A_DOUBLE, cents: 699,
          rating: Some(3.9), published: -4_796_668_800, print: true },
    Row { shelf: "scifi", id: "solaris", title: "Solaris", author: "Stanisław Lem",
          genre: Genre::ScienceFiction, isbn: "9780156027601", pages: 204, copies_sold: 1_200_000, cents: 1_499,
          rating: Some(4.0), published: -270_950_400, print: false },
    Row { shelf: "scifi", id: "time-machine", title: "The Time Machine", author: "H. G. Wells",
          genre: Genre::ScienceFiction, isbn: "9780141439976", pages: 128, copies_sold: 3_000_000, cents: 599,
          rating: Some(3.9), published: -2_355_868_800, print: false },
];

/// The shelves and the books on them, each shelf and each book with its id.
pub(crate) fn shelves() -> Vec<Seed> {
    SHELVES
        .iter()
        .map(|&(id, theme)| {
            let shelf = Shelf {
                theme: String::from(theme),
                create_time: Some(opening()),
                ..Shelf::default()
            };
            let books = BOOKS
                .iter()
                .filter(|row| row.shelf == id)
                .map(|row| (row.id, book(row)))
                .collect();
            (id, shelf, books)
        })
        .collect()
}

fn book(row: &Row) -> Book {
    let minutes = i64::from(row.pages) * 2;
    Book {
        title: String::from(row.title),
        subtitle: (row.id == "frankenstein").then(|| String::from("The Modern Prometheus")),
        authors: row.author.split("; ").map(String::from).collect(),
        genre: row.genre.into(),
        isbn: String::from(row.isbn),
        pages: row.pages,
        copies_sold: row.copies_sold,
        price: Some(Price {
            currency: String::from("EUR"),
            minor_units: row.cents,
        }),
        rating: row.rating,
        publish_time: Some(Timestamp {
            seconds: row.published,
            nanos: 0,
        }),
        reading_time: Some(Duration {
            seconds: minutes * 60,
            nanos: 0,
        }),
        labels: [(String::from("shelf"), String::from(row.shelf))].into(),
        cover_digest: row.isbn.as_bytes().iter().rev().copied().collect(),
        format: Some(if row.print {
            Format::Print(Print {
                hardcover: row.pages > 300,
                weight: row.pages.unsigned_abs() * 2,
            })
        } else {
            Format::Ebook(Ebook {
                file_type: String::from("epub"),
                size_bytes: u64::from(row.pages.unsigned_abs()) * 2048,
            })
        }),
        update_time: Some(opening()),
        ..Book::default()
    }
}

fn opening() -> Timestamp {
    Timestamp {
        seconds: OPENING,
        nanos: 0,
    }
}
