// What node's `fetch` sees of failures in the middle.
//   node failures.mjs http://127.0.0.1:8081 http://127.0.0.1:8082

import { all } from "./page/failures.mjs";

const [base, result] = process.argv.slice(2);
process.exit((await all(undefined, base, result, console.log)) ? 1 : 0);
