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

Deno.test(
  "libc() opens each function with its first call, and no other",
  opensLibrary,
  async () => {
    const opened = await openedBy(async () => {
      // Not what other tests have opened already.
      const { libc } = await import(`../../src/sys/libc.ts?${crypto.randomUUID()}`);
      assertEquals(libc().getpid(), Deno.pid);
      assertEquals(libc().getpid(), Deno.pid);
    });
    assertEquals(opened, [["__errno_location"], ["getpid"]]);
  },
);

Deno.test("libc() opens nothing when it is imported", async () => {
  const opened = await openedBy(async () => {
    await import(`../../src/sys/libc.ts?${crypto.randomUUID()}`);
  });
  assertEquals(opened, []);
});
