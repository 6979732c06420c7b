// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { infoJson } from "../../src/cli/info_json.ts";
import { humanSize, infoText } from "../../src/cli/info_text.ts";
import { fullName } from "../../src/cli/named_below.ts";
import type { InspectedImage } from "../../src/disk/inspect.ts";

const TOP: InspectedImage = {
  path: "dir/top.qcow2",
  allocatedBytes: 221184,
  info: {
    format: "qcow2",
    sizeBytes: 2 * 1024 * 1024,
    clusterBytes: 65536,
    dirty: true,
    encrypted: true,
    backing: { name: "base\x1b[31m", format: "raw" },
    snapshots: [{
      id: "1",
      name: "before",
      vmStateBytes: 0,
      dateSeconds: 1_700_000_000,
      dateNanoseconds: 5,
      vmClockSeconds: 3725,
      vmClockNanoseconds: 7_000_000,
    }],
    specific: {
      type: "qcow2",
      data: { "compat": "1.1", "encrypt": { slots: [{ active: true }, { active: false }] } },
    },
  },
};
const BASE: InspectedImage = {
  path: "dir/base",
  allocatedBytes: 0,
  info: { format: "raw", sizeBytes: 512 },
};

Deno.test("infoText() shows a paragraph for each image, and no control characters", () => {
  assertEquals(
    infoText([TOP, BASE]),
    `image: dir/top.qcow2
file format: qcow2
virtual size: 2 MiB (2097152 bytes)
disk size: 216 KiB
cluster size: 65536
dirty: yes: it was not closed in order
encrypted: yes
backing file: base\\x1b[31m (actual path: dir/base\\x1b[31m)
backing file format: raw
snapshots:
    ID NAME   VM-SIZE DATE                     VM-CLOCK
    1  before     0 B 2023-11-14 22:13:20Z 01:02:05.007
format specific information:
    compat: 1.1
    encrypt:
        slots:
            [0]:
                active: true
            [1]:
                active: false

image: dir/base
file format: raw
virtual size: 512 B (512 bytes)
disk size: 0 B
`,
  );
});

Deno.test("infoJson() nests what lies below", () => {
  const { "backing-image": below, ...top } = JSON.parse(infoJson([TOP, BASE]));
  assertEquals(below, {
    "filename": "dir/base",
    "format": "raw",
    "virtual-size": 512,
    "actual-size": 0,
    "dirty-flag": false,
  });
  assertEquals(top["full-backing-filename"], "dir/base\x1b[31m");
  assertEquals([top["dirty-flag"], top.encrypted, top.snapshots[0]["date-nsec"]], [true, true, 5]);
  assertEquals("icount" in top.snapshots[0], false);
  assertEquals(JSON.parse(infoJson([BASE])), below);
});

Deno.test("infoJson() and infoText() call a parent by its recorded name, or as it was found", () => {
  const child = (...paths: string[]): InspectedImage => {
    const names = paths.map((path) => ({ kind: "windows" as const, path }));
    const parent = { format: "VHD", identity: { id: "1" }, names };
    return {
      path: "child.vhd",
      allocatedBytes: 0,
      info: { format: "vpc", sizeBytes: 512, parent },
    };
  };
  const below = { path: "/d/b.vhd", allocatedBytes: 0, info: { format: "vpc", sizeBytes: 512 } };
  const fields = (...images: InspectedImage[]): unknown[] => {
    const json = JSON.parse(infoJson(images));
    return ["", "full-"].map((full) => json[`${full}backing-filename`])
      .concat(json["backing-filename-format"]);
  };
  const recorded = child(".\\b.vhd", "C:\\b.vhd");
  assertEquals(fields(recorded, below), [".\\b.vhd", "/d/b.vhd", "vpc"]);
  assertEquals(fields(recorded), [".\\b.vhd", undefined, undefined]);
  assertEquals(fields(child(), below), ["/d/b.vhd", "/d/b.vhd", "vpc"]);
  assertEquals(fields(child()), [undefined, undefined, undefined]);
  const text = infoText([recorded, below]);
  const line = "backing file: .\\b.vhd (actual path: /d/b.vhd)\nbacking file format: vpc\n";
  assertEquals(text.includes(line), true, text);
});

Deno.test("infoJson() and infoText() are exact, however large the disk", () => {
  const sizeBytes = 2n ** 53n + 1n;
  const [snapshot] = TOP.info.snapshots ?? [];
  if (snapshot === undefined) throw new Error("no snapshot");
  const info = { format: "qcow2", sizeBytes, snapshots: [{ ...snapshot, icount: 2n ** 60n + 1n }] };
  const json = infoJson([{ path: "x", allocatedBytes: 0, info }]);
  assertEquals(json.includes('"virtual-size": 9007199254740993,\n'), true);
  assertEquals(json.includes('"icount": 1152921504606846977\n'), true);
  const text = infoText([{ path: "x", allocatedBytes: 0, info }]);
  assertEquals(text.includes("virtual size: 8 PiB (9007199254740993 bytes)\n"), true);
});

Deno.test("fullName() is how a name is found from here", () => {
  assertEquals(fullName("top", "base"), "base");
  assertEquals(fullName("a/top", "b/base"), "a/b/base");
  assertEquals(fullName("/a/top", "/base"), "/base");
  assertEquals(fullName("/a/top", "json:{}"), "json:{}");
  assertEquals(fullName("/a/top", "dir/x:y"), "/a/dir/x:y");
});

Deno.test("humanSize() has three digits and a unit", () => {
  assertEquals([0, 512, 1023, 1024, 2297856, 1024 ** 4 * 1.5].map(humanSize), [
    "0 B",
    "512 B",
    "1023 B",
    "1 KiB",
    "2.19 MiB",
    "1.5 TiB",
  ]);
});
