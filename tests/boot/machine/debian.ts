/**
 * What the guest is made of: a Debian root folder and a Debian kernel, made once and kept in the user's
 * cache folder, anew if what they are made by has changed.
 *
 * @module
 */
import { must, run } from "../../support/tools.ts";

const SUITE = "bookworm";
const MIRROR = "http://deb.debian.org/debian";
const KERNEL = "linux-image-amd64";
const GUEST = new URL("./guest/", import.meta.url).pathname;

/** What every guest has. */
const BASE = ["systemd-sysv", "udev", "kmod", "busybox", "zstd", "squashfs-tools", "procps"];
/** Of no use to anybody, or slow where all is emulated. */
const MASKED = [
  ...["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"],
  ...[
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "getty@tty1.service",
    "systemd-timesyncd.service",
  ],
  ...["serial-getty@ttyS0.service", "serial-getty@ttyS1.service", "getty-static.service"],
  ...[
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
  ],
];
/** What kills the root's daemon as soon as there is an init, and then is the usual one. */
export const KILLING_INIT = "/usr/local/sbin/killing-init";
/** The label of the root's file system. */
export const ROOT_LABEL = "guestroot";

/** A kernel and its modules. */
export interface Kernel {
  readonly version: string;
  readonly image: string;
  /** The folder that goes to /lib/modules. */
  readonly modules: string;
}

function cacheFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
  return `${cache}/tslosetup-boot`;
}

/**
 * The root folder of a guest: not to be changed.
 *
 * @param packages what it has besides what all have: one of initramfs-tools and dracut, most of all
 */
export async function debianRoot(...packages: readonly string[]): Promise<string> {
  const files = ["agent.sh", "agent.service", "killing_init.sh"].map((name) =>
    Deno.readTextFileSync(GUEST + name)
  );
  const recipe = JSON.stringify([SUITE, MIRROR, BASE, MASKED, packages, files]);
  return await kept(`root-${await digest(recipe)}`, (folder) => makeRoot(folder, packages));
}

async function makeRoot(folder: string, packages: readonly string[]): Promise<void> {
  await must("mmdebstrap", ...[
    ...["--variant=minbase", "--quiet", '--aptopt=Apt::Install-Recommends "false"'],
    ...["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"]
      .map((path) => `--dpkgopt=path-exclude=${path}`),
    ...[`--include=${[...BASE, ...packages].join()}`, SUITE, folder, MIRROR],
  ]);
  const write = (path: string, text: string): void => Deno.writeTextFileSync(folder + path, text);
  write("/etc/fstab", `LABEL=${ROOT_LABEL} / ext4 defaults 0 1\n`);
  write("/etc/hostname", "guest\n");
  await must("install", "-m", "755", `${GUEST}agent.sh`, `${folder}/usr/local/sbin/agent`);
  await must("install", "-m", "755", `${GUEST}killing_init.sh`, folder + KILLING_INIT);
  await must("install", "-m", "644", `${GUEST}agent.service`, `${folder}/etc/systemd/system`);
  const units = `${folder}/etc/systemd/system`;
  for (const name of MASKED) Deno.symlinkSync("/dev/null", `${units}/${name}`);
  Deno.symlinkSync("../agent.service", `${units}/multi-user.target.wants/agent.service`);
  await must("sh", "-c", 'rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*', "sh", folder);
}

/** The newest kernel that the package lists of this machine know. */
export async function debianKernel(): Promise<Kernel> {
  const policy = await must("apt-cache", "policy", KERNEL);
  const candidate = /Candidate: (\S+)/.exec(policy)?.[1] ?? "none";
  const folder = await kept(`kernel-${await digest(candidate)}`, makeKernel);
  const modules = `${folder}/lib/modules`;
  const [version = ""] = [...Deno.readDirSync(modules)].map(({ name }) => name);
  return { version, modules, image: `${folder}/boot/vmlinuz-${version}` };
}

async function makeKernel(folder: string): Promise<void> {
  const depends = await must("apt-cache", "depends", KERNEL);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1] ?? KERNEL;
  const download = 'cd "$1" && apt-get -q download "$2" && dpkg -x "$2"_*.deb . && rm "$2"_*.deb';
  await must("sh", "-c", download, "sh", folder, name);
  await must("/sbin/depmod", "-b", folder, name.replace("linux-image-", ""));
}

/** A folder in the cache; `make` fills it if it is not there. */
async function kept(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = `${cacheFolder()}/${name}`;
  if ((await run("test", "-d", folder)).code === 0) return folder;
  const unfinished = `${folder}.${Deno.pid}`;
  Deno.mkdirSync(unfinished, { recursive: true, mode: 0o755 });
  await make(unfinished);
  Deno.renameSync(unfinished, folder);
  return folder;
}

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).toHex().slice(0, 16);
}
