/**
 * Daemons that are killed while they change the snapshots of an image, or make its disk larger, at each of
 * the calls by which they change it: the device goes on, and what was ordered is done, once.
 *
 * A sample; all calls by TSLOSETUP_ORDERS=all (`deno task test:killed-orders`).
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { isLinuxSince } from "../../../src/kernel/release.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { type Injection, TracedProcess } from "../../crash/traced_process.ts";
import { sameBytes } from "../../format/opened_image.ts";
import { eventually } from "../../support/patience.ts";
import { must, run, TempDirectory } from "../../support/tools.ts";
import { Device, deviceTest, KIB, makeSparse, MIB } from "./device.ts";

// Opened within a test, it would count as a leak of that test.
openLibc();

const SIZE = 8 * MIB;
const BLOCK = 64 * KIB;
const GROWN = 1024 * MIB;
const ARE_ALL_WANTED = Deno.env.get("TSLOSETUP_ORDERS") === "all";
/** Written over what the first snapshot has, too, without a flush. */
const WRITES: readonly (readonly [blocks: number, seek: number, byte: number])[] = [
  [16, 0, 1],
  [1, 40, 2],
  [8, 8, 3],
];

interface Order {
  readonly name: string;
  readonly format: "QCOW" | "RAW";
  /** So many kills where not all are wanted. */
  readonly kills: number;
  readonly words: readonly string[];
  /** What there is then. */
  readonly snapshots: readonly string[];
  readonly sizeBytes: number;
}

const ORDERS: readonly Order[] = [
  {
    name: "a snapshot is made",
    format: "QCOW",
    kills: 1,
    words: ["--snapshot-create", "second"],
    snapshots: ["first", "second"],
    sizeBytes: SIZE,
  },
  {
    name: "a snapshot is deleted",
    format: "QCOW",
    kills: 0,
    words: ["--snapshot-delete", "first"],
    snapshots: [],
    sizeBytes: SIZE,
  },
  {
    name: "a disk grows, and needs a longer L1 table",
    format: "QCOW",
    kills: 1,
    words: ["--resize", `${GROWN}`],
    snapshots: ["first"],
    sizeBytes: GROWN,
  },
  {
    name: "a plain file grows",
    format: "RAW",
    kills: 0,
    words: ["--resize", `+${SIZE}`],
    snapshots: [],
    sizeBytes: 2 * SIZE,
  },
];

/** One image, which is attached, written to, and told something again and again. */
class OrderedImage {
  readonly #folder: TempDirectory;
  readonly #order: Order;
  readonly #image: string;
  readonly #content = new Uint8Array(SIZE);
  /** Of daemons; not each of them makes as many calls. */
  kills = 0;

  constructor(folder: TempDirectory, order: Order) {
    this.#folder = folder;
    this.#order = order;
    this.#image = folder.file("image");
  }

  /** Calls of the daemon that is told, if it is not killed. */
  async calls(): Promise<readonly Injection[]> {
    const counts = await this.tell();
    return [...counts].flatMap(([call, most]) =>
      Array.from({ length: most }, (_, n) => ({ call, number: n + 1, effect: "signal=SIGKILL" }))
    );
  }

  async tell(injection?: Injection): Promise<ReturnType<TracedProcess["counts"]>> {
    const { format, words, sizeBytes } = this.#order;
    await this.#make();
    await using device = await Device.attach(this.#image, "-t", format);
    await this.#write(device);
    const log = this.#folder.file("calls");
    let counts: ReturnType<TracedProcess["counts"]>;
    {
      await using traced = injection === undefined
        ? await TracedProcess.trace(device.pid, log)
        : await TracedProcess.inject(device.pid, log, injection);
      const { code, stderr } = await device.program.run(...words, device.path);
      assertEquals(`${code} ${stderr}`, "0 ");
      counts = traced.counts();
    }
    const wasKilled = !device.isRunning;
    if (wasKilled) await eventually(() => device.revivals === 1, "another daemon");
    this.kills += wasKilled ? 1 : 0;
    assertEquals(device.sizeBytes, sizeBytes);
    assertEquals(
      await device.program.must("-n", "-O", "SIZE", "-l", device.path),
      `${sizeBytes}\n`,
    );
    await this.#mustBeRight(device);
    await device.detach();
    await device.gone();
    await this.#mustBeInOrder();
    return counts;
  }

  async #make(): Promise<void> {
    if (this.#order.format === "RAW") return void makeSparse(this.#image, SIZE);
    await must("qemu-img", "create", "-q", "-f", "qcow2", this.#image, `${SIZE}`);
    await must("qemu-io", "-f", "qcow2", "-c", `write -P 9 0 ${SIZE / 2}`, this.#image);
    await must("qemu-img", "snapshot", "-c", "first", this.#image);
  }

  async #write(device: Device): Promise<void> {
    const content = this.#content.fill(this.#order.format === "RAW" ? 0 : 9, 0, SIZE / 2);
    const source = this.#folder.file("source");
    for (const [blocks, seek, byte] of WRITES) {
      content.fill(byte, seek * BLOCK, (seek + blocks) * BLOCK);
      Deno.writeFileSync(source, new Uint8Array(blocks * BLOCK).fill(byte));
      const where = [`if=${source}`, `of=${device.path}`, `bs=${BLOCK}`, `seek=${seek}`];
      await must("dd", ...where, "oflag=direct", "conv=notrunc", "status=none");
    }
  }

  async #mustBeRight(device: Device): Promise<void> {
    const read = this.#folder.file("read");
    const where = [`if=${device.path}`, `of=${read}`, "bs=1M", `count=${SIZE / MIB}`];
    await must("dd", ...where, "iflag=direct", "status=none");
    assertEquals(sameBytes(Deno.readFileSync(read), this.#content), true, "other bytes");
  }

  async #mustBeInOrder(): Promise<void> {
    const { format, snapshots, sizeBytes } = this.#order;
    if (format === "RAW") return assertEquals(Deno.statSync(this.#image).size, sizeBytes);
    const check = await run("qemu-img", "check", "-f", "qcow2", this.#image);
    assertEquals(check.code, 0, check.stdout + check.stderr);
    const info = JSON.parse(
      await must("qemu-img", "info", "-f", "qcow2", "--output=json", this.#image),
    );
    assertEquals(info["virtual-size"], sizeBytes);
    const found: readonly { readonly name: string }[] = info.snapshots ?? [];
    assertEquals(found.map(({ name }) => name), snapshots);
    if (snapshots.length === 0) return;
    const raw = this.#folder.file("raw");
    await must(
      "qemu-img",
      "convert",
      "-f",
      "qcow2",
      "-O",
      "raw",
      "-l",
      snapshots.at(-1) ?? "",
      this.#image,
      raw,
    );
    const wanted = snapshots.length > 1 ? this.#content : new Uint8Array(SIZE).fill(9, 0, SIZE / 2);
    Deno.truncateSync(raw, SIZE);
    assertEquals(sameBytes(Deno.readFileSync(raw), wanted), true, "the snapshot has other bytes");
  }
}

/** So many of them, the last one among them: then what is ordered has been done. */
function sample(all: readonly Injection[], kills: number): readonly Injection[] {
  const step = all.length / kills;
  return all.filter((_, n) => Math.floor(n / step) !== Math.floor((n + 1) / step));
}

for (const order of ORDERS) {
  if (order.kills === 0 && !ARE_ALL_WANTED) continue;
  deviceTest(
    `a daemon is killed while ${order.name}`,
    ["qemu-img", "qemu-io", "dd", "strace"],
    async (t) => {
      using folder = new TempDirectory();
      const image = new OrderedImage(folder, order);
      const all = await image.calls();
      const calls = ARE_ALL_WANTED ? all : sample(all, order.kills);
      for (const call of calls) {
        try {
          await image.tell(call);
        } catch (error) {
          throw new Error(JSON.stringify(call), { cause: error });
        }
      }
      await t.step(`${image.kills} kills, of ${all.length}`, () => {});
    },
    { obstacle: isLinuxSince(6, 9) ? undefined : "no FUSE_NOTIFY_RESEND before Linux 6.9" },
  );
}
