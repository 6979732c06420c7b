// @ts-types="../support/std_assert.d.ts"
import { assert } from "@std/assert";
import { buildImage } from "../format/qcow/image_builder.ts";
import { rootTest } from "../support/tools.ts";
import { type Case, checkAsNobody, checkAsRoot, type Place } from "./refusals.ts";

const QCOW = ["--file-fmt-type", "QCOW"];
const QCOW_MAGIC = Uint8Array.of(0x51, 0x46, 0x49, 0xfb);

function goodImage({ file }: Place): string[] {
  return [file("good.raw", new Uint8Array(65536))];
}

function fifo({ folder }: Place): string {
  const path = `${folder}/fifo`;
  assert(new Deno.Command("mkfifo", { args: ["-m", "666", path] }).outputSync().success);
  return path;
}

const CASES: readonly Case[] = [
  {
    name: "a missing file",
    words: ({ folder }) => [`${folder}/missing`],
    says: /missing: .*No such file or directory/,
  },
  {
    name: "a missing folder",
    words: ({ folder }) => [...QCOW, `${folder}/missing/file`],
    says: /No such file or directory/,
  },
  { name: "a folder", words: ({ folder }) => [folder], says: /Is a directory/ },
  { name: "a folder as QCOW", words: ({ folder }) => [...QCOW, folder], says: /Is a directory/ },
  { name: "an empty file", words: ({ file }) => [file("empty")], says: /empty: .*empty/ },
  {
    name: "an empty file as QCOW",
    words: ({ file }) => [...QCOW, file("empty")],
    says: /empty: failed to set up socket: ./,
  },
  {
    name: "a truncated header",
    words: ({ file }) => [...QCOW, file("short", QCOW_MAGIC)],
    says: /short: failed to set up socket: ./,
  },
  {
    name: "a header of zeros",
    words: ({ file }) => [...QCOW, file("zeros", new Uint8Array(4096))],
    says: /zeros: failed to set up socket: ./,
  },
  {
    name: "an unknown format",
    words: (place) => ["--file-fmt-type", "NTFS", ...goodImage(place)],
    says: /NTFS/,
  },
  {
    name: "a recognised format without a driver",
    words: ({ file }) => [
      "-t",
      "auto",
      file("disk", Uint8Array.from("shdw\0\0\0\x01\0\0\x02\0".padEnd(999), (c) => c.charCodeAt(0))),
    ],
    says: /ASIF/,
  },
  {
    name: "a snapshot of a format without any",
    words: (place) => ["--snapshot", "1", ...goodImage(place)],
    says: /RAW images have no internal snapshots/,
  },
  {
    name: "a snapshot that is not there",
    words: ({ file }) => [...QCOW, "--snapshot", "x", file("disk", buildImage())],
    says: /there is no snapshot 'x'; the image has none/,
  },
  {
    name: "an image that is marked as corrupt",
    words: ({ file }) => [
      ...QCOW,
      file("disk", buildImage({ headerV3: { incompatible_features: 2 } })),
    ],
    says: /the image is marked as corrupt \(--force .*; --check --repair all .*\)/,
  },
  { name: "a pipe", words: (place) => [fifo(place)], says: /fifo: ./ },
  { name: "a character device", words: () => ["/dev/null"], says: /null: ./ },
  {
    name: "an offset past the end",
    words: (place) => ["-o", "1G", ...goodImage(place)],
    says: /offset/,
  },
  {
    name: "an offset at the end",
    words: (place) => ["-o", "64K", ...goodImage(place)],
    says: /offset/,
  },
  {
    name: "a socket path that is a file",
    words: goodImage,
    socket: ({ file }) => file("taken", Uint8Array.of(1, 2, 3)),
    says: /Address already in use/,
  },
  {
    name: "a socket path that is a folder",
    words: goodImage,
    socket: ({ folder }) => folder,
    says: /Address already in use/,
  },
  {
    name: "a socket path that is too long",
    words: goodImage,
    socket: ({ folder }) => `${folder}/${"x".repeat(120)}`,
    says: /socket path/,
  },
  {
    name: "a socket in a missing folder",
    words: goodImage,
    socket: ({ folder }) => `${folder}/missing/socket`,
    says: /No such file or directory/,
  },
  {
    name: "a socket where none can be",
    words: goodImage,
    socket: () => "/sys/socket",
    says: /denied|not permitted/,
  },
];

/** For users whom permissions hold back. */
const CASES_OF_NOBODY: readonly Case[] = [
  {
    name: "an unreadable file",
    words: ({ file }) => {
      const path = file("secret", new Uint8Array(4096));
      Deno.chmodSync(path, 0);
      return [path];
    },
    says: /secret: .*Permission denied/,
  },
  {
    name: "a folder that cannot be searched",
    words: ({ folder }) => {
      Deno.mkdirSync(`${folder}/closed`, { mode: 0o700 });
      return [`${folder}/closed/image`];
    },
    says: /Permission denied/,
  },
  {
    name: "a socket in a folder that cannot be written",
    words: goodImage,
    socket: () => "/usr/socket",
    says: /Permission denied/,
  },
];

Deno.test("tslosetup refuses bad input in one line, as root", async (t) => {
  await checkAsRoot(t, CASES);
});

rootTest("tslosetup refuses bad input in one line, as nobody", ["setpriv"], async (t) => {
  await checkAsNobody(t, [...CASES, ...CASES_OF_NOBODY]);
});
