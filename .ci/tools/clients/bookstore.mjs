// The bookstore's methods from a descriptor set, and the checks that the clients share.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

export const [, , BASE, SET] = process.argv;
export const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(SET)),
);
export const Bookstore = registry.getService("bookstore.v1.Bookstore");

let checks = 0;
const failures = [];

// One named check; a failed one is told and does not end the others.
export async function check(name, body) {
  try {
    await Promise.race([
      body(),
      new Promise((_, fail) => setTimeout(fail, 15_000, new Error("no end after 15 s")).unref()),
    ]);
    checks += 1;
  } catch (error) {
    failures.push(name);
    console.log(`FAILED ${name}: ${error?.stack ?? error}`);
  }
}

// The end: counts, and an exit code.
export function finish(client) {
  console.log(`== ${client}: ${checks} checks passed, ${failures.length} failed`);
  process.exit(failures.length === 0 && checks > 0 ? 0 : 1);
}

export async function collect(stream) {
  const all = [];
  for await (const message of stream) all.push(message);
  return all;
}
