// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { blockDeviceName } from "../../../src/kernel/block_devices.ts";
import {
  decodeDevice,
  encodeDevice,
  parseDeviceNumber,
} from "../../../src/kernel/device_numbers.ts";
import { loopNumber } from "../../../src/kernel/loop_status.ts";
import { decodeLoopStatus, encodeLoopConfig, LO_FLAGS } from "../../../src/kernel/loop_layout.ts";
import { nbdIndex, nbdName } from "../../../src/kernel/nbd_devices.ts";
import { countReceivers } from "../../../src/kernel/nbd_receivers.ts";
import {
  parseMisc,
  parseMounts,
  parsePartitions,
  parseSwaps,
} from "../../../src/kernel/proc_tables.ts";
import { deviceUsers } from "../../../src/kernel/users.ts";
import { parseResults } from "../uml/uml.ts";

Deno.test("parseMounts() reads number, mount point, type and source, with their blanks", () => {
  const text = [
    "22 27 0:20 / /proc rw,nosuid shared:12 - proc proc rw",
    "90 27 43:1 / /mnt/my\\040disk\\134x ro,relatime shared:50 master:3 - ext4 /dev/nbd0p1 ro",
    "91 27 0:45 /@ /srv rw - btrfs /dev/nbd\\0401 rw,subvol=/@",
    "no mount line",
    "",
  ].join("\n");
  assertEquals(parseMounts(text), [
    {
      id: "22",
      number: "0:20",
      root: "/",
      mountPoint: "/proc",
      fileSystem: "proc",
      source: "proc",
      options: ["rw"],
    },
    {
      id: "90",
      number: "43:1",
      root: "/",
      mountPoint: "/mnt/my disk\\x",
      fileSystem: "ext4",
      source: "/dev/nbd0p1",
      options: ["ro"],
    },
    {
      id: "91",
      number: "0:45",
      root: "/@",
      mountPoint: "/srv",
      fileSystem: "btrfs",
      source: "/dev/nbd 1",
      options: ["rw", "subvol=/@"],
    },
  ]);
});

Deno.test("parseMounts() accepts an empty source", () => {
  const [mount] = parseMounts("22 27 0:20 / /x rw - tmpfs  rw");
  assertEquals(mount?.source, "");
});

Deno.test("parsePartitions() reads names and numbers of disks and partitions", () => {
  const text = "major minor  #blocks  name\n\n" +
    "   7        0       4096 loop0\n" +
    " 259   104711       1024 loop0p1\n" +
    "  43       32 8589934592 nbd1\n";
  assertEquals(parsePartitions(text), [
    { name: "loop0", number: { major: 7, minor: 0 } },
    { name: "loop0p1", number: { major: 259, minor: 104711 } },
    { name: "nbd1", number: { major: 43, minor: 32 } },
  ]);
});

Deno.test("parseMisc() reads the names of devices", () => {
  assertEquals(parseMisc("237 loop-control\n229 fuse\n  1 psaux\n\n"), [
    "loop-control",
    "fuse",
    "psaux",
  ]);
});

Deno.test("parseSwaps() skips the heading", () => {
  const text = "Filename\tType\t\tSize\tUsed\tPriority\n" +
    "/dev/nbd0p2                             partition\t1024\t0\t-2\n" +
    "/var/my\\040swap file\t1024\t0\t-3\n";
  assertEquals(parseSwaps(text), ["/dev/nbd0p2", "/var/my swap"]);
  assertEquals(parseSwaps(""), []);
});

Deno.test("parseDeviceNumber() wants two numbers", () => {
  assertEquals(parseDeviceNumber("43:32\n"), { major: 43, minor: 32 });
  assertEquals(parseDeviceNumber("43"), undefined);
  assertEquals(parseDeviceNumber(undefined), undefined);
});

Deno.test("encodeDevice() and decodeDevice() agree beyond 8 bits", () => {
  for (const number of [{ major: 7, minor: 0 }, { major: 259, minor: 0x12345 }]) {
    assertEquals(decodeDevice(encodeDevice(number)), number);
  }
  assertEquals(encodeDevice({ major: 43, minor: 32 }), 0x2b20);
  assertThrows(() => encodeDevice({ major: 1, minor: 2 ** 20 }), RangeError);
});

Deno.test("device names give their numbers, others none", () => {
  assertEquals([nbdIndex("nbd3"), nbdIndex("/dev/nbd17"), nbdName(4)], [3, 17, "nbd4"]);
  assertEquals([nbdIndex("nbd0p1"), nbdIndex("/tmp/nbd0"), nbdIndex("nbd")], [
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals([loopNumber("/dev/loop12"), loopNumber("/dev/loop-control")], [12, undefined]);
  assertEquals([loopNumber("loop0"), loopNumber("/dev/loop00")], [0, undefined]);
});

Deno.test("encodeLoopConfig() puts a loop_info64 where decodeLoopStatus() reads it", () => {
  const buffer = encodeLoopConfig({
    fd: 5,
    blockSizeBytes: 4096,
    offsetBytes: 2 ** 40,
    sizeLimitBytes: 8192,
    flags: LO_FLAGS.readOnly | LO_FLAGS.directIo,
    fileName: "/images/" + "long".repeat(20),
  });
  assertEquals([buffer.size, buffer.view.getUint32(0, true), buffer.view.getUint32(4, true)], [
    304,
    5,
    4096,
  ]);
  const status = decodeLoopStatus(new DataView(buffer.bytes.slice(8).buffer));
  assertEquals([status.offsetBytes, status.sizeLimitBytes], [2 ** 40, 8192]);
  assertEquals([status.readOnly, status.directIo, status.partScan], [true, true, false]);
  assertEquals(status.fileName, ("/images/" + "long".repeat(20)).slice(0, 63));
});

// The C library stays open for the rest of the process.
const opensLibrary = { sanitizeResources: false };

Deno.test("blockDeviceName() and deviceUsers() know what is no block device", opensLibrary, () => {
  assertEquals([blockDeviceName("/dev/null"), blockDeviceName("/nonexistent")], [
    undefined,
    undefined,
  ]);
  assertEquals(deviceUsers("/nonexistent"), []);
});

Deno.test("parseResults() reads a guest's report", () => {
  const text = "ok one\nnot ok two: expected 'a: b', got 'c'\nnoise\n";
  assertEquals(parseResults(text), {
    checks: [
      { name: "one", passed: true, details: "" },
      { name: "two", passed: false, details: "expected 'a: b', got 'c'" },
    ],
    finished: false,
  });
  assertEquals(parseResults("# end\n").finished, true);
});

Deno.test("countReceivers() counts the kernel threads at work for that device", () => {
  const names = [
    ...["kworker/u5:0+nbd1-recv", "nbd1-recv+nbd1-recv", "kworker/R-nbd1-+nbd1-recv"],
    ...["kworker/u5:1-nbd1-recv", "nbd1-recv", "kworker/u5:2+nbd10-recv", "kworker/u5:3+nbd0-recv"],
    "kworker/u5:4+knbd1-recv",
  ];
  assertEquals(countReceivers(names, 1), 4);
  assertEquals(countReceivers(names, 2), 0);
});
