// How a failure in the middle of a stream looks to `fetch`, in a browser and in node, and to
// EventSource, in every framing (S4): nobody takes half an answer for a whole one.

const STREAM = "/v1/shelves/scifi/books:stream?fields=title";
const FILE = "/v1/shelves/scifi/books/solaris:download?chunk_bytes=500";

function equal(got, wanted, what) {
  const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what}: ${left}, not ${right}`);
}

// Reads an answer to its end: what came, and how it ended.
async function read(url, headers = {}) {
  const response = await fetch(url, { headers });
  const decoder = new TextDecoder();
  let text = "";
  try {
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    return { status: response.status, text, broken: error.name };
  }
  return { status: response.status, text, broken: null };
}

// What an EventSource hears up to its first error, which a failure of the call is: an event with data.
function listen(EventSource, url) {
  return new Promise((resolve, reject) => {
    const source = new EventSource(url);
    const heard = [];
    const timer = setTimeout(() => reject(new Error("no end in time")), 20000);
    source.onmessage = (event) => heard.push(JSON.parse(event.data));
    source.onerror = (event) => {
      clearTimeout(timer);
      source.close();
      resolve({ heard, data: event.data === undefined ? null : JSON.parse(event.data) });
    };
  });
}

function failed({ error }) {
  equal([error.code, error.status], [500, "DATA_LOSS"], "error");
  equal(error.details[0].reason, "SHELF_FELL_OVER", "details");
}

// Runs all checks, tells of each, and returns how many failed.
export async function all(EventSource, base, result, say) {
  const accept = (type) => ({ accept: type });
  const checks = {
    "fetch, an array": async () => {
      const whole = await read(base + STREAM);
      equal([whole.broken, JSON.parse(whole.text).length >= 3], [null, true], "whole");
      const half = await read(`${base}${STREAM}&fail_after=2`);
      equal([half.status, half.broken], [200, "TypeError"], "half");
      let parsed = true;
      await (await fetch(`${base}${STREAM}&fail_after=2`)).json().catch(() => (parsed = false));
      equal(parsed, false, "half an array is no JSON to json()");
    },
    "fetch, lines": async () => {
      const { status, text, broken } = await read(`${base}${STREAM}&fail_after=2`, accept("application/x-ndjson"));
      const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
      equal([status, broken, lines.length, Object.keys(lines[1])], [200, null, 3, ["title"]], "lines");
      failed(lines[2]);
    },
    "fetch, events": async () => {
      const { text, broken } = await read(`${base}${STREAM}&fail_after=1`, accept("text/event-stream"));
      const events = text.trimEnd().split("\n\n").map((event) => event.split("\n"));
      equal([broken, events.length, events[1][0]], [null, 2, "event: error"], "events");
      failed(JSON.parse(events[1][1].replace("data: ", "")));
    },
    "fetch, lines of results": async () => {
      const { text, broken } = await read(`${result}${STREAM}&fail_after=1`);
      const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
      equal([broken, lines.length, Object.keys(lines[0])], [null, 2, ["result"]], "lines");
      // grpc-gateway's lines have gRPC's code.
      equal(lines[1].error.code, 15, "code");
      equal(lines[1].error.details[0].reason, "SHELF_FELL_OVER", "details");
    },
    "fetch, a file": async () => {
      const whole = await read(base + FILE);
      equal([whole.broken, whole.text.startsWith("Solaris")], [null, true], "whole");
      const half = await read(`${base}${FILE}&fail_after=1`);
      equal([half.status, half.broken], [200, "TypeError"], "half");
      let blob = true;
      await (await fetch(`${base}${FILE}&fail_after=1`)).blob().catch(() => (blob = false));
      equal(blob, false, "half a file is no file to blob()");
    },
    "fetch, at once": async () => {
      for (const type of ["*/*", "application/x-ndjson", "text/event-stream"]) {
        const { status, text } = await read(`${base}${STREAM}&fail_after=0`, accept(type));
        equal(status, 500, `status of ${type}`);
        failed(JSON.parse(text));
      }
    },
  };
  if (EventSource) {
    checks["EventSource"] = async () => {
      const { heard, data } = await listen(EventSource, `${base}${STREAM}&$alt=sse&fail_after=2`);
      equal([heard.length, Object.keys(heard[0])], [2, ["title"]], "heard");
      failed(data);
    };
    checks["EventSource, at its end"] = async () => {
      const { heard, data } = await listen(EventSource, `${base}${STREAM}&$alt=sse`);
      equal([heard.length >= 3, data], [true, null], "no error with data");
    };
    checks["EventSource, at once"] = async () => {
      const { heard, data } = await listen(EventSource, `${base}/v1/shelves/none/books:stream?$alt=sse`);
      equal([heard.length, data], [0, null], "nothing heard");
    };
  }
  let wrong = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      say(`ok a failure in the middle: ${name}`);
    } catch (error) {
      wrong += 1;
      say(`not ok a failure in the middle: ${name}: ${error.message}`);
    }
  }
  return wrong;
}
