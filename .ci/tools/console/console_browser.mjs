// The console in a real browser: charts that move, routes that can be tried, calls that are heard,
// explanations and settings, by keyboard alone, in narrow and wide windows, light and dark.
// Usage: console_browser.mjs ADMIN-URL DATA-URL DIRECTORY
import { mkdirSync } from "node:fs";
import puppeteer from "puppeteer-core";

const [base, data, directory] = process.argv.slice(2);
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

async function open(width, height, scheme, hash = "") {
  const page = await browser.newPage();
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`page: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(base) && !/^(data|blob):/.test(request.url())) complaints.push(`asks elsewhere: ${request.url()}`);
  });
  await page.bringToFront();
  await page.goto(`${base}/${hash}`);
  await wait(page, () => document.querySelectorAll("#tiles dd").length === 5);
  return page;
}

// Calls of several kinds while the pages are looked at: most go well.
let loading = true;
const load = (async () => {
  for (let at = 0; loading; at += 1) {
    const path = at % 17 === 0 ? "/v1/shelves/none" : at % 3 === 0 ? "/v1/books?page_size=2" : "/v1/shelves/scifi";
    await fetch(`${data}${path}`).then((answer) => answer.arrayBuffer(), () => undefined);
    await new Promise((next) => setTimeout(next, 12));
  }
})();
const text = (page, selector) => page.$eval(selector, (node) => node.textContent);
const wait = (page, until, ...more) => page.waitForFunction(until, { timeout: 25000, polling: 100 }, ...more);

const page = await open(1280, 900, "light");
await wait(page, () => document.getElementById("ready").textContent === "ready");
check("the gateway is ready", true);
await wait(page, () => Number.parseFloat(document.querySelector("#tiles dd").textContent) > 5);
await wait(page, () => document.querySelectorAll(".chart path").length >= 8);
check("charts are drawn", true);
await wait(page, () => [...document.querySelectorAll("#table button.link")].some((one) => one.textContent === "bookstore.v1.Bookstore/GetShelf"));
check("methods are listed", true);
check("nothing was reloaded yet", (await text(page, "#reloads")).includes("Nothing has changed"));
await page.focus("#reload");
await page.keyboard.press("Enter");
await wait(page, () => /unchanged|applied/.test(document.getElementById("reloads").textContent));
check("a reload is asked for and told", true);
check("the application is connected", (await text(page, "#upstreams")).includes("connected"));
await new Promise((next) => setTimeout(next, Number(process.env.CONSOLE_SECONDS ?? 20) * 1000));
await page.screenshot({ path: `${directory}/overview.png` });

// One series, by keyboard; then its chart is read with the arrow keys.
await page.focus("#table button.link");
await page.keyboard.press("Enter");
const chosen = await page.$eval("#series", (select) => select.value);
check("a row chooses its series", chosen !== "");
check("the focus stays when rows are drawn anew", await page.evaluate(async () => {
  await new Promise((next) => setTimeout(next, 1500));
  return document.activeElement.matches("#table button.link");
}));
await page.$eval(".chart svg", (plot) => plot.focus());
await page.keyboard.press("ArrowLeft");
await page.keyboard.press("ArrowLeft");
check("a chart tells its values", /all [\d.]+, errors [\d.]+/.test(await text(page, ".chart .hidden")), await text(page, ".chart .hidden"));
await page.keyboard.press("Escape");

// Routes: found with the filter, tried through the admin port.
await page.evaluate(() => document.activeElement.blur());
await page.keyboard.press("/");
await page.waitForSelector("#list .op");
await page.keyboard.type("getshelf");
await wait(page, () => document.querySelectorAll("#list .op:not([hidden])").length === 1);
await page.keyboard.press("Enter");
await page.keyboard.press("Enter");
await page.waitForSelector("#Bookstore_GetShelf form");
const fill = (selector, values) => page.evaluate((selector, values) => {
  const form = document.querySelector(selector);
  for (const [name, value] of Object.entries(values)) {
    const label = [...form.querySelectorAll("label")].find((label) => label.firstChild.textContent === name);
    const field = document.getElementById(label.htmlFor);
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  form.requestSubmit();
}, selector, values);
await fill("#Bookstore_GetShelf form", { shelf: "scifi" });
await page.waitForSelector("#Bookstore_GetShelf .status.good");
check("a route opens by keyboard", await page.$eval("#Bookstore_GetShelf", (route) => route.open));
check("a route is tried", (await text(page, "#Bookstore_GetShelf .result")).includes("shelves/scifi"));
await page.screenshot({ path: `${directory}/routes.png` });
await fill("#Bookstore_GetShelf form", { shelf: "süß/x" });
await page.waitForSelector("#Bookstore_GetShelf .status.bad");
check("an error is shown as the client has it", (await text(page, "#Bookstore_GetShelf .status")).startsWith("404"));
await page.$eval("#filter", (field) => { field.value = ""; field.dispatchEvent(new Event("input")); });
await page.$eval("#Bookstore_StreamBooks > summary", (summary) => summary.click());
await page.waitForSelector("#Bookstore_StreamBooks form");
await fill("#Bookstore_StreamBooks form", { shelf: "scifi", rounds: "1", interval: "0.01s" });
await page.waitForSelector("#Bookstore_StreamBooks .status.good");
await wait(page, () => document.querySelectorAll("#Bookstore_StreamBooks .result > div:not(.head) pre").length > 2);
check("a stream is tried", true);

// Calls as they end.
await page.goto(`${base}/#calls`);
await page.waitForSelector("#tap button.send");
await page.$eval("#tap [name=errors]", (box) => { box.checked = true; });
await page.$eval("#tap", (form) => form.requestSubmit());
await wait(page, () => document.querySelectorAll("#heard tbody tr").length > 2);
const heard = await page.$$eval("#heard tbody tr td:nth-child(2)", (all) => all.map((one) => one.textContent));
check("only errors are heard", heard.every((status) => status.startsWith("404")), heard.join());
await page.$eval("#tap", (form) => form.requestSubmit());
await page.$eval("#tap [name=errors]", (box) => { box.checked = false; });
await page.$eval("#tap", (form) => form.requestSubmit());
await wait(page, () => [...document.querySelectorAll("#heard tbody tr td:nth-child(2)")].some((one) => one.textContent.startsWith("200")));
check("all calls are heard", true);
await page.screenshot({ path: `${directory}/calls.png` });
await page.$eval("#tap", (form) => form.requestSubmit());

// Explanations.
async function explain(path) {
  await page.$eval("#ask [name=path]", (field, path) => { field.value = path; }, path);
  await page.$eval("#ask", (form) => form.requestSubmit());
  await wait(page, (path) => document.querySelector("#said h2")?.textContent.includes(path.split("?")[0]), path);
  return text(page, "#said");
}
await page.goto(`${base}/#explain`);
await wait(page, () => !document.getElementById("explain").hidden);
const served = await explain("/v1/shelves/scifi");
check("a request is explained", served.includes("bookstore.v1.Bookstore/GetShelf") && served.includes("goes to the application"), served);
const near = await explain("/v1/shelfs/scifi");
check("what is nearest is named", near.includes("shelfs stands where the route has shelves"), near);
await page.screenshot({ path: `${directory}/explain.png` });

// Settings and the log level.
await page.goto(`${base}/#settings`);
await wait(page, () => document.querySelectorAll("#keys tbody tr").length > 1);
check("settings name their source", (await text(page, "#keys")).includes("--listen"));
await page.$eval("#level [name=level]", (select) => { select.value = "debug"; });
await page.$eval("#level", (form) => form.requestSubmit());
await wait(page, () => document.getElementById("level-state").textContent.startsWith("Now debug, info again in "));
check("the log level is changed for a time", true);
await page.screenshot({ path: `${directory}/settings.png` });

// The views are reached by keyboard alone, and what can be reached has a name.
await page.goto(`${base}/`);
await page.reload();
const reached = [];
for (let at = 0; at < 14; at += 1) {
  await page.keyboard.press("Tab");
  reached.push(await page.evaluate(() => {
    const one = document.activeElement;
    return one.getAttribute("aria-label") ?? one.labels?.[0]?.textContent ?? one.textContent;
  }));
}
check("everything that is reached has a name", reached.every((name) => name && name.trim()), reached.join("|"));
check("the views are reached", ["Overview", "Routes", "Calls", "Explain", "Settings"].every((name) => reached.includes(name)), reached.join("|"));
await page.close();

for (const [width, scheme] of [[360, "light"], [360, "dark"], [820, "light"], [1440, "dark"]]) {
  for (const view of ["overview", "routes", "calls", "explain", "settings"]) {
    const narrow = await open(width, 800, scheme, `#${view}`);
    if (view === "overview") {
      await wait(narrow, () => document.querySelectorAll(".chart path").length >= 4);
      await new Promise((next) => setTimeout(next, 5000));
    }
    const over = await narrow.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(`${view} is no wider than ${width} px`, over <= 0, `${over} px`);
    await narrow.screenshot({ path: `${directory}/${width}-${scheme}-${view}.png` });
    await narrow.close();
  }
}
loading = false;
await load;
const own = complaints.filter((one) => !/status of (4\d\d|503)/.test(one));
check("the console is silent and nothing comes from elsewhere", own.length === 0, own.join("\n"));
await browser.close();
failures.forEach((failure) => console.log(`FAILED ${failure}`));
console.log(`console: ${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
