// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { must, TempDirectory } from "../support/tools.ts";
import { randomNumbers, writeTree } from "./tree.ts";

Deno.test("randomNumbers() repeats itself for equal seeds and differs for others", () => {
  const take = (seed: number): number[] => Array.from({ length: 5 }, randomNumbers(seed));
  assertEquals(take(42), take(42));
  assert(take(42).join() !== take(43).join());
  assert(take(42).every((number) => number >= 0 && number < 2 ** 32));
});

Deno.test("writeTree() writes as many bytes as asked for, the same every time", async () => {
  using directory = new TempDirectory();
  const sums = [];
  for (const name of ["a", "b"]) {
    const folder = directory.file(name);
    await writeTree(folder, 3_000_000);
    sums.push(
      await must(
        "sh",
        "-c",
        `cd ${folder} && find . -type f | sort | xargs cat | tee ../all | cksum`,
      ),
    );
    assertEquals((await Deno.stat(directory.file("all"))).size, 3_000_000);
  }
  assertEquals(sums[0], sums[1]);
});
