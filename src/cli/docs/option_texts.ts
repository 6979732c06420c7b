/**
 * What the man page says of options, for which one line of help is too short. (An option that is not
 * here has its line of help there.)
 *
 * @module
 */
import type { OptionName } from "../words/option_table.ts";

/** Paragraphs in the markup of roff.ts. */
export const OPTION_TEXTS: Partial<Record<OptionName, readonly string[]>> = {
  "all": [
    "Show all used devices, one per line. `--list` shows more; this form is kept for scripts.",
  ],
  "set-capacity": [
    "Look at the size of the image again and give the device the size it has now, while it is in " +
    "use. Clients of a socket see the new size when they connect.",
  ],
  "detach": [
    "Detach the devices that are named, or end the sockets that are. A device that is in use goes " +
    "with its last user; of one that is not, the command returns when its image is closed and " +
    "everything written is on disk, and fails if that is not sure. An image stands for all devices " +
    "and sockets that show it, and so does each file that its disk lies in. Sockets of other users, and nbd devices that other programs " +
    "have set up, are left alone; `--force` detaches the latter. If the serving process stands " +
    "still, the command fails and says why, and the device goes when the process goes on.",
  ],
  "detach-all": [
    "Detach all loop devices, and whatever else tslosetup serves. nbd devices of other programs " +
    "are left alone.",
  ],
  "find": [
    "Take the first unused device. Without <file>, print the name of the first unused loop device. " +
    "The word right behind `-f` may be a format, if more words follow: `-f QCOW` <file> is " +
    "`-f -t QCOW` <file>.",
  ],
  "associated": [
    "Show the devices of this image, or of this overlay that stays, by whatever name it is known; " +
    "a file that its disk lies in, as a VMDK image's pieces, will do. " +
    "With `--offset`, only those that begin there.",
  ],
  "nooverlap": [
    "Do not let two devices show the same bytes of an image: re-use a device that shows exactly " +
    "this part of the same disk, with the same `--snapshot`, `--no-backing`, `--backing-fmt` and " +
    "`--force`, and refuse to make one that overlaps with another. Sockets do not count.",
  ],
  "resize": [
    "Make the disk of a QCOW (not QCOW1) or RAW image, or one with an `--overlay`, <size> bytes large, or with " +
    "`+`<size> so many bytes larger. The image is " +
    "<file>, which must not be attached, or the one that a device, or the socket at a path, shows: that " +
    "has the new size when the command returns, also while it is in use; clients of a socket see it when " +
    "they connect. With `--offset` and `--sizelimit`, the size is still that of the whole disk. What the " +
    "disk gets reads as zeros. It is not made smaller. Whatever happens meanwhile, the image has its old " +
    "size or the new one. The format of a file is found out, unless it is given; a RAW file just gets longer, " +
    "but one that is compressed, or begins like an encrypted volume, only with `-t RAW`.",
  ],
  "snapshot-create": [
    "Make an internal snapshot of the disk as it is, under a name of up to 255 bytes, in the QCOW image " +
    "<file>, which must not be attached, or in the one that a device, or the socket at a path, shows, also " +
    "while it is in use. File systems that are mounted from the device are frozen meanwhile, so that the " +
    "snapshot has them as after unmounting. The format of a file is found out, unless `-t` gives it. " +
    "Whatever happens meanwhile, the image has the snapshot, whole, or is as it was. `--info` lists " +
    "snapshots, and `--snapshot` shows one.",
  ],
  "snapshot-apply": [
    "Have the disk in <file>, which must not be in use, be what it was when this snapshot was made, as " +
    "large as it was; what it has now is lost, unless another snapshot has it. An identifier counts before " +
    "a name. To look at a snapshot, or try something out on it, `--snapshot` changes nothing.",
  ],
  "snapshot-delete": [
    "Delete this snapshot in <file>, or in what a device or socket shows, and free what nothing else has. " +
    "A name counts before an identifier.",
  ],
  "remove": [
    "Remove unused loop devices from the system, so that their names are gone from /dev, too.",
  ],
  "offset": [
    "Let the device begin <num> bytes into the virtual disk. (Not into the image file, whose bytes " +
    "are in an order of their own.)",
  ],
  "sizelimit": ["Show at most <num> bytes of the virtual disk; 0 is no limit."],
  "sector-size": [
    "Logical sector size of the device: 512, 1024, 2048 or 4096 bytes, for RAW images whatever the " +
    "kernel takes. With `auto` it is what the partition table in the disk is made for (GPT, or MBR), " +
    "where there is one. Without this option it is what the image prescribes, else 512 bytes; where a " +
    "partition table is made for another size, a warning says so. " +
    "With the name of a loop device and no file, its sector size is changed.",
  ],
  "partscan": [
    "Have the kernel look for partitions; when the command returns, their devices are there. A " +
    "warning tells if there is a partition table, but the kernel cannot read it, or it is made for " +
    "sectors of another size.",
  ],
  "read-only": ["Set up a device that cannot be written to, and open the image for reading only."],
  "direct-io": [
    "Have the loop driver bypass the page cache for a RAW image, or a view. The default argument is " +
    "`on`. With the name of a loop device and no file, the device is changed. Loop devices that a " +
    "server is behind begin with it on, so that nothing is cached twice; the column DIO is not about " +
    "the image file then, which is read through the page cache.",
  ],
  "loop-ref": [
    "A string of up to 63 bytes that the kernel keeps with the loop device, for `--output REF`.",
  ],
  "show": [
    "Print the device's name, or the URI of the socket, when it is set up. It is usable then.",
  ],
  "file-fmt-type": [
    "Format of <file>, in any case of letters: see FORMATS. The default is RAW. `auto` decides by " +
    "the mark of a format that the file carries: a guest can write any mark to a raw disk, and so " +
    "choose what `auto` finds.",
  ],
  "backing-fmt": [
    "The format of backing files whose format the image does not record; without it, such an image " +
    "is refused.",
  ],
  "no-backing": [
    "Open no backing file: show what is in <file> itself, and zeros elsewhere.",
  ],
  "parent": [
    "Take <file> for the image below, where that is recorded by its identity (in VDI, VHD, VHDX and VMDK images): without this " +
    "option it is looked for in the folder of the image and in the one above. May be given several times, for " +
    "the image below that one and so on. Another image than the recorded one, or one that has been written to " +
    "since, is refused unless there is `--force`.",
  ],
  "allow-backing": [
    "Let the image name files below <dir> (or the file <dir>), too. Without it, an image that is " +
    "not one's own may only name files below its own folder that its owner (or, if others may write " +
    "to it, everybody) may read; and an external data file that is written to has to lie there even if the " +
    "image is one's own. May be given several times.",
  ],
  "snapshot": [
    "Show the disk as it was when this internal snapshot was made, read-only unless there is an " +
    "`--overlay`. An identifier counts before a name.",
  ],
  "overlay": [
    "Have the device be writable, and <file> stay as it is: what is written goes to a file without a " +
    "name in `$TMPDIR`, or else in /var/tmp, and is gone when the device is. With `--overlay=ram` it " +
    "stays in memory. The image, of any format, is opened for reading only, so that many devices can " +
    "share it; with `--snapshot`, the past can be written to.",
    "With `--overlay=`<path>, what is written stays, in a QCOW image that is made there with <file> as its " +
    "backing file, or used again if it is one. (A path that is called ram is `./ram`.) <file> must not " +
    "change then, other than by `--commit`.",
  ],
  "overlay-size": [
    "Let an overlay take <num> bytes at most (128K or more): who writes more is told that there is no space left on " +
    "the device, until something is discarded. The default is half of the memory for " +
    "`--overlay=ram`, and no limit otherwise.",
  ],
  "force": [
    "Attach an image that is refused because it is marked as corrupt, or because a part of it is missing or has " +
    "been changed since (the message names this option then), read-only unless there is an `--overlay`. " +
    "With `--info`, `--map` and `--check`: look at an " +
    "image that is being written. With `--detach`: end a serving process that " +
    "stands still, or does not end within ten seconds, so that what waits for the device fails; " +
    "disconnect an nbd device that another program has set up.",
  ],
  "key-file": [
    "Read the passphrase of encrypted images from <file>, or with `-` from standard input, all of " +
    "it: a line feed at the end counts. Without this option it is asked for, if standard input is a terminal. It is tried for " +
    "every encrypted image of a chain.",
  ],
  "cache-size": [
    "Let each thread that serves the image keep up to <num> bytes of its metadata in memory.",
  ],
  "data-cache-size": [
    "Let the threads that serve the image keep up to <num> bytes of decompressed data together.",
  ],
  "cache-clean-interval": [
    "Free the caches after so many seconds without a request, 30 by default; 0 is never.",
  ],
  "cache": [
    "When a write is durable. `writeback`, the default: when a flush that comes after it is answered. " +
    "`writethrough`: when it is answered itself. `unsafe`: flushes are answered at once, so that a power failure can " +
    "cost the whole disk; everything is made durable when the device is detached.",
  ],
  "discard": [
    "What becomes of what the device is told to discard: `unmap`, the default, frees it in the image; " +
    "with `ignore` the image keeps its space, also where zeros are written.",
  ],
  "detect-zeroes": [
    "What becomes of writes of nothing but zeros: `off`, the default, writes them; `on` has the range read " +
    "as zeros and keep its space; `unmap` frees it.",
  ],
  "info": [
    "Say what image <file> is and which images it needs, instead of attaching it. Needs neither " +
    "root nor a driver. The format is found out, unless it is given. With `--json`, as JSON.",
  ],
  "map": [
    "List which parts of the virtual disk are stored, and where, instead of attaching <file>. " +
    "Otherwise like `--info`. The column DEPTH counts from 0, <file> itself, down the backing " +
    "files. KIND is data, compressed, zero (reads as zeros), allocated (has a place that holds " +
    "zeros), or absent (no image of the chain has it: zeros). OFFSET is where FILE holds the " +
    "bytes, or `-` where they are not there as they are read.",
  ],
  "check": [
    "Look for damage in the metadata of <file>, as `qemu-img check` does, with its words, exit codes and, " +
    "with `--json`, keys. Of images with checksums of their disk (EWF, DMG, ANDROID-SPARSE), all of that is read and " +
    "compared with them. Standard error has a line for each of the first hundred faults. No passphrase is asked for, and " +
    "no other file opened but the pieces of such a disk. An image that is being written is refused, unless there is `--force`: it is then seen as it " +
    "is on the disk, where what is about to be written looks like damage.",
  ],
  "repair": [
    "With `--check`, on an image that nobody uses: `leaks` frees clusters that count as used and are not; `all` puts " +
    "right whatever can be, by writing new tables to free places that then replace the old ones at once, so that a " +
    "crash leaves the image as it was or repaired. What a guest sees does not change. What leads out of the file stays " +
    "as it is, and nothing is freed then. The exit code is about the image after the repair; one that has no damage left " +
    "is no longer marked as corrupt, or as not closed in order.",
  ],
  "commit": [
    "Write what <file>, an overlay, has to the image below it; then the overlay has nothing of its own, and can " +
    "be used again. Nobody else may use either meanwhile. It can be interrupted, and begun anew: the overlay " +
    "shows the same all the time. The image has to lie below the folder of <file>, unless `--allow-backing` " +
    "says otherwise. As `qemu-img commit`.",
  ],
  "transport": ["How to make the device: see TRANSPORTS."],
  "kernel-decode": [
    "Whether the kernel itself decompresses zlib and zstd clusters, where the device is a view. Needs " +
    "Linux 6.15, where this is young code that the bytes of the image reach: only for images that " +
    "one trusts. Clusters of more than 1 MiB, those whose stored bytes begin with a zero byte, and " +
    "zstd frames that do not say how much they are, or refer to more than 1 MiB before, " +
    "are left to a process. Images that have no compressed clusters, or such as are smaller than 4 KiB, " +
    "get an ordinary view.",
  ],
  "socket": [
    "Make no device, but a Unix socket at <path> where up to 512 NBD clients can be connected. " +
    "Needs no privilege. Only its owner may connect, until the mode of the socket is changed.",
  ],
  "threads": [
    "Serve with <num> threads, 1 to 16. By default there is one, and up to three more while there " +
    "is more to do than it can. An nbd device gets as many connections, and is not revived if it has several.",
  ],
  "tab": [
    "Attach the image of line <name> in /etc/tslosetuptab, or of each line that is not `noauto`; with `--detach`, detach " +
    "what was attached so. What is attached already, or not any more, is no error. A <name> that is an absolute path is " +
    "an image, whose format the end of its name tells. See TABLE OF IMAGES.",
  ],
  "foreground": [
    "Do not return before the device has gone: for service managers. Where `--show` is given, the device is ready when its " +
    "name is printed; who asks for that by `NOTIFY_SOCKET` (`sd_notify`(3)) is sent `READY=1` then. SIGTERM, SIGINT and SIGHUP " +
    "detach it, as `-d` does: in use, it goes with its last close, and only then the command ends, with 0 if all that " +
    "was written is on disk. If its daemon is killed, and none takes its place, the device is detached, and the command " +
    "ends with 1. The serving process stays in the unit, or login, that the command belongs to; see SYSTEMD.",
  ],
  "pid-file": [
    "With `--foreground`: write the process id of the command to <file> when the device is ready, and remove <file> at the end. " +
    "A file that has something else in it is an error.",
  ],
  "no-revive": [
    "Where the daemon of a device is killed, have all access to the device fail at once. Without this, another " +
    "daemon takes its place where it can, so that file systems on the device see a pause and no error.",
  ],
  "verbose": [
    "Say on standard error how the device is made, and why so; with `--detach`, which devices are " +
    "detached, and which of them are still open.",
  ],
  "json": [
    "Print the list as JSON, as an array `loopdevices`. With `--info`, `--map` and `--check`, with the keys " +
    "of `qemu-img`(1).",
  ],
  "list": [
    "Print a table of all devices, or of the one named. Without any argument this is what " +
    "tslosetup does.",
  ],
  "noheadings": ["Print no headings."],
  "output": [
    "Columns to print, with commas between them; after a `+`, to print in addition to the default " +
    "ones. See COLUMNS.",
  ],
  "output-all": ["Print all columns."],
  "raw": ["Print cells without padding, with white space in them escaped."],
  "help": [
    "Print the most used options with their help, the names of all others, of formats and of " +
    "columns, and exit.",
  ],
  "man": [
    "Print this page, and exit: `tslosetup --man | man -l -` shows it without any installed file.",
  ],
  "version": ["Print the version, and exit."],
};
