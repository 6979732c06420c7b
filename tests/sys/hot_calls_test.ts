// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { O_CREAT, O_RDWR, openFile } from "../../src/sys/files.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { run, TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const GIB = 2 ** 30;
/** More often than V8 waits before it optimises. */
const OFTEN = 20_000;

Deno.test("calls take offsets beyond 4 GiB, cold and hot", () => {
  using folder = new TempDirectory();
  using file = openFile(folder.file("sparse"), O_RDWR | O_CREAT);
  const buffer = new IoBuffer(8);
  const vector = new IoBuffer(16);
  vector.view.setBigUint64(0, BigInt(buffer.address), true);
  vector.view.setUint32(8, 8, true);
  const { number: fd } = file;
  for (const [index, offset] of [0, 4 * GIB - 4, 5 * GIB, 2 ** 43].entries()) {
    buffer.view.setFloat64(0, index + 0.5);
    assertEquals(libc().pwrite(fd, buffer.address, 8, offset), 8);
    for (let n = 0; n < OFTEN; n++) {
      buffer.bytes.fill(0);
      if (n % 2 === 0) libc().pread(fd, buffer.address, 8, offset);
      else libc().preadv2(fd, vector.address, 1, offset, 0);
      if (buffer.view.getFloat64(0) !== index + 0.5) throw new Error(`${offset}, call ${n}`);
    }
  }
  assertEquals(libc().lseek(fd, -8, 2 /* SEEK_END */), BigInt(2 ** 43));
});

/** Run with V8's reports of code that it had to give up. */
const PROGRAM = `
  import { libc, openHotCalls } from ${
  JSON.stringify(new URL("../../src/sys/libc.ts", import.meta.url).href)
};
  import { IoBuffer } from ${
  JSON.stringify(new URL("../../src/sys/memory.ts", import.meta.url).href)
};
  const [buffer, fds] = [new IoBuffer(64), new Uint8Array(8)];
  libc().pipe2(fds, 0);
  const [end, start] = new Int32Array(fds.buffer);
  function once(calls, address, offset) {
    calls.write(start, address, 8);
    calls.read(end, address + offset, 8);
    calls.pread(end, address, 8, offset);
    calls.pwrite(start, address, 8, offset);
    calls.preadv2(end, address, 1, offset, 0);
    calls.recv(end, address, 8, 0);
    calls.send(start, address, 8, 0);
    calls.poll(address, 0, 0);
    calls.memcpy(address, address + 8, 8);
    calls.lseek(end, offset, 0);
    calls.fallocate(end, 0, offset, offset);
  }
  openHotCalls();
  for (let n = 0; n < 30000; n++) once(libc(), buffer.address, n % 8);
  console.log("end");
`;

Deno.test("calls with numbers do not have V8 give up its optimised code", async () => {
  using folder = new TempDirectory();
  const program = folder.file("calls.js");
  Deno.writeTextFileSync(program, PROGRAM);
  const flags = ["--v8-flags=--trace-opt,--trace-deopt", "--no-config", "--allow-ffi"];
  const { stdout, stderr } = await run(Deno.execPath(), "run", ...flags, program);
  assertStringIncludes(stdout, "end", stderr);
  assertStringIncludes(stdout, "target TURBOFAN", "nothing was optimised");
  assertEquals(stdout.split("\n").filter((line) => line.includes("not a BigInt")), []);
});
