//! What the bookstore knows: shelves and books in memory, behind one lock.
//!
//! Nothing here awaits, so the lock is never held across a suspension.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use prost_types::Timestamp;
use tonic::Status;
use tonic_types::FieldViolation;

use super::mask;
use super::proto::bookstore::v1::{Book, Shelf};
use super::refuse;

/// The state of the store.
#[derive(Debug)]
pub(crate) struct Store(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    shelves: BTreeMap<String, ShelfState>,
    /// Counts changes; every book's etag comes from it.
    revision: u64,
}

#[derive(Debug)]
struct ShelfState {
    shelf: Shelf,
    books: BTreeMap<String, Book>,
}

/// A shelf and the books on it, each with its id, as the store starts with it.
pub(crate) type Seed = (&'static str, Shelf, Vec<(&'static str, Book)>);

impl Store {
    /// A store with these shelves.
    pub(crate) fn new(seed: Vec<Seed>) -> Self {
        let mut state = State::default();
        for (shelf_id, mut shelf, books) in seed {
            shelf.name = format!("shelves/{shelf_id}");
            let books = books
                .into_iter()
                .map(|(id, mut book)| {
                    book.name = format!("shelves/{shelf_id}/books/{id}");
                    book.etag = state.next_etag();
                    (String::from(id), book)
                })
                .collect();
            let entry = ShelfState { shelf, books };
            state.shelves.insert(String::from(shelf_id), entry);
        }
        Self(Mutex::new(state))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing here panics halfway through a change, so the state is sound in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All shelves, in order of their names.
    pub(crate) fn shelves(&self) -> Vec<Shelf> {
        self.state()
            .shelves
            .values()
            .map(ShelfState::view)
            .collect()
    }

    /// One shelf.
    pub(crate) fn shelf(&self, name: &str) -> Result<Shelf, Status> {
        let id = shelf_id("name", name)?;
        let state = self.state();
        let entry = state.shelves.get(id);
        entry
            .map(ShelfState::view)
            .ok_or_else(|| refuse::not_found("Shelf", name))
    }

    /// Puts up a shelf.
    pub(crate) fn create_shelf(&self, id: &str, mut shelf: Shelf) -> Result<Shelf, Status> {
        if shelf.theme.trim().is_empty() {
            return Err(refuse::invalid("shelf.theme", "must not be empty"));
        }
        let id = chosen_id("shelf_id", id, &shelf.theme)?;
        shelf.name = format!("shelves/{id}");
        let mut state = self.state();
        if state.shelves.contains_key(&id) {
            return Err(refuse::already_exists("Shelf", &shelf.name));
        }
        shelf.create_time = Some(now());
        let entry = ShelfState {
            shelf,
            books: BTreeMap::new(),
        };
        let view = entry.view();
        state.shelves.insert(id, entry);
        Ok(view)
    }

    /// Takes a shelf down; with its books only when `force` is set.
    pub(crate) fn delete_shelf(&self, name: &str, force: bool) -> Result<(), Status> {
        let id = shelf_id("name", name)?;
        let mut state = self.state();
        match state.shelves.get(id).map(|entry| entry.books.len()) {
            None => Err(refuse::not_found("Shelf", name)),
            Some(books) if books > 0 && !force => Err(refuse::not_empty(name, books)),
            Some(_) => {
                state.shelves.remove(id);
                Ok(())
            }
        }
    }

    /// The books of one shelf, or of all when `parent` is empty or `shelves/-`, in order of their
    /// names.
    pub(crate) fn books(&self, parent: &str) -> Result<Vec<Book>, Status> {
        let state = self.state();
        if matches!(parent, "" | "shelves/-") {
            let books = state
                .shelves
                .values()
                .flat_map(|entry| entry.books.values());
            return Ok(books.cloned().collect());
        }
        let entry = state
            .shelves
            .get(shelf_id("parent", parent)?)
            .ok_or_else(|| refuse::not_found("Shelf", parent))?;
        Ok(entry.books.values().cloned().collect())
    }

    /// One book by its name.
    pub(crate) fn book(&self, name: &str) -> Result<Book, Status> {
        self.with_book(name, |book, _| Ok(book.clone()))
    }

    /// One book by its ISBN.
    pub(crate) fn book_by_isbn(&self, isbn: &str) -> Result<Book, Status> {
        let books = self.books("")?;
        let found = books.into_iter().find(|book| book.isbn == isbn);
        found.ok_or_else(|| refuse::not_found("Book", &format!("isbn/{isbn}")))
    }

    /// Puts a book on a shelf.
    pub(crate) fn create_book(
        &self,
        parent: &str,
        id: &str,
        mut book: Book,
    ) -> Result<Book, Status> {
        let shelf = shelf_id("parent", parent)?;
        check(&book)?;
        let id = chosen_id("book_id", id, &book.title)?;
        book.name = format!("{parent}/books/{id}");
        let mut state = self.state();
        let etag = state.next_etag();
        let entry = state
            .shelves
            .get_mut(shelf)
            .ok_or_else(|| refuse::not_found("Shelf", parent))?;
        if entry.books.contains_key(&id) {
            return Err(refuse::already_exists("Book", &book.name));
        }
        book.archive_time = None;
        book.update_time = Some(now());
        book.etag = etag;
        entry.books.insert(id, book.clone());
        Ok(book)
    }

    /// Changes the fields of a book that the mask names.
    pub(crate) fn update_book(&self, update: &Book, paths: &[String]) -> Result<Book, Status> {
        self.with_book(&update.name, |book, etag| {
            if !update.etag.is_empty() && update.etag != book.etag {
                return Err(refuse::changed_meanwhile(&book.name, &book.etag));
            }
            let mut changed = book.clone();
            mask::apply(paths, update, &mut changed).map_err(refuse::invalid_fields)?;
            check(&changed)?;
            changed.update_time = Some(now());
            changed.etag = String::from(etag);
            book.clone_from(&changed);
            Ok(changed)
        })
    }

    /// Takes a book away.
    pub(crate) fn delete_book(&self, name: &str) -> Result<(), Status> {
        let (shelf, id) = book_ids(name)?;
        let mut state = self.state();
        let removed = state
            .shelves
            .get_mut(shelf)
            .and_then(|entry| entry.books.remove(id));
        removed
            .map(|_| ())
            .ok_or_else(|| refuse::not_found("Book", name))
    }

    /// Marks a book as no longer for sale; doing so again changes nothing.
    pub(crate) fn archive_book(&self, name: &str, reason: &str) -> Result<Book, Status> {
        self.with_book(name, |book, etag| {
            if book.archive_time.is_none() {
                book.archive_time = Some(now());
                book.update_time = book.archive_time;
                book.etag = String::from(etag);
                if !reason.is_empty() {
                    let label = String::from("archive-reason");
                    book.labels.insert(label, String::from(reason));
                }
            }
            Ok(book.clone())
        })
    }

    /// Does something with one book; the string is its etag should it change.
    fn with_book<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Book, &str) -> Result<T, Status>,
    ) -> Result<T, Status> {
        let (shelf, id) = book_ids(name)?;
        let mut guard = self.state();
        let State { shelves, revision } = &mut *guard;
        let book = shelves
            .get_mut(shelf)
            .and_then(|entry| entry.books.get_mut(id))
            .ok_or_else(|| refuse::not_found("Book", name))?;
        let etag = etag_of(*revision + 1);
        let result = act(book, &etag);
        *revision += u64::from(book.etag == etag);
        result
    }
}

impl State {
    fn next_etag(&mut self) -> String {
        self.revision += 1;
        etag_of(self.revision)
    }
}

fn etag_of(revision: u64) -> String {
    format!("r{revision}")
}

impl ShelfState {
    fn view(&self) -> Shelf {
        Shelf {
            book_count: i32::try_from(self.books.len()).unwrap_or(i32::MAX),
            ..self.shelf.clone()
        }
    }
}

/// The id in `shelves/{shelf}`.
fn shelf_id<'name>(field: &str, name: &'name str) -> Result<&'name str, Status> {
    name.strip_prefix("shelves/")
        .filter(|id| !id.is_empty() && !id.contains('/'))
        .ok_or_else(|| refuse::invalid(field, "must have the form shelves/{shelf}"))
}

/// The ids in `shelves/{shelf}/books/{book}`.
fn book_ids(name: &str) -> Result<(&str, &str), Status> {
    name.strip_prefix("shelves/")
        .and_then(|rest| rest.split_once("/books/"))
        .filter(|(shelf, book)| !shelf.is_empty() && !book.is_empty())
        .filter(|(shelf, book)| !shelf.contains('/') && !book.contains('/'))
        .ok_or_else(|| refuse::invalid("name", "must have the form shelves/{shelf}/books/{book}"))
}

/// The id that was asked for, or one made from a title.
fn chosen_id(field: &str, id: &str, title: &str) -> Result<String, Status> {
    if id.is_empty() {
        let words: Vec<String> = title
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        return Ok(words.join("-"));
    }
    let plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if id.len() <= 63 && id.chars().all(plain) {
        return Ok(String::from(id));
    }
    Err(refuse::invalid(
        field,
        "must be at most 63 lower-case letters, digits and hyphens",
    ))
}

/// What every book must fulfil; names all that it does not.
fn check(book: &Book) -> Result<(), Status> {
    let rules = [
        (
            "book.title",
            !book.title.trim().is_empty(),
            "must not be empty",
        ),
        ("book.pages", book.pages >= 0, "must not be negative"),
        (
            "book.isbn",
            matches!(book.isbn.len(), 0 | 10 | 13) && book.isbn.bytes().all(|c| c.is_ascii_digit()),
            "must have 10 or 13 digits",
        ),
        (
            "book.rating",
            book.rating
                .is_none_or(|rating| (0.0..=5.0).contains(&rating)),
            "must be between 0 and 5",
        ),
        (
            "book.price.minor_units",
            book.price
                .as_ref()
                .is_none_or(|price| price.minor_units >= 0),
            "must not be negative",
        ),
    ];
    let violations: Vec<FieldViolation> = rules
        .into_iter()
        .filter(|(_, holds, _)| !holds)
        .map(|(field, _, rule)| FieldViolation::new(field, rule))
        .collect();
    if violations.is_empty() {
        return Ok(());
    }
    Err(refuse::invalid_fields(violations))
}

#[allow(
    clippy::disallowed_methods,
    reason = "an application of its own reads the clock itself"
)]
fn now() -> Timestamp {
    SystemTime::now().into()
}
