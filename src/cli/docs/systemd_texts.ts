/**
 * The man page's prose about mount(8), systemd and /etc/tslosetuptab, in the markup of roff.ts.
 *
 * @module
 */

export const SYSTEMD: readonly string[] = [
  "What a service or a login session leaves behind, systemd ends with it. So where systemd runs, the " +
  "processes of a device that root makes get a scope of their own, `tslosetup-`<pid>`-`<number>`.scope`: " +
  "the device stays when the unit has ended. At shutdown " +
  "the scope is told to end, and waited for: the device goes when its file systems are unmounted. It is never killed. " +
  "A server on a socket stays in the unit it was started in, as any server.",
  "With `--foreground` there is no scope: the device belongs to the unit, of `Type=notify`. Such a unit should " +
  "have `SendSIGKILL=no`, for what the processes have not written yet would be lost.",
  "`tslosetup@.service` attaches an image: `systemctl start tslosetup@srv-disk.qcow2.service`, as " +
  "`systemd-escape --path --template=tslosetup@.service` names it; the end of the name tells the format. " +
  "Each line of /etc/tslosetuptab is such a unit, too.",
];

export const MOUNTING: readonly string[] = [
  "`mount -t tslosetup` [`-o` <options>] <image> <folder>",
  "attaches an image and mounts what is on it, where /sbin/mount.tslosetup is installed; fstab(5) takes the same. " +
  "The device goes with its last close: `umount` <folder> is all that it takes, and returns when the image is closed. The type that is mounted, " +
  "by which `umount -a -t` goes, is that of the file system, and what is mounted is a device: `umount` <image> finds nothing. Only root can mount an image, also where " +
  "fstab says `user`. With `nofail`, an image that is not there is no error. If " +
  "mounting fails, nothing stays attached. An image that has a device shares it: two partitions of one can be mounted.",
  "Of the options, these are about the image: `format=`, `partition=`<num>, `offset=`, `sizelimit=`, `snapshot=`, `overlay`, " +
  "`overlay=`<path>, `overlay-size=`, `key-file=`, `backing-fmt=`, `no-backing`, `parent=`, `allow-backing=`, `sector-size=`, `transport=`, " +
  "`direct-io`, `cache=`, `cache-size=`, `data-cache-size=`, `cache-clean-interval=`, `detect-zeroes=`, `kernel-decode=` and `no-revive`, as the options of the command " +
  "line; `ro` is read-only for both. All others are the file system's, whose type `-t tslosetup.`<type> names where it is " +
  "not found out. Without `format=`, the end of the image's name is the format, if it is one (.qcow2, .vdi), else it is RAW. Exit codes are those of `mount`(8).",
  "`partition=` takes partitions of a GPT, and primary ones of an MBR, also where the kernel cannot read such a table. " +
  "For `loop`, `offset=` and `sizelimit=`, `mount`(8) makes a loop device of the image's file, whatever the type is. They are about " +
  "the disk in the image all the same: nothing is read or written by that device, which goes when `mount` ends.",
  "systemd mounts such a line of fstab after what its image lies on. If that is a network, the line needs `_netdev` and " +
  "`x-systemd.requires-mounts-for=`<folder>.",
];

export const TABLE: readonly string[] = [
  "/etc/tslosetuptab, tslosetuptab(5), has a line for each image that is attached at boot; those that begin with # are comments. Fields " +
  "have white space between them; `\\040` is a space in one.",
  "<name> <image> [<device>|`-` [<options>]]",
  "A line that makes no sense is named on standard error with its number, and passed over; so is a second line of a name, and one that has `..` in a path, or a control character. <image> is an absolute path. Without <device>, it is the first free one. <options> are those of MOUNTING IMAGES that are " +
  "about the image, but for `partition=`, and `partscan`, `threads=`, `discard=`, `force` and `ro`; without `format=`, the end of " +
  "the image's name tells. `noauto`: not at boot; `nofail`: the boot goes on without; `_netdev`: the image lies on a network, " +
  "which is known by itself if its folder is mounted by fstab.",
  "Under systemd, `systemctl daemon-reload` makes units of a table that has been changed. Line <name> is `tslosetup@`<name>`.service`: after what the image lies on is mounted, and before what fstab mounts of " +
  "<device>. Its stop detaches the device, with its last close if it is in use. Elsewhere, `tslosetup --tab` at boot and " +
  "`tslosetup -d --tab` do.",
];
