/**
 * The man page's prose, in the markup of roff.ts.
 *
 * @module
 */
import type { OptionGroup } from "../words/option_table.ts";
import type { Transport } from "../../device/transports.ts";

export const SYNOPSIS: readonly string[] = [
  "`tslosetup` [<device>]",
  "`tslosetup -l` [`-O` <cols>] [`-J`|`--raw`] [`-n`]",
  "`tslosetup -j` <file> [`-o` <num>]",
  "`tslosetup` [`-o` <num>] [`--sizelimit` <num>] [`-b` <num>] [`-Pr`] [`--show`] " +
  "[`-t` <format>] `-f`|<device> <file>",
  "`tslosetup` [<option>...] `-f` <format> [<device>] <file>",
  "`tslosetup` [<option>...] `--socket` <path> <file>",
  "`tslosetup --resize` [`+`]<size> [`-t` <format>] <file>|<device>",
  "`tslosetup --snapshot-create`|`--snapshot-delete` <name> [`-t` <format>] <file>|<device>",
  "`tslosetup --snapshot-apply` <name> [`-t` <format>] <file>",
  "`tslosetup --info`|`--map`|`--check` [`-J`] [`-t` <format>] <file>",
  "`tslosetup --check --repair` <leaks|all> [`-J`] [`-t` <format>] <file>",
  "`tslosetup --commit` [`--key-file` <file>] <file>",
  "`tslosetup -c` <device>",
  "`tslosetup -d` <device>|<file>...",
  "`tslosetup` [`-d`] `--tab`[=<name>]",
  "`mount -t tslosetup` [`-o` <options>] <image> <folder>",
  "`tslosetup -D`",
];

export const DESCRIPTION: readonly string[] = [
  "tslosetup makes block devices of disk images, lists them and takes them down again. It is used " +
  "like `losetup`(8), all of whose options it has, and also takes images that are not raw: their " +
  "virtual disk appears on the device. The image may be a regular file or a block device, or a folder that one disk is made of.",
  "Raw images are handed to the kernel's loop driver, and so are, with `-r`, other images that the " +
  "kernel can read by itself. Any other image is served by a process of its own, which the command " +
  "leaves behind and which ends when the device is detached, by `tslosetup -d` or, for loop devices, " +
  "by `losetup -d`. Without root and without any driver, an image can be served on a socket to NBD " +
  "clients.",
  "Without arguments, all devices are listed. With the name of a device and nothing else, its " +
  "status is printed.",
];

export const SIZES = "Sizes and offsets may have a suffix: KiB, MiB, GiB, TiB, PiB or EiB for " +
  "powers of 1024 (the letter alone means the same), KB, MB and so on for powers of 1000.";

export const GROUP_TITLES: Readonly<Record<OptionGroup, string>> = {
  action: "What to do",
  setup: "How to set up a device",
  format: "Images and how they are served",
  output: "Output",
  general: "General",
};

export const FORMATS_TEXT = "The format is what `-t` or the word behind `-f` says, else RAW. " +
  "Of an image that consists of several files, name the one that describes the others: the descriptor of a VMDK " +
  "image, the first segment (.E01) of an EWF image; or the folder that the disk is. " +
  "What an image names (a backing file, an external data file, a piece) is opened under the rule of " +
  "`--allow-backing`, and for reading only; but the data file and the pieces of an image that is written to " +
  "are written to as well. Snapshots, and images with `--no-backing` or `--force`, are read-only without `--overlay`.";

export const TRANSPORTS_TEXT = "There are several ways to make a device. Unless `--transport` " +
  "says otherwise, RAW images get a plain loop device, unless `--cache`, `--discard`, `--overlay` or " +
  "`--detect-zeroes` says how they are to be written. Others get a view if they can: with `-r`, by " +
  "root, with none of `--threads`, `--key-file`, `--cache-size`, `--data-cache-size` and " +
  "`--cache-clean-interval`, and no nbd device named. Else they get an nbd device where the kernel " +
  "has the nbd driver or can load it, or a loop device over FUSE. `-v` tells, and why.";

export const TRANSPORT_TEXTS: Readonly<Record<Transport, string>> = {
  auto: "Decide as described above.",
  loop: "The kernel's loop driver alone, for RAW images: /dev/loop<N>, as losetup makes it.",
  view:
    "An image whose clusters the kernel can find by itself (neither compressed nor encrypted), " +
    "read-only, on a loop device that no process serves; the image stays locked. A process serves " +
    "only what other clusters there are, and finds them all where the disk is so large that a list " +
    "of them would take more than 128 MiB. Needs EROFS (Linux 5.16), and FUSE for that process.",
  nbd: "The kernel's nbd driver, connected to the serving process: /dev/nbd<N>, or a loop device " +
    "on top of it if one is named.",
  fuse: "A loop device over a file that the serving process provides by FUSE. The file system is " +
    "mounted nowhere.",
  socket: "A Unix socket for NBD clients; chosen by `--socket`.",
};

export const COLUMNS_TEXT =
  "Headings, in the order of `--output-all`. By default losetup's are shown. Where a device is " +
  "listed that losetup could not have made, `--json` and `--raw` have FILE-FORMAT, SIZE, PID, " +
  "TRANSPORT and REVIVED besides, and the table has NAME, RO, BACK-FILE, FILE-FORMAT and SIZE, with SIZELIMIT, " +
  "OFFSET and REVIVED where one of them is not 0. On a terminal, that table leaves out the middle of names that " +
  "are too long for it. Scripts should name columns with `--output`.";

export const EXIT_STATUS: readonly (readonly [string, string])[] = [
  ["0", "Success."],
  ["1", "Failure, whatever its reason, which standard error tells on one line."],
  ["2", "With `--check`: the image is damaged."],
  ["3", "With `--check`: clusters that are not used count as used, which is no damage."],
  ["63", "With `--check`: images of this format cannot be checked."],
];

export const ENVIRONMENT: readonly (readonly [string, string])[] = [
  [
    "`XDG_RUNTIME_DIR`",
    "Where a user other than root keeps what tslosetup has to know of attached images. Without " +
    "it, that is a folder in /tmp.",
  ],
  [
    "`TMPDIR`",
    "The folder for overlays, and for what is decompressed as a whole, instead of /var/tmp.",
  ],
  [
    "`TSLOSETUP_DEBUG`",
    "Traces to standard error: `cli` what is decided, `kernel` what the kernel is asked for, " +
    "`daemon` the life of serving processes, or `all`.",
  ],
  [
    "`SSLKEYLOGFILE`",
    "The runtime makes this file, which stays empty; `env -u SSLKEYLOGFILE tslosetup` keeps it " +
    "from that.",
  ],
];

export const FILES: readonly (readonly [string, string])[] = [
  ["`/dev/loop`<N>, `/dev/loop-control`", "Loop devices, and what finds and adds them."],
  ["`/dev/nbd`<N>", "Network block devices."],
  ["`/etc/tslosetuptab`", "Images to be attached at boot: see TABLE OF IMAGES."],
  ["`/sbin/mount.tslosetup`, `/sbin/umount.tslosetup`", "What `mount`(8) and `umount`(8) run."],
  ["`/dev/fuse`", "For the transport fuse."],
  [
    "`/run/tslosetup/`, `$XDG_RUNTIME_DIR/tslosetup/`",
    "A file, and a socket for commands, for each device that is served.",
  ],
  [
    "`/sys/block/`, `/proc/partitions`",
    "What the kernel has: nodes in /dev are compared with it before they are used. Without /sys " +
    "there are only loop devices.",
  ],
  ["`/sys/block/nbd`<N>`/backend`", "The format and name of the image on an nbd device."],
];

export interface Example {
  readonly text: string;
  readonly lines: readonly string[];
}

export const EXAMPLES: readonly Example[] = [
  {
    text: "Mount the first partition of an image, and take everything down again:",
    lines: [
      "# tslosetup -r --find --show -P -t QCOW disk.qcow2",
      "/dev/loop0",
      "# mount -o ro /dev/loop0p1 /mnt",
      "...",
      "# umount /mnt",
      "# tslosetup -d /dev/loop0",
    ],
  },
  {
    text: "Attach to a certain loop device, which the stock tool detaches:",
    lines: ["# tslosetup -r -f QCOW /dev/loop0 disk.qcow2", "# losetup -d /dev/loop0"],
  },
  {
    text: "In the initramfs of a diskless client whose image lies on a block device of the " +
      "network, or on a file system that is mounted already:",
    lines: [
      "device=$(tslosetup -r -f --show -P -t QCOW /dev/dnbd0)",
      'device=$(tslosetup --show --find -r -t QCOW "$mnt/image")',
      'size=$(blockdev --getsz "$device")',
      'echo "0 $size snapshot $device /dev/ram0 N 8" | dmsetup create root',
    ],
  },
  {
    text: "Serve an image without any privilege, and copy its virtual disk:",
    lines: [
      "$ tslosetup -r --socket /tmp/s --show -t QCOW disk.qcow2",
      "nbd+unix:///?socket=/tmp/s",
      "$ nbdcopy 'nbd+unix:///?socket=/tmp/s' disk.raw",
      "$ tslosetup -d /tmp/s",
    ],
  },
  {
    text: "Say what an image is before it is attached:",
    lines: ["$ tslosetup --info disk.qcow2"],
  },
  {
    text: "See whether an image is damaged, and not only wastes space:",
    lines: ["$ tslosetup --check disk.qcow2; [ $? != 2 ]"],
  },
  {
    text: "Find out which devices show an image:",
    lines: ["# tslosetup -j disk.qcow2", "# tslosetup -l -O NAME,BACK-FILE,FILE-FORMAT"],
  },
];

export const NOTES: readonly string[] = [
  "Images that are served are locked as qemu locks them: any number of readers, or one writer, be " +
  "it tslosetup or qemu. Whoever comes too late is refused with the name and process of who holds " +
  "the image. Plain loop devices hold their locks as well, but bear each other, as those of losetup, " +
  "which hold none; with `-r` they are refused beside nobody.",
  "SIGTERM makes a serving process detach its device when the last user closes it: at shutdown " +
  "the signal comes before file systems are unmounted. systemd spares these processes, and does " +
  "not wait for them, when it leaves the initramfs and when all others are ended, as their name " +
  "begins with an @.",
  "If the serving process of an nbd device (Linux 5.14), of a loop device over FUSE or of a view (6.9) is " +
  "killed, another one takes its place, up to four times in a minute: file systems on the device see a " +
  "pause, what was answered is there, and `-l` counts (REVIVED). Not so with `--no-revive`, with several " +
  "connections to an nbd device (`--threads`), with images of more than 200 files, and without " +
  "`/bin/sh`. Then, as on a socket, reads and writes fail at once, `-l` and the log say so, and `-d` cleans up.",
  "After a write error that a flush has reported, every later flush fails as well.",
  "What a flush has confirmed in a QCOW image is there after any crash, and the image is valid: at " +
  "worst, clusters that are not used count as used. Damage that is found while writing ends all " +
  "writing for good, and marks the image (version 3) as corrupt. An image that was not closed in order by a " +
  "program that keeps no reference counts meanwhile is repaired before it is written to, as by `--check --repair all`; " +
  "one whose file was cut off is refused. Persistent bitmaps are kept up to date, and count as inconsistent after a crash.",
  "An image of version 1 never gets smaller: it gets new clusters behind its end, and what it has given up " +
  "stays where it is, but for what is discarded. In a LUKS volume, discards change nothing.",
  "I/O errors are told to syslog or the journal, or to the kernel's log where neither runs.",
  "A serving process has no capabilities, cannot get any, and is refused system calls that it has " +
  "no use for. Keys are locked in memory as far as `ulimit -l` allows.",
  "Without CAP_SYS_RESOURCE, as in a container, a device for writing may hang for good when memory " +
  "is short: its process may be made to wait until what was written to that very device is " +
  "written back. The command warns of it. `docker run --cap-add SYS_RESOURCE` gives it.",
  "The program does not start in a working folder that was removed (`env -C / tslosetup` does), " +
  "nor in an address space of less than 34,000,000 KiB (`ulimit -v`); from 51,000,000 KiB on it " +
  "always does.",
  "An image that was downloaded and belongs to oneself may name any file as its backing file: " +
  "`--no-backing` opens none.",
];

export const SEE_ALSO =
  "`losetup`(8), `mount`(8), `lsblk`(8), `qemu-img`(1), `qemu-nbd`(8), `nbdcopy`(1), `dmsetup`(8)";
