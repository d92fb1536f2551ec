// /docs in a real browser: opens, finds, tries a call of each kind, says nothing on its console, and
// fits narrow and wide windows, light and dark. Usage: docs_browser.mjs URL DIRECTORY
//
// The pictures are kept in DIRECTORY.
import { mkdirSync } from "node:fs";
import puppeteer from "puppeteer-core";

const [base, directory] = process.argv.slice(2);
mkdirSync(directory, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
let passed = 0;
const failures = [];
const complaints = [];

function check(what, is, more = "") {
  if (is) passed += 1;
  else failures.push(`${what} ${more}`);
}

async function open(width, height, scheme) {
  const page = await browser.newPage();
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`page: ${error.message}`));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !/^(data|blob):/.test(request.url())) {
      complaints.push(`asks elsewhere: ${request.url()}`);
    }
  });
  await page.goto(`${base}/docs`, { waitUntil: "networkidle0" });
  await page.waitForSelector(".op");
  return page;
}

// Opens a route, fills its form, sends it, and gives back what is shown.
async function attempt(page, id, values, until = ".status.good, .status.bad") {
  await page.$eval(`[id="${id}"] > summary`, (summary) => summary.click());
  const form = await page.waitForSelector(`[id="${id}"] form`);
  for (const [name, value] of Object.entries(values)) {
    const label = await page.evaluateHandle((form, name) => [...form.querySelectorAll("label")]
      .find((label) => label.firstChild.textContent === name), form, name);
    await page.evaluate((label, value) => {
      const field = document.getElementById(label.htmlFor);
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }, label, value);
  }
  await form.$eval("button.send", (button) => button.click());
  await page.waitForSelector(`[id="${id}"] .result :is(${until})`);
  await page.waitForFunction((form) => !form.querySelector("button.send").disabled, {}, form);
  return page.evaluate((form) => ({
    status: form.querySelector(".status").textContent,
    text: [...form.querySelectorAll(".result > pre, .result > div:not(.head) pre")].map((pre) => pre.textContent),
    curl: form.querySelector(".curl").textContent,
    image: Boolean(form.querySelector(".result img")?.naturalWidth ?? false),
  }), form);
}

const wide = await open(1280, 900, "light");
check("the title", (await wide.title()) === "Bookstore");
const routes = await wide.$$eval(".op", (all) => all.length);
check("all routes are listed", routes === 19, String(routes));
await wide.screenshot({ path: `${directory}/wide.png` });

const shelf = await attempt(wide, "Bookstore_GetShelf", { shelf: "scifi" });
check("GetShelf answers", shelf.status.startsWith("200") && JSON.parse(shelf.text[0]).name === "shelves/scifi", JSON.stringify(shelf));
check("its curl line", shelf.curl === `curl '${base}/v1/shelves/scifi'`, shelf.curl);
await wide.evaluate(() => document.getElementById("Bookstore_GetShelf").scrollIntoView());
await wide.screenshot({ path: `${directory}/wide-tried.png` });

const none = await attempt(wide, "Bookstore_GetBook", { shelf: "none", book: "a b/c" });
check("an error is shown", none.status.startsWith("404") && none.text[0].includes("NOT_FOUND"), JSON.stringify(none));
check("parts of the path are escaped", none.curl.includes("/v1/shelves/none/books/a%20b%2Fc"), none.curl);

const listed = await attempt(wide, "Bookstore_ListBooks_2", { pageSize: "2", genres: "GENRE_FICTION\nGENRE_COMPUTING", labels: "" });
check("lists in the query", listed.status.startsWith("200") && listed.curl.includes("genres=GENRE_FICTION&genres=GENRE_COMPUTING"), JSON.stringify(listed));

const created = await attempt(wide, "Bookstore_CreateShelf", { shelfId: `tried-${process.pid}`, body: '{"theme": "It\'s new"}' });
check("CreateShelf answers", created.status.startsWith("200") && created.text[0].includes("It's new"), JSON.stringify(created));
check("quotes in the curl line", created.curl.includes("It'\\''s new"), created.curl);

const streamed = await attempt(wide, "Bookstore_StreamBooks", { shelf: "scifi", rounds: "2", interval: "0.01s" });
check("a stream is shown message by message", streamed.status.startsWith("200") && streamed.text.length > 3, JSON.stringify(streamed));
const events = await attempt(wide, "Bookstore_StreamBooks", {}); // Closed by the second click.
check("it can be sent again", events.status.startsWith("200"), JSON.stringify(events));

const cover = await attempt(wide, "Bookstore_DownloadCover", { shelf: "scifi", book: "solaris" });
await wide.waitForFunction(() => document.querySelector("#Bookstore_DownloadCover .result img")?.complete);
check("an image is shown", cover.status.startsWith("200"), JSON.stringify(cover));

// Text that looks like markup stays text.
const markup = await attempt(wide, "Bookstore_Chat", { body: '[{"text": "<img src=x onerror=alert(1)>"}]' });
check("answers stay text", !markup.image && markup.status.startsWith("200"), JSON.stringify(markup));

// Missing parameters are not sent.
await wide.$eval("#Bookstore_DeleteShelf > summary", (summary) => summary.click());
const missing = await wide.$eval("#Bookstore_DeleteShelf form", (form) => {
  form.requestSubmit();
  return form.querySelector(".wrong") === document.activeElement && !form.querySelector(".status");
});
check("what is required is asked for", missing);

// By keyboard alone.
await wide.evaluate(() => document.activeElement.blur());
await wide.keyboard.press("/");
await wide.keyboard.type("archive");
const shown = await wide.$$eval(".op:not([hidden])", (all) => all.map((one) => one.id));
check("the filter", shown.join() === "Bookstore_ArchiveBook", shown.join());
await wide.keyboard.press("Enter");
await wide.keyboard.press("Enter");
check("a route opens by keyboard", await wide.$eval("#Bookstore_ArchiveBook", (route) => route.open));
await wide.screenshot({ path: `${directory}/filtered.png` });
await wide.close();

for (const [width, scheme] of [[360, "light"], [360, "dark"], [1280, "dark"], [820, "light"]]) {
  const page = await open(width, 780, scheme);
  await attempt(page, "Bookstore_GetShelf", { shelf: "scifi" });
  await page.$eval("#Bookstore_UpdateBook > summary", (summary) => summary.click());
  await page.$$eval("#Bookstore_UpdateBook .more", (all) => all.forEach((one) => { one.open = true; }));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(`nothing is wider than ${width} px`, overflow <= 0, `${overflow} px`);
  await page.screenshot({ path: `${directory}/${width}-${scheme}.png` });
  await page.evaluate(() => document.getElementById("Bookstore_UpdateBook").scrollIntoView());
  await page.screenshot({ path: `${directory}/${width}-${scheme}-open.png` });
  await page.close();
}
// What an error status prints is the browser's, not the page's.
const own = complaints.filter((text) => !/status of 4\d\d/.test(text));
check("the console is silent and nothing comes from elsewhere", own.length === 0, own.join("\n"));
await browser.close();
failures.forEach((failure) => console.log(`FAILED ${failure}`));
console.log(`docs: ${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
