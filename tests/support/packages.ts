/**
 * The Debian packages that the tests need, and the programs of theirs that tests run.
 *
 * Whoever writes a test that needs a further program adds it here, with its package: `deno task test`
 * and `.ci/run` install them where they can. A test that asks for a program which is not here does not
 * pass the type check.
 *
 * @module
 */

/** Packages by what they are there for, each with its programs. */
export type Packages = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** What the tests need besides Node.js and npm. */
export const PACKAGES = {
  "what every Debian has": {
    apt: ["apt-cache", "apt-get"],
    bash: ["bash"],
    bsdutils: ["script"],
    coreutils: [
      "chmod",
      "cp",
      "dd",
      "df",
      "env",
      "install",
      "mkdir",
      "mkfifo",
      "mv",
      "rm",
      "sha256sum",
      "stty",
      "sync",
      "test",
      "touch",
      "truncate",
      "wc",
    ],
    dash: ["sh"],
    diffutils: ["cmp"],
    dpkg: ["dpkg-query"],
    findutils: ["find"],
    tar: ["tar"],
  },
  "devices, partitions, namespaces": {
    fdisk: ["sfdisk"],
    fuse3: [],
    kmod: [],
    mount: ["losetup", "mount", "umount"],
    "util-linux": [
      "addpart",
      "blkdiscard",
      "blockdev",
      "fallocate",
      "fstrim",
      "nsenter",
      "prlimit",
      "setpriv",
      "setsid",
      "unshare",
    ],
  },
  "oracles and competitors": {
    "android-sdk-libsparse-utils": ["img2simg", "simg2img"],
    bximage: ["bximage"],
    "cloop-utils": ["create_compressed_fs"],
    "ewf-tools": ["ewfacquirestream", "ewfverify"],
    fio: ["fio"],
    "libnbd-bin": ["nbdcopy", "nbdfuse", "nbdinfo"],
    nbdkit: ["nbdkit"],
    "p7zip-full": ["7z"],
    "qemu-utils": ["qemu-img", "qemu-io", "qemu-nbd"],
  },
  "file systems to put into images": {
    "btrfs-progs": ["mkfs.btrfs"],
    dosfstools: ["mkfs.vfat"],
    e2fsprogs: ["debugfs", "e2fsck", "mkfs.ext4", "resize2fs"],
    xfsprogs: ["mkfs.xfs", "xfs_repair"],
  },
  "what may decompress clusters": { libdeflate0: [] },
  "makers of compressed files and encrypted volumes": {
    bzip2: ["bzip2"],
    "cryptsetup-bin": ["cryptsetup"],
    gzip: ["gzip"],
    "xz-utils": ["xz"],
    zstd: ["pzstd", "zstd"],
  },
  "readers of what views are made of": { "erofs-utils": ["dump.erofs", "fsck.erofs"] },
  "structures against the kernel's headers": { gcc: ["cc"], "libc6-dev": [] },
  "what programs ask the kernel for": { strace: ["strace"] },
  "what makers of an initramfs do to a program": { binutils: ["strip"] },
  "the shells of an initramfs": { busybox: ["busybox"] },
  "the installation": { curl: ["curl"], shellcheck: ["shellcheck"], systemd: ["systemd-escape"] },
  "readers of the man page and of completions": {
    fish: ["fish"],
    "man-db": ["man"],
    mandoc: ["mandoc"],
    zsh: ["zsh"],
  },
  "tables to compare with": { bsdextrautils: ["column"] },
} as const satisfies Packages;

/** What the tests in user-mode Linux need, too. */
export const KERNEL_PACKAGES = {
  ...PACKAGES,
  "power failures of devices": { dmsetup: ["dmsetup"] },
  "real kernels": { patchelf: ["patchelf"], "user-mode-linux": ["linux.uml"] },
} as const satisfies Packages;

/** What the tests of booting need, too. */
export const BOOT_PACKAGES = {
  ...PACKAGES,
  "a machine to boot, and its root": {
    cpio: [],
    mmdebstrap: ["mmdebstrap"],
    "qemu-system-common": ["/usr/lib/qemu/virtiofsd"],
    "qemu-system-x86": ["qemu-system-x86_64"],
  },
  "an NFS server": {
    iproute2: ["ip"],
    "nfs-ganesha": ["ganesha.nfsd"],
    "nfs-ganesha-vfs": [],
    rpcbind: ["rpcbind"],
  },
} as const satisfies Packages;

type Values<Table> = Table[keyof Table];
type Programs<Table> = Table extends Packages
  ? { [Purpose in keyof Table]: Values<Table[Purpose]> }[keyof Table]
  : never;

/** A program that tests may ask for. */
export type Program = Programs<typeof KERNEL_PACKAGES | typeof BOOT_PACKAGES>[number];

/** The names of packages. */
export function packageNames(packages: Packages): string[] {
  return Object.values(packages).flatMap(Object.keys);
}
