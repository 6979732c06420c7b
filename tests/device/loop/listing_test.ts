// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Device, deviceTest } from "../fuse/device.ts";
import { asRoot, ExportedImage, Nobody, type Surroundings } from "../../support/program.ts";
import { must, type Output, run, TempDirectory } from "../../support/tools.ts";
import { LoopFolder } from "./loop_folder.ts";

const MIB = 1024 * 1024;
/** Others set devices up meanwhile: what losetup says before and after has to be the same. */
const ATTEMPTS = 12;
const COLUMNS = "NAME,AUTOCLEAR,BACK-FILE,BACK-INO,BACK-MAJ:MIN,MAJ:MIN,OFFSET,PARTSCAN,RO," +
  "SIZELIMIT,DIO,LOG-SEC";

/** Compares what both programs say, program names aside. */
async function agree(line: readonly string[], locale = "C.UTF-8"): Promise<void> {
  const losetup = (): Promise<Output> => run("env", `LC_ALL=${locale}`, "losetup", ...line);
  const program = asRoot({ LC_ALL: locale });
  for (let attempt = 1;; attempt++) {
    const before = await losetup();
    const { code, stdout, stderr } = await program.run(...line);
    if (attempt < ATTEMPTS && (await losetup()).stdout !== before.stdout) continue;
    const theirs = { ...before, stderr: before.stderr.replaceAll(/^losetup: /gm, "tslosetup: ") };
    assertEquals({ code, stdout, stderr }, theirs, line.join(" "));
    return;
  }
}

/** Files and devices that have something to tell. */
async function attachOddities(folder: LoopFolder): Promise<string[]> {
  const attach = async (file: string, ...options: string[]): Promise<string> => {
    const device = await must("losetup", "-f", "--show", ...options, file);
    return device.trim();
  };
  const plain = folder.sparse("a.img", 3 * MIB);
  Deno.symlinkSync(plain, folder.file("link"));
  Deno.linkSync(plain, folder.file("hard link"));
  const deleted = folder.sparse("deleted", MIB);
  const noText = `truncate -s 1M "$1"/$(printf '\\377') && losetup -f "$1"/$(printf '\\377')`;
  await must("sh", "-c", noText, "sh", folder.path);
  const devices = [
    await attach(plain, "-P"),
    await attach(folder.sparse("with blank", MIB), "-r", "-o", "512", "--sizelimit", "1024"),
    await attach(folder.sparse("ü日.img", MIB), "--direct-io=on"),
    await attach(folder.sparse("new\nline\t\x7f", MIB), "-b", "4096"),
    await attach(folder.sparse("\\x41\\" + "n".repeat(120), MIB)),
    await attach(deleted),
  ];
  Deno.removeSync(deleted);
  return devices;
}

const LISTINGS: readonly string[] = [
  "",
  "-l",
  "-a",
  "-J",
  "--raw",
  "-nJ",
  "-al",
  "-aJ",
  "-alJ",
  "-al --raw",
  "-nl",
  "-n -O NAME",
  `-O ${COLUMNS}`,
  `-J -O ${COLUMNS}`,
  `--raw -O ${COLUMNS}`,
  "-l -O +MAJ:MIN",
  "-O +name,Ro",
  "-O BACK-FILE,NAME",
  "-nO BACK-MAJ:MIN",
  "-O BACK-INO,BACK-FILE",
  "-aO NAME",
  "-O NAME,FOO,BAR",
  "--raw -J",
  "-n",
  "-n -J",
  "-l -o 0",
  "-j /nonexistent",
  "-lj /nonexistent",
  "-lJj /nonexistent",
  "-j /dev/null",
  "-j /",
  "/dev/null",
  "-l /dev/null",
  "/dev/loop4711",
  "-l /dev/loop4711",
  "-l /dev/null -O FOO",
];

/** With the devices and files of {@link attachOddities}. */
const SINGLE: readonly string[] = [
  "DEVICE",
  "-l DEVICE",
  "-J DEVICE",
  "-lJ DEVICE",
  "-O RO,NAME DEVICE",
  "-l DEVICE -o 0",
  "WINDOW",
  "-l WINDOW",
  "DELETED",
  "--raw -l DELETED",
  "-j FILE",
  "-j LINK",
  "-j HARD",
  "-lj LINK",
  "-lj FILE -o 0",
  "-j FILE -o 512",
  "-j BLANK -o 512",
  "-Jlj BLANK",
  "FILE",
];

deviceTest("listings are losetup's, to the byte", [], async (t) => {
  using folder = new LoopFolder();
  const [device = "", window = "", , , , deleted = ""] = await attachOddities(folder);
  for (const line of LISTINGS) {
    await t.step(line === "" ? "no argument" : line, () => agree(words(line)));
  }
  const names: Readonly<Record<string, string>> = {
    DEVICE: device,
    WINDOW: window,
    DELETED: deleted,
    FILE: folder.file("a.img"),
    LINK: folder.file("link"),
    HARD: folder.file("hard link"),
    BLANK: folder.file("with blank"),
  };
  for (const line of SINGLE) {
    await t.step(line, () => agree(words(line).map((word) => names[word] ?? word)));
  }
  for (const locale of ["C", "no_WHERE"]) {
    for (const line of ["-l", "-a", "-J", "--raw"]) {
      await t.step(`${line}, ${locale}`, () => agree([line], locale));
    }
  }
});

function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

/** Runs a program on a terminal of that width. */
function onTerminal(columns: number, command: readonly string[]): Promise<string> {
  const quoted = command.map((word) => `'${word}'`).join(" ");
  return must("script", "-qec", `stty cols ${columns} rows 24; ${quoted}`, "/dev/null");
}

deviceTest("listings fit a terminal as losetup's do", ["script", "stty"], async (t) => {
  using folder = new LoopFolder();
  await attachOddities(folder);
  const program = asRoot().command;
  const cases: readonly (readonly [number, string])[] = [
    [0, "-l"],
    [20, "-l"],
    [60, "-l"],
    [100, "-l"],
    [300, "-l"],
    [50, "-nO BACK-FILE,NAME,MAJ:MIN"],
    [30, "-O RO,BACK-FILE"],
    [60, "--raw"],
    [60, "-J"],
  ];
  for (const [columns, line] of cases) {
    await t.step(`${columns} columns, ${line}`, async () => {
      for (let attempt = 1;; attempt++) {
        const losetup = (): Promise<string> => onTerminal(columns, ["losetup", ...words(line)]);
        const before = await losetup();
        const ours = await onTerminal(columns, [...program, ...words(line)]);
        if (attempt < ATTEMPTS && before !== await losetup()) continue;
        assertEquals(ours, before);
        break;
      }
    });
  }
});

deviceTest("whoever may not open a device sees of it what sysfs tells", [], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  const device = (await must("losetup", "-f", "--show", image)).trim();
  using nobody = new Nobody();
  const { program } = nobody;
  assertEquals(await program.must(device), `${device}: []: (${image})\n`);
  assertEquals(
    await program.must("-nO", "BACK-INO,BACK-FILE,BACK-MAJ,TRANSPORT", device),
    `         ${image}          loop\n`,
  );
});

interface Listed {
  readonly loopdevices: readonly Readonly<Record<string, unknown>>[];
}

async function listed(program: Surroundings, ...words: string[]): Promise<Listed["loopdevices"]> {
  return (JSON.parse(await program.must("-lJ", ...words)) as Listed).loopdevices;
}

deviceTest("devices of our own are listed with the image, not what carries it", [], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", 2 * MIB);
  await using device = await Device.attach(image, "-o", "1M", "--sizelimit", "512K");
  const { program, path, pid } = device;
  const { ino } = Deno.statSync(image);
  assertEquals(await listed(program, path), [{
    "name": path,
    "sizelimit": 512 * 1024,
    "offset": MIB,
    "autoclear": false,
    "ro": false,
    "back-file": image,
    "file-format": "RAW",
    "dio": false,
    "log-sec": 512,
    "size": 512 * 1024,
    "pid": pid,
    "transport": "fuse",
    "revived": 0,
  }]);
  const line = await program.must(path);
  assertMatch(line, new RegExp(`:${ino} .*, offset 1048576, sizelimit 524288, file-format RAW\n$`));
  assertEquals(line.startsWith(`${path}: [`), true);
  assertEquals(
    await program.must("-a").then((text) => text.split("\n").includes(line.trim())),
    true,
  );
  await device.detach();
});

deviceTest("-j finds an image by whatever name, and by its offset", [], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", 2 * MIB);
  Deno.symlinkSync(image, folder.file("link"));
  Deno.linkSync(image, folder.file("hard"));
  await using device = await Device.attach(image, "-o", "1M");
  const { program } = device;
  const line = await program.must(device.path);
  for (const name of ["disk", "link", "hard"]) {
    assertEquals(await program.must("-j", folder.file(name)), line);
  }
  assertEquals(await program.must("-j", image, "-o", "1M"), line);
  assertEquals(await program.must("-j", image, "-o", "0"), "");
  assertEquals(await program.must("-j", folder.sparse("other", MIB)), "");
  await device.detach();
});

deviceTest("an image that was renamed, or its folder, is listed by its new name", [], async () => {
  using folder = new LoopFolder();
  Deno.mkdirSync(folder.file("old"));
  const image = folder.sparse("old/disk", MIB);
  await using device = await Device.attach(image);
  const { program, path } = device;
  const listedFile = (): Promise<string> => program.must("-nO", "BACK-FILE", path);
  assertEquals(await listedFile(), `${image}\n`);
  Deno.renameSync(image, folder.file("old/renamed"));
  assertEquals(await listedFile(), `${folder.file("old/renamed")}\n`);
  Deno.renameSync(folder.file("old"), folder.file("new folder"));
  const now = folder.file("new folder/renamed");
  assertEquals(await listedFile(), `${now}\n`);
  assertMatch(await program.must("-j", now), /\/new folder\/renamed\), file-format RAW\n$/);
  Deno.removeSync(now);
  assertEquals(await listedFile(), `${image} (deleted)\n`);
  await device.detach();
});

deviceTest("an image that was deleted, or replaced, is marked as the kernel does", [], async () => {
  using folder = new LoopFolder();
  const image = folder.sparse("disk", MIB);
  await using device = await Device.attach(image);
  const { program, path } = device;
  Deno.removeSync(image);
  const marked = `${image} (deleted)\n`;
  assertEquals(await program.must("-nO", "BACK-FILE", path), marked);
  folder.sparse("disk", MIB);
  assertEquals(await program.must("-nO", "BACK-FILE", path), marked);
  await device.detach();
});

deviceTest(
  "our columns are in the listings of a system that has more than loop devices",
  [],
  async () => {
    using images = new TempDirectory();
    using folder = new LoopFolder();
    const loop = (await must("losetup", "-f", "--show", folder.sparse("disk", MIB))).trim();
    const image = images.file("image");
    Deno.writeFileSync(image, new Uint8Array(MIB));
    await using exported = await ExportedImage.attach({ folder: images, image });
    const { program, socket, pid } = exported;
    const rows = (await program.must("-l", "--raw")).split("\n");
    assertEquals(
      rows[0],
      "NAME SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE FILE-FORMAT DIO LOG-SEC SIZE PID TRANSPORT REVIVED",
    );
    assert(
      rows.includes(`${socket} 0 0 0 0 ${image} RAW 0 - ${MIB} ${pid} socket 0`),
      rows.join("\n"),
    );
    assert(rows.includes(`${loop} 0 0 0 0 ${folder.file("disk")} RAW 0 512 ${MIB} - loop -`));
    const table = (await program.must("-l", socket)).split("\n").map(words);
    assertEquals(table, [
      ["NAME", "RO", "BACK-FILE", "FILE-FORMAT", "SIZE"],
      [socket, "0", image, "RAW", String(MIB)],
      [],
    ]);
    const [first] = await listed(program, "-j", image);
    assertEquals([first?.["log-sec"], first?.pid, first?.name], [null, pid, socket]);
  },
);
