"""The client that openapi-python-client makes of the description calls the bookstore.

Usage: python_client.py URL, with the generated package `bookstore_client` on the path.
"""

import os
import sys

from bookstore_client import Client
from bookstore_client.api.bookstore import (
    bookstore_create_book,
    bookstore_create_shelf,
    bookstore_delete_shelf,
    bookstore_get_book,
    bookstore_get_book_2,
    bookstore_get_shelf,
    bookstore_import_books,
    bookstore_list_books_2,
    bookstore_stream_books,
    bookstore_update_book,
)
from bookstore_client.models import BookstoreUpdateBookBody, BookstoreV1Book, BookstoreV1Genre, BookstoreV1Shelf, Error

passed = 0


def check(what, is_so, more=""):
    global passed
    if not is_so:
        sys.exit(f"FAILED {what}: {more}")
    passed += 1


client = Client(base_url=sys.argv[1])
shelf = bookstore_get_shelf.sync("scifi", client=client)
check("GetShelf", shelf.name == "shelves/scifi" and shelf.create_time.year == 2024, shelf)
name = f"py-{os.getpid()}"
made = bookstore_create_shelf.sync(client=client, body=BookstoreV1Shelf(theme="Python"), shelf_id=name)
check("CreateShelf", made.name == f"shelves/{name}", made)
book = BookstoreV1Book(title="New", copies_sold="9007199254740993", genre=BookstoreV1Genre.GENRE_COMPUTING)
book = bookstore_create_book.sync(name, client=client, body=book, book_id="b")
check("CreateBook", book.copies_sold == "9007199254740993" and book.genre == "GENRE_COMPUTING", book)
changed = bookstore_update_book.sync(
    name, "b", client=client, body=BookstoreUpdateBookBody(title="Newer", pages=7), update_mask="title,pages"
)
check("UpdateBook", changed.title == "Newer" and changed.pages == 7, changed)
solaris = bookstore_get_book.sync("scifi", "solaris", client=client)
found = bookstore_get_book_2.sync(solaris.isbn, client=client)
check("GetBook by both routes", found.name == solaris.name, found)
listed = bookstore_list_books_2.sync(client=client, genres=[BookstoreV1Genre.GENRE_COMPUTING], page_size=1)
check("ListBooks", len(listed.books) == 1 and int(listed.total_size) >= 1, listed)
streamed = bookstore_stream_books.sync("scifi", client=client)
check("StreamBooks", len(streamed) == 3, streamed)
imported = bookstore_import_books.sync(name, client=client, body=[BookstoreV1Book(title="One"), BookstoreV1Book(title="Two")])
check("ImportBooks", imported.imported_count == 2, imported)
none = bookstore_get_shelf.sync("none", client=client)
check("an error", isinstance(none, Error) and none.error.status == "NOT_FOUND", none)
bookstore_delete_shelf.sync(name, client=client, force=True)
print(f"python: {passed} passed, 0 failed")
