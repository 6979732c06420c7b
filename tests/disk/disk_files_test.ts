// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { inspect } from "../../src/disk/inspect.ts";
import { buildBundle } from "../format/sparsebundle/bundle_builder.ts";
import { buildExtent, descriptor } from "../format/vmdk/image_builder.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { TempDirectory } from "../support/tools.ts";

// It stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

function inspected(path: string, format: string): ReturnType<typeof inspect> {
  const request = { format, readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
  return inspect(path, { request, ignoreLocks: false });
}

function takenBy(...paths: readonly string[]): number {
  return paths.reduce((sum, path) => sum + 512 * (Deno.statSync(path).blocks ?? 0), 0);
}

Deno.test("inspect() counts all files that a disk lies in, each once", () => {
  using folder = new TempDirectory();
  const [image, flat, sparse] = ["x.vmdk", "x-flat.vmdk", "x-s001.vmdk"].map((name) =>
    folder.file(name)
  ) as [string, string, string];
  const lines = ['RW 8 FLAT "x-flat.vmdk" 0', 'RW 16 SPARSE "x-s001.vmdk"'];
  Deno.writeTextFileSync(image, descriptor([...lines, 'RW 8 FLAT "x-flat.vmdk" 8']));
  Deno.writeFileSync(flat, new Uint8Array(100_000).fill(1));
  Deno.writeFileSync(sparse, buildExtent({ map: [0, 1] }));
  const [space, alone] = [takenBy(image, flat, sparse), takenBy(image)];
  assert(space > alone);
  const { images, problems } = inspected(image, "VMDK");
  assertEquals([images[0]?.allocatedBytes, problems], [space, []]);
  Deno.removeSync(flat);
  const without = inspected(image, "VMDK");
  assertEquals([without.images[0]?.allocatedBytes, without.problems.length], [alone, 1]);
  assert(without.problems[0]?.includes("x-flat.vmdk"), without.problems[0]);
});

Deno.test("inspect() counts the bands of a sparse bundle", () => {
  using folder = new TempDirectory();
  const bands = { "0": { fill: 1 }, "1f": { fill: 2 } };
  const list = buildBundle(folder.file("disk.sparsebundle"), { bands });
  const files = [
    list,
    ...Object.keys(bands).map((name) => list.replace("Info.plist", `bands/${name}`)),
  ];
  assertEquals(inspected(list, "SPARSEBUNDLE").images[0]?.allocatedBytes, takenBy(...files));
});
