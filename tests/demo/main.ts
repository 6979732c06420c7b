/**
 * `deno task demo`: attaches the small image in testdata, shows what is in it, and detaches it.
 * As a block device where the kernel has nbd and the user may mount, else over a Unix socket.
 *
 * @module
 */
import { readExport } from "./nbd_reader.ts";

const SOURCE = new URL("../../", import.meta.url).pathname;
const IMAGE = "testdata/hello.qcow2";

/** ext4 superblock: it begins at 1024; s_magic at 0x38, s_volume_name (16 bytes) at 0x78. */
const SUPERBLOCK = { offset: 1024, size: 1024, magic: 0x38, label: 0x78, labelBytes: 16 } as const;
const EXT4_MAGIC = 0xef53;

interface Result {
  readonly ok: boolean;
  /** What it printed to standard output. */
  readonly printed: string;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

/** Runs a command, showing it as it would be typed. */
function show(name: string, program: string, args: readonly string[]): Result {
  const typed = args.slice(args.indexOf("src/main.ts") + 1).join(" ");
  say(`\n$ ${name} ${typed}\n`);
  const output = new Deno.Command(program, { args: [...args], cwd: SOURCE }).outputSync();
  const printed = new TextDecoder().decode(output.stdout);
  say(printed + new TextDecoder().decode(output.stderr));
  return { ok: output.success, printed: printed.trim() };
}

function tslosetup(...args: string[]): Result {
  const flags = [
    "run",
    "--quiet",
    "--no-prompt",
    "--allow-ffi",
    "--allow-env=XDG_RUNTIME_DIR,TMPDIR,TSLOSETUP_DEBUG",
    "--allow-read=src",
  ];
  return show("tslosetup", Deno.execPath(), [...flags, "src/main.ts", ...args]);
}

/** Mounts the image; false where that cannot be done here. */
function showAsDevice(folder: string): boolean {
  const attached = tslosetup("-r", "--find", "--show", "--file-fmt-type", "QCOW", IMAGE);
  if (!attached.ok) return false;
  const device = attached.printed;
  try {
    if (!show("mount", "mount", ["-o", "ro", device, folder]).ok) return false;
    show("ls", "ls", ["-l", folder]);
    show("umount", "umount", [folder]);
    return true;
  } finally {
    tslosetup("-d", device);
  }
}

async function showOverSocket(folder: string): Promise<boolean> {
  const socket = `${folder}/hello.sock`;
  if (!tslosetup("-r", "--socket", socket, "--show", "--file-fmt-type", "QCOW", IMAGE).ok) {
    return false;
  }
  try {
    tslosetup("-l");
    const superblock = await readExport(socket, SUPERBLOCK.offset, SUPERBLOCK.size);
    const magic = new DataView(superblock.buffer).getUint16(SUPERBLOCK.magic, true);
    const label = superblock.subarray(SUPERBLOCK.label, SUPERBLOCK.label + SUPERBLOCK.labelBytes);
    if (magic !== EXT4_MAGIC) return false;
    say(`\nRead from the virtual disk: an ext4 file system named "${text(label)}".\n`);
    return true;
  } finally {
    tslosetup("-d", socket);
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
}

async function main(): Promise<number> {
  const folder = Deno.makeTempDirSync({ prefix: "tslosetup-demo-" });
  try {
    if (showAsDevice(folder)) return 0;
    say("\nNo block device here; the same image over a Unix socket:\n");
    return await showOverSocket(folder) ? 0 : 1;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.exit(await main());
