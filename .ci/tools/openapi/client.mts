// The client that openapi-typescript and openapi-fetch make of the description calls the bookstore.
import createClient from "openapi-fetch";
import type { paths, components } from "./api.d.ts";

const base = process.argv[2];
const client = createClient<paths>({ baseUrl: base });
let passed = 0;
function check(what: string, is: boolean, more: unknown = ""): void {
  if (!is) { console.log(`FAILED ${what}`, more); process.exit(1); }
  passed += 1;
}

const shelf = await client.GET("/v1/shelves/{shelf}", { params: { path: { shelf: "scifi" } } });
check("GET", shelf.data?.name === "shelves/scifi" && shelf.data.bookCount === 3, shelf);

const id = `ts-${process.pid}`;
const created = await client.POST("/v1/shelves", { params: { query: { shelfId: id } }, body: { theme: "Types" } });
check("POST", created.data?.name === `shelves/${id}`, created);

const book: components["schemas"]["bookstore.v1.Book"] = {
  title: "A / b", copiesSold: "9007199254740993", genre: "GENRE_COMPUTING",
  labels: { k: "v" }, subtitle: null, readingTime: "1.5s", ebook: { sizeBytes: "1" },
};
const path = { shelf: id, book: "b" };
const put = await client.POST("/v1/shelves/{shelf}/books", { params: { path: { shelf: id }, query: { bookId: "b" } }, body: book });
check("a message of every kind of field", put.data?.copiesSold === "9007199254740993" && put.data.labels?.k === "v", put);

const patched = await client.PATCH("/v1/shelves/{shelf}/books/{book}", {
  params: { path, query: { updateMask: "title,price.minorUnits" } }, body: { title: "New", price: { minorUnits: "5" } },
});
check("PATCH", patched.data?.title === "New" && patched.data.price?.minorUnits === "5", patched);

const found = await client.GET("/v1/shelves/{shelf}/books", {
  params: { path: { shelf: "-" }, query: { genres: ["GENRE_COMPUTING", "GENRE_FICTION"], labels: { k: "v" }, pageSize: 5 } },
});
check("lists and maps in the query", found.data?.books?.some((one) => one.title === "New") ?? false, found);

const lists = await client.GET("/v1/books:plain", { params: { query: { pageSize: 1 } } });
check("response_body", lists.data?.length === 1, lists);

const streamed = await client.GET("/v1/shelves/{shelf}/books:stream", { params: { path: { shelf: "scifi" } } });
check("a server stream as a list", Array.isArray(streamed.data) && streamed.data.length === 3, streamed);

const imported = await client.POST("/v1/shelves/{shelf}/books:import", {
  params: { path: { shelf: id } }, body: [{ title: "One" }, { title: "Two" }],
});
check("a client stream as a list", imported.data?.importedCount === 2, imported);

const cover = await client.GET("/v1/shelves/{shelf}/books/{book}:cover", { params: { path: { shelf: "scifi", book: "solaris" } }, parseAs: "text" });
check("bytes", cover.data?.startsWith("<svg") ?? false, cover);

const none = await client.GET("/v1/shelves/{shelf}", { params: { path: { shelf: "none" } } });
check("an error", none.error?.error.status === "NOT_FOUND" && none.error.error.code === 404, none);

const gone = await client.DELETE("/v1/shelves/{shelf}", { params: { path: { shelf: id }, query: { force: true } } });
check("DELETE", gone.response.status === 200, gone);

// What the description forbids does not compile.
// @ts-expect-error a number is no int64
const wrong: components["schemas"]["bookstore.v1.Book"] = { title: "x", copiesSold: 5 };
// @ts-expect-error there is no such value
const genre: components["schemas"]["bookstore.v1.Genre"] = "GENRE_NONE";
// @ts-expect-error the title is required
const untitled: components["schemas"]["bookstore.v1.Book"] = {};
void [wrong, genre, untitled];
console.log(`typescript: ${passed} passed, 0 failed`);
