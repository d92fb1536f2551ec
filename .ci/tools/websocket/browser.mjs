// The checks in a browser, on a page that the gateway passes on from a plain HTTP port.
//   node browser.mjs /usr/bin/chromium http://127.0.0.1:8081/page.html

import puppeteer from "puppeteer-core";

const [executablePath, url] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  const page = await browser.newPage();
  await page.goto(url);
  const log = "document.getElementById('log').textContent";
  await page.waitForFunction(`/DONE|FAILED/.test(${log})`, { timeout: 90000 });
  const said = await page.evaluate(log);
  console.log(said.trim());
  process.exitCode = said.includes("DONE") ? 0 : 1;
} finally {
  await browser.close();
}
