// What a browser and node's `ws` check alike: the same code runs in both.

const CHATS = "/v1/chat";
const BOOKS = "/v1/shelves/scifi/books:stream";

// Opens a WebSocket, hands each message to `hear`, and resolves with everything at its end.
function talk(WebSocket, url, protocols, { open = () => {}, hear = () => {} }) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols);
    socket.binaryType = "arraybuffer";
    const messages = [];
    const timer = setTimeout(() => reject(new Error("no end in time")), 20000);
    socket.onopen = () => open(socket);
    socket.onerror = () => {};
    socket.onmessage = (event) => {
      messages.push(event.data);
      hear(socket, event.data, messages.length);
    };
    socket.onclose = ({ code, reason }) => {
      clearTimeout(timer);
      resolve({ code, reason, messages, protocol: socket.protocol });
    };
  });
}

function equal(got, wanted, what) {
  const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what}: ${left}, not ${right}`);
}

// Runs all checks, tells of each, and returns how many failed.
export async function all(WebSocket, base, say) {
  const run = (path, options, protocols = []) => talk(WebSocket, base + path, protocols, options);
  const checks = {
    "a server stream by its GET rule": async () => {
      const end = await run(`${BOOKS}?fields=title`, {});
      equal(end.code, 1000, "code");
      equal(end.messages.length >= 3, true, "books");
      equal(Object.keys(JSON.parse(end.messages[0])), ["title"], "fields");
    },
    "a failure in the middle": async () => {
      const end = await run(`${BOOKS}?fail_after=1`, {});
      equal(end.messages.length, 2, "messages");
      const { error } = JSON.parse(end.messages[1]);
      equal(end.code > 4000 && end.code < 4017, true, `code ${end.code}`);
      equal(end.reason.length > 0 && error.message.startsWith(end.reason), true, "reason");
    },
    "an early failure": async () => {
      const end = await run("/v1/shelves/none/books:stream", {});
      equal([end.code, end.messages.length], [4005, 1], "end");
      equal(JSON.parse(end.messages[0]).error.status, "NOT_FOUND", "error");
    },
    "a conversation, ended by half-close": async () => {
      const end = await run(CHATS, {
        open: (socket) => socket.send(JSON.stringify({ text: "one" })),
        hear: (socket, _, count) =>
          socket.send(count < 3 ? JSON.stringify({ text: "more" }) : ""),
      });
      equal(end.code, 1000, "code");
      equal(end.messages.map((it) => JSON.parse(it).sequence), [1, 2, 3], "answers");
    },
    "a conversation in protobuf": async () => {
      const end = await run(CHATS, {
        open: (socket) => socket.send(new Uint8Array([0x0a, 2, 0x68, 0x69])),
        hear: (socket) => socket.send(""),
      });
      equal(end.code, 1000, "code");
      const [first, second] = new Uint8Array(end.messages[0]);
      equal([first, second], [8, 1], "sequence: 1");
    },
    "a client stream": async () => {
      const end = await run("/v1/shelves/scifi/books:import", {
        open: (socket) => {
          socket.send(JSON.stringify({ title: `Ubik ${Math.random()}` }));
          socket.send(JSON.stringify({ title: "" }));
          socket.send("");
        },
      });
      equal([end.code, end.messages.length], [1000, 1], "end");
      equal(JSON.parse(end.messages[0]).importedCount, 1, "count");
    },
    "bad JSON": async () => {
      const end = await run(CHATS, { open: (socket) => socket.send('{"txt": 1}') });
      equal([end.code, end.messages.length], [4003, 1], "end");
    },
    "a token as a subprotocol": async () => {
      const end = await run(BOOKS, {}, ["bearer", "some.token"]);
      equal([end.code, end.protocol], [1000, "bearer"], "end");
    },
    "a client that hangs up": async () => {
      const end = await run(CHATS, {
        open: (socket) => socket.send('{"text":"hello"}'),
        hear: (socket) => socket.close(1000, "enough"),
      });
      equal([end.code, end.messages.length], [1000, 1], "end");
    },
    "many messages, none lost": async () => {
      const count = 2000;
      const end = await run(CHATS, {
        open: (socket) => {
          for (let index = 0; index < count; index += 1) socket.send('{"text":"x"}');
          socket.send("");
        },
      });
      equal([end.code, end.messages.length], [1000, count], "end");
      equal(JSON.parse(end.messages[count - 1]).sequence, count, "last");
    },
    "a path that no rule knows": async () => {
      const end = await run("/v1/nothing", {});
      equal([end.code, end.messages.length], [1006, 0], "end");
    },
  };
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      say(`ok ${name}`);
    } catch (error) {
      failed += 1;
      say(`not ok ${name}: ${error.message}`);
    }
  }
  return failed;
}
