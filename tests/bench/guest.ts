/**
 * Runs the benchmark's guest: an emulated machine with two processors and a kernel that has nbd, on the
 * host's files.
 *
 * @module
 */
import { hasTool, must, TempDirectory } from "../support/tools.ts";
import { type GuestPlan, isComplete, parseResults, planText, runsOf } from "./guest_plan.ts";
import { cacheFolder } from "./images.ts";
import type { Sample } from "./rounds.ts";

const EMULATOR = "qemu-system-x86_64";
const TOOLS = [EMULATOR, "busybox", "depmod", "modprobe", "fio", "qemu-nbd", "losetup", "mke2fs"];
/** What is loaded in the guest, besides what each of them needs. */
const MODULES = ["virtio_pci", "9pnet_virtio", "9p", "brd", "ext4", "loop", "erofs", "nbd"];
/** Without string instructions that are fast in silicon only: emulated, they copy byte by byte. */
const PROCESSOR = "max,-erms,-fsrm";
/** One processor, for which each instruction takes a nanosecond, and nothing else takes time. */
const COUNTING = ["-accel", "tcg", "-smp", "1", "-icount", "shift=0,sleep=on"];
/** Images twice, what is cached of them, the binary and its daemon. */
const MEMORY_MIB = 1280;
const BOOT_LIMIT_SECONDS = 300;
/** What a run takes besides its seconds, on a busy machine. */
const RUN_SECONDS = 15;
/** How much longer everything takes where instructions are counted. */
const COUNTING_FACTOR = 15;
const LAST_WORDS = 40;

/** A kernel for the guest: an unpacked package. */
export interface GuestKernel {
  /** The folder that it was unpacked in. */
  readonly root: string;
  /** As `uname -r` has it in the guest. */
  readonly version: string;
}

/**
 * The kernel that was put into the benchmark's folder.
 *
 * @throws {Error} that says what is missing, if anything the guest needs is
 */
export function findKernel(): GuestKernel {
  const missing = TOOLS.filter((tool) => !hasTool(tool));
  if (missing.length > 0) throw new Error(`the guest needs ${missing.join(", ")}: see README.md`);
  const root = `${cacheFolder()}/kernel`;
  const version = kernelVersions(root).find((version) => version.endsWith("-amd64"));
  if (version !== undefined) return { root, version };
  throw new Error(
    "the guest needs a kernel: apt-get download linux-image-6.1.0-N-amd64 && " +
      `dpkg -x linux-image-6.1.0-N-amd64_*.deb ${root} (N: the highest that apt-cache search knows)`,
  );
}

function kernelVersions(root: string): string[] {
  try {
    return [...Deno.readDirSync(`${root}/lib/modules`)].map(({ name }) => name).toSorted();
  } catch {
    return [];
  }
}

/**
 * Boots a guest, and has it measure what the plan says.
 *
 * @param say where the progress of the guest goes
 * @throws {Error} with the guest's last words, if it does not get to its end in time
 */
export async function measureInGuest(
  plan: GuestPlan,
  options: { kernel: GuestKernel; signal: AbortSignal; say: (line: string) => void },
): Promise<Sample[]> {
  using folder = new TempDirectory();
  const initramfs = folder.file("initramfs");
  await makeInitramfs(initramfs, options.kernel);
  const share = folder.file("share");
  Deno.mkdirSync(share);
  Deno.copyFileSync(scriptPath("guest_init.sh"), `${share}/guest_init.sh`);
  Deno.writeTextFileSync(`${share}/plan.sh`, planText(plan));
  Deno.writeTextFileSync(`${share}/results`, "");

  const args = machineArguments(plan, { kernel: options.kernel, initramfs, share });
  const usual = BOOT_LIMIT_SECONDS + runsOf(plan) * (plan.seconds + RUN_SECONDS);
  const limitSeconds = usual * (plan.countsInstructions ? COUNTING_FACTOR : 1);
  const console = await runMachine(args, { ...options, limitSeconds });
  const results = Deno.readTextFileSync(`${share}/results`);
  if (isComplete(results)) return parseResults(results, plan.image.name);
  const words = console.trimEnd().split("\n").slice(-LAST_WORDS).join("\n");
  throw new Error(
    `the guest did not get to its end (limit: ${limitSeconds} s); it said:\n${words}`,
  );
}

function scriptPath(name: string): string {
  return decodeURIComponent(new URL(name, import.meta.url).pathname);
}

function machineArguments(
  { image, countsInstructions }: GuestPlan,
  { kernel, initramfs, share }: { kernel: GuestKernel; initramfs: string; share: string },
): string[] {
  const memoryMib = MEMORY_MIB + 3 * Math.ceil(image.sizeBytes / 2 ** 20);
  const ramDiskKib = Math.ceil(image.sizeBytes * 2.2 / 1024);
  const shared = "security_model=none,multidevs=remap";
  return [
    ...(countsInstructions ? COUNTING : ["-accel", "tcg,thread=multi", "-smp", "2"]),
    ...["-cpu", PROCESSOR, "-m", `${memoryMib}M`],
    ...["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"],
    ...["-kernel", `${kernel.root}/boot/vmlinuz-${kernel.version}`, "-initrd", initramfs],
    ...[
      "-append",
      `console=ttyS0 quiet panic=-1 tsc=reliable clocksource=tsc ram_disk_kib=${ramDiskKib}`,
    ],
    ...["-virtfs", `local,path=/,mount_tag=host,readonly=on,${shared}`],
    ...["-virtfs", `local,path=${share},mount_tag=share,${shared}`],
  ];
}

/** Packs busybox, guest_boot.sh, and the modules, named in the order in which they are loaded. */
async function makeInitramfs(file: string, { root, version }: GuestKernel): Promise<void> {
  using folder = new TempDirectory();
  for (const name of ["bin", "dev", "host", "modules", "proc"]) Deno.mkdirSync(folder.file(name));
  const busybox = (await must("sh", "-c", "command -v busybox")).trim();
  Deno.copyFileSync(busybox, folder.file("bin/busybox"));
  Deno.copyFileSync(scriptPath("guest_boot.sh"), folder.file("init"));
  Deno.chmodSync(folder.file("init"), 0o755);
  const modules = await moduleFiles(root, version);
  const names = modules.map((path) => path.slice(path.lastIndexOf("/") + 1));
  modules.forEach((path, place) => Deno.copyFileSync(path, folder.file(`modules/${names[place]}`)));
  Deno.writeTextFileSync(folder.file("modules/order"), names.map((name) => `${name}\n`).join(""));
  const pack = 'cd "$1" && find . | busybox cpio -o -H newc >"$2"';
  await must("sh", "-c", pack, "sh", folder.path, file);
}

/** Each module's file, after those of the modules that it needs. */
async function moduleFiles(root: string, version: string): Promise<readonly string[]> {
  await must("/sbin/depmod", "-b", root, version);
  const from = ["-C", "/dev/null", "-d", root, "-S", version];
  const listing = await must("/sbin/modprobe", ...from, "--show-depends", "-a", ...MODULES);
  return insmodPaths(listing);
}

/** The files in a listing of `modprobe --show-depends`, each once. What is built in has none. */
export function insmodPaths(listing: string): readonly string[] {
  const paths = listing.split("\n").map((line) => /^insmod (\S+)/.exec(line)?.[1]);
  return [...new Set(paths.filter((path) => path !== undefined))];
}

/** Runs the emulator until it ends or its time is over. Returns what the console showed. */
async function runMachine(
  args: readonly string[],
  options: { limitSeconds: number; signal: AbortSignal; say: (line: string) => void },
): Promise<string> {
  const limit = AbortSignal.timeout(options.limitSeconds * 1000);
  const end = AbortSignal.any([options.signal, limit]);
  end.throwIfAborted();
  const child = new Deno.Command(EMULATOR, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const kill = (): void => child.kill("SIGKILL");
  end.addEventListener("abort", kill);
  try {
    return await consoleOf(child.stdout, options.say);
  } finally {
    await child.status;
    end.removeEventListener("abort", kill);
    options.signal.throwIfAborted();
  }
}

/** Everything on the console; passes on what guest_init.sh says about its progress. */
async function consoleOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  say: (line: string) => void,
): Promise<string> {
  let text = "";
  let said = 0;
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk.replaceAll("\r", "");
    const lines = [...text.matchAll(/^bench: (.*)\n/gm)];
    for (const [, line = ""] of lines.slice(said)) say(line);
    said = lines.length;
  }
  return text;
}
