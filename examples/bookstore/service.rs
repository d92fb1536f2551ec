//! The service: from generated requests to the store and back, a method each.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use tonic::{Request, Response, Status, Streaming};

use super::proto::bookstore::v1::bookstore_server::Bookstore;
use super::proto::bookstore::v1::get_book_request::Key;
use super::proto::bookstore::v1::{
    ArchiveBookRequest, Book, ChatRequest, CreateBookRequest, CreateShelfRequest,
    DeleteBookRequest, DeleteShelfRequest, DownloadBookRequest, DownloadCoverRequest,
    GetBookRequest, GetShelfRequest, ImportBooksRequest, ImportBooksResponse, ListBooksRequest,
    ListBooksResponse, ListShelvesRequest, ListShelvesResponse, Shelf, StreamBooksRequest,
    UpdateBookRequest,
};
use super::proto::google::api::HttpBody;
use super::refuse;
use super::store::Store;
use super::streams::{self, Outbound};

/// The bookstore as a gRPC service.
#[derive(Debug)]
pub(crate) struct Service {
    store: Arc<Store>,
}

impl Service {
    /// A service on top of `store`.
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl Bookstore for Service {
    type StreamBooksStream = Outbound<Book>;
    type ChatStream = streams::Replies;
    type DownloadBookStream = Outbound<HttpBody>;

    async fn list_shelves(
        &self,
        request: Request<ListShelvesRequest>,
    ) -> Result<Response<ListShelvesResponse>, Status> {
        let request = request.into_inner();
        let size = page_size(request.page_size)?;
        let all = self.store.shelves();
        let (shelves, next_page_token) = page(all, size, &request.page_token, |shelf| &shelf.name)?;
        Ok(Response::new(ListShelvesResponse {
            shelves,
            next_page_token,
        }))
    }

    async fn get_shelf(
        &self,
        request: Request<GetShelfRequest>,
    ) -> Result<Response<Shelf>, Status> {
        self.store.shelf(&request.get_ref().name).map(Response::new)
    }

    async fn create_shelf(
        &self,
        request: Request<CreateShelfRequest>,
    ) -> Result<Response<Shelf>, Status> {
        let CreateShelfRequest { shelf, shelf_id } = request.into_inner();
        self.store
            .create_shelf(&shelf_id, shelf.unwrap_or_default())
            .map(Response::new)
    }

    async fn delete_shelf(
        &self,
        request: Request<DeleteShelfRequest>,
    ) -> Result<Response<()>, Status> {
        let DeleteShelfRequest { name, force } = request.into_inner();
        self.store.delete_shelf(&name, force).map(Response::new)
    }

    async fn list_books(
        &self,
        request: Request<ListBooksRequest>,
    ) -> Result<Response<ListBooksResponse>, Status> {
        let request = request.into_inner();
        let size = page_size(request.page_size)?;
        let mut all = self.store.books(&request.parent)?;
        all.retain(|book| asked_for(&request, book));
        let total_size = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let (books, next_page_token) = page(all, size, &request.page_token, |book| &book.name)?;
        Ok(Response::new(ListBooksResponse {
            books,
            next_page_token,
            total_size,
        }))
    }

    async fn get_book(&self, request: Request<GetBookRequest>) -> Result<Response<Book>, Status> {
        let book = match request.into_inner().key {
            Some(Key::Name(name)) => self.store.book(&name),
            Some(Key::Isbn(isbn)) => self.store.book_by_isbn(&isbn),
            None => Err(refuse::invalid("name", "either name or isbn must be given")),
        };
        book.map(Response::new)
    }

    async fn create_book(
        &self,
        request: Request<CreateBookRequest>,
    ) -> Result<Response<Book>, Status> {
        let CreateBookRequest {
            parent,
            book,
            book_id,
        } = request.into_inner();
        self.store
            .create_book(&parent, &book_id, book.unwrap_or_default())
            .map(Response::new)
    }

    async fn update_book(
        &self,
        request: Request<UpdateBookRequest>,
    ) -> Result<Response<Book>, Status> {
        let UpdateBookRequest { book, update_mask } = request.into_inner();
        let paths = update_mask.unwrap_or_default().paths;
        self.store
            .update_book(&book.unwrap_or_default(), &paths)
            .map(Response::new)
    }

    async fn delete_book(
        &self,
        request: Request<DeleteBookRequest>,
    ) -> Result<Response<()>, Status> {
        self.store
            .delete_book(&request.get_ref().name)
            .map(Response::new)
    }

    async fn archive_book(
        &self,
        request: Request<ArchiveBookRequest>,
    ) -> Result<Response<Book>, Status> {
        let ArchiveBookRequest { name, reason } = request.into_inner();
        self.store.archive_book(&name, &reason).map(Response::new)
    }

    async fn stream_books(
        &self,
        request: Request<StreamBooksRequest>,
    ) -> Result<Response<Self::StreamBooksStream>, Status> {
        let request = request.into_inner();
        let books = self.store.books(&request.parent)?;
        streams::books(books, &request).map(Response::new)
    }

    async fn import_books(
        &self,
        request: Request<Streaming<ImportBooksRequest>>,
    ) -> Result<Response<ImportBooksResponse>, Status> {
        streams::import(&self.store, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn chat(
        &self,
        request: Request<Streaming<ChatRequest>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        let store = Arc::clone(&self.store);
        Ok(Response::new(streams::Replies::new(
            store,
            request.into_inner(),
        )))
    }

    async fn download_book(
        &self,
        request: Request<DownloadBookRequest>,
    ) -> Result<Response<Self::DownloadBookStream>, Status> {
        let book = self.store.book(&request.get_ref().name)?;
        streams::download(&book, request.get_ref())
    }

    async fn download_cover(
        &self,
        request: Request<DownloadCoverRequest>,
    ) -> Result<Response<HttpBody>, Status> {
        let book = self.store.book(&request.get_ref().name)?;
        Ok(Response::new(streams::cover(&book)))
    }
}

fn page_size(asked: i32) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(50),
        Ok(size) => Ok(size.min(1000)),
        Err(_) => Err(refuse::invalid("page_size", "must not be negative")),
    }
}

/// Cuts one page out of `all`, which is in order of the names. A token holds the last name of
/// the page before, so that what is created or deleted meanwhile shifts nothing.
fn page<T>(
    all: Vec<T>,
    size: usize,
    token: &str,
    name: impl Fn(&T) -> &String,
) -> Result<(Vec<T>, String), Status> {
    let after = BASE64URL_NOPAD
        .decode(token.as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| refuse::invalid("page_token", "is not one that this service gave out"))?;
    let mut rest = all.into_iter().skip_while(|item| *name(item) <= after);
    let page: Vec<T> = rest.by_ref().take(size).collect();
    let next = match (rest.next(), page.last()) {
        (Some(_), Some(last)) => BASE64URL_NOPAD.encode(name(last).as_bytes()),
        _ => String::new(),
    };
    Ok((page, next))
}

/// Whether a book is among those that a list was asked for.
fn asked_for(request: &ListBooksRequest, book: &Book) -> bool {
    let after = |this: &prost_types::Timestamp, that: &prost_types::Timestamp| {
        (this.seconds, this.nanos) > (that.seconds, that.nanos)
    };
    (request.genres.is_empty() || request.genres.contains(&book.genre))
        && request
            .author
            .as_ref()
            .is_none_or(|author| book.authors.contains(author))
        && request.published_after.as_ref().is_none_or(|limit| {
            book.publish_time
                .as_ref()
                .is_some_and(|published| after(published, limit))
        })
        && request
            .labels
            .iter()
            .all(|(key, value)| book.labels.get(key) == Some(value))
        && (book.archive_time.is_none() || request.show_archived.unwrap_or(false))
}
