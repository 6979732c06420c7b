// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";

/** Records which functions `Deno.dlopen` is asked for while `run` runs. */
async function openedBy(run: () => Promise<void>): Promise<string[][]> {
  const opened: string[][] = [];
  const { dlopen } = Deno;
  Deno.dlopen = (library, symbols) => {
    opened.push(Object.keys(symbols));
    return dlopen(library, symbols);
  };
  try {
    await run();
    return opened;
  } finally {
    Deno.dlopen = dlopen;
  }
}

/** What is opened stays open: that is not the leak it would be elsewhere. */
const opensLibrary = { sanitizeResources: false };

Deno.test("libc() opens a function that is called often, and no other", opensLibrary, async () => {
  const opened = await openedBy(async () => {
    // Not what other tests have opened already.
    const { libc } = await import(`../../src/sys/libc.ts?${crypto.randomUUID()}`);
    for (let n = 0; n < 20; n++) assertEquals(libc().getpid(), Deno.pid);
    for (let n = 0; n < 200; n++) assertEquals(libc().geteuid(), Deno.uid());
  });
  assertEquals(opened, [["dlsym"], ["geteuid"]]);
});

Deno.test(
  "a function that is not open takes and returns what the open one does",
  opensLibrary,
  async () => {
    const { libc, lastErrno, openLibc } = await import(
      `../../src/sys/libc.ts?${crypto.randomUUID()}`
    );
    const path = new TextEncoder().encode("/nonexistent\0");
    const answers = (): unknown[] => [
      ...[libc().chdir(path), lastErrno()],
      ...[libc().lseek(-1, -(2 ** 40), 0), lastErrno()],
      ...[libc().getenv(path), libc().__errno_location(), libc().syscall(-1, 0, 0, 0, 0, 0, 0)],
    ];
    const cold = answers();
    openLibc();
    assertEquals(cold, answers());
  },
);

Deno.test("libc() opens nothing when it is imported", async () => {
  const opened = await openedBy(async () => {
    await import(`../../src/sys/libc.ts?${crypto.randomUUID()}`);
  });
  assertEquals(opened, []);
});
