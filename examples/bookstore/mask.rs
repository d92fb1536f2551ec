//! Update masks: which fields of a book an update changes.

use tonic_types::FieldViolation;

use super::proto::bookstore::v1::book::Format;
use super::proto::bookstore::v1::{Book, Ebook, Print};

/// What an update without a mask changes: everything that a client may set.
const EVERYTHING: [&str; 14] = [
    "title",
    "subtitle",
    "authors",
    "genre",
    "isbn",
    "pages",
    "copies_sold",
    "price",
    "rating",
    "publish_time",
    "reading_time",
    "labels",
    "cover_digest",
    "format",
];

/// Copies the fields that `paths` name from one book to another; no paths at all, or `*`, is all
/// of them. Paths that name nothing are returned as violations, and then nothing is copied.
pub(crate) fn apply(
    paths: &[String],
    from: &Book,
    to: &mut Book,
) -> Result<(), Vec<FieldViolation>> {
    let mut changed = to.clone();
    let mut violations = Vec::new();
    if paths.is_empty() || paths.iter().any(|path| path == "*") {
        for path in EVERYTHING {
            copy(path, from, &mut changed);
        }
    } else {
        for path in paths {
            if !copy(path, from, &mut changed) {
                violations.push(FieldViolation::new(
                    "update_mask",
                    format!("a book has no field {path:?}"),
                ));
            }
        }
    }
    if violations.is_empty() {
        *to = changed;
        return Ok(());
    }
    Err(violations)
}

/// Copies one field; false when there is no such field.
fn copy(path: &str, from: &Book, to: &mut Book) -> bool {
    match path {
        "title" => to.title.clone_from(&from.title),
        "subtitle" => to.subtitle.clone_from(&from.subtitle),
        "authors" => to.authors.clone_from(&from.authors),
        "genre" => to.genre = from.genre,
        "isbn" => to.isbn.clone_from(&from.isbn),
        "pages" => to.pages = from.pages,
        "copies_sold" => to.copies_sold = from.copies_sold,
        "price" => to.price.clone_from(&from.price),
        "rating" => to.rating = from.rating,
        "publish_time" => to.publish_time = from.publish_time,
        "reading_time" => to.reading_time = from.reading_time,
        "labels" => to.labels.clone_from(&from.labels),
        "cover_digest" => to.cover_digest.clone_from(&from.cover_digest),
        "format" | "print" | "ebook" => to.format.clone_from(&from.format),
        // Who sends a whole book back sends these too; they are not the client's to change.
        "name" | "etag" | "archive_time" | "update_time" => {}
        _ => return copy_inner(path, from, to),
    }
    true
}

/// Copies a field of a field.
fn copy_inner(path: &str, from: &Book, to: &mut Book) -> bool {
    let Some((outer, inner)) = path.split_once('.') else {
        return false;
    };
    match (outer, inner) {
        ("price", "currency" | "minor_units") => {
            let source = from.price.clone().unwrap_or_default();
            let target = to.price.get_or_insert_default();
            if inner == "currency" {
                target.currency = source.currency;
            } else {
                target.minor_units = source.minor_units;
            }
        }
        ("print", "hardcover" | "weight") => {
            let source = print(from);
            let mut target = print(to);
            if inner == "hardcover" {
                target.hardcover = source.hardcover;
            } else {
                target.weight = source.weight;
            }
            to.format = Some(Format::Print(target));
        }
        ("ebook", "file_type" | "size_bytes") => {
            let source = ebook(from);
            let mut target = ebook(to);
            if inner == "file_type" {
                target.file_type = source.file_type;
            } else {
                target.size_bytes = source.size_bytes;
            }
            to.format = Some(Format::Ebook(target));
        }
        ("labels", key) => match from.labels.get(key) {
            Some(value) => {
                to.labels.insert(String::from(key), value.clone());
            }
            None => {
                to.labels.remove(key);
            }
        },
        _ => return false,
    }
    true
}

fn print(book: &Book) -> Print {
    match &book.format {
        Some(Format::Print(print)) => *print,
        Some(Format::Ebook(_)) | None => Print::default(),
    }
}

fn ebook(book: &Book) -> Ebook {
    match &book.format {
        Some(Format::Ebook(ebook)) => ebook.clone(),
        Some(Format::Print(_)) | None => Ebook::default(),
    }
}
