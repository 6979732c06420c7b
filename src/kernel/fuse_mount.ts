/**
 * FUSE mounts without a path: see detached_mount.ts.
 *
 * @module
 */
import { checked, EINVAL, ENODEV, ENOENT, ifPossible, SystemError } from "../sys/errno.ts";
import { Fd, fileExists, O_CLOEXEC, O_RDONLY, O_RDWR, openFile } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { addressOf, cString } from "../sys/memory.ts";
import { mountDetached } from "./detached_mount.ts";
import { ensureCharacterNode } from "./device_nodes.ts";
import { KernelFeatureError } from "./feature_error.ts";
import { loadFuse } from "./modules.ts";

const DEVICE = "/dev/fuse";
const NAME = "fuse";
/** Documentation/admin-guide/devices.txt: FUSE_MINOR among the miscellaneous devices. */
const NUMBER = { major: 10, minor: 229 } as const;

/** linux/fuse.h: _IOR(229, 0, uint32_t) */
const FUSE_DEV_IOC_CLONE = 0x8004e500;

/** Type of the root node: a folder (S_IFDIR, octal). */
const ROOT_MODE = "40000";

/**
 * Opens the FUSE device, over which the server of one mount talks to the kernel.
 *
 * @throws {KernelFeatureError} where the kernel has no FUSE
 * @throws {SystemError} EACCES or EPERM for want of privilege
 */
export function openFuseDevice(): Fd {
  try {
    if (!fileExists(DEVICE)) makeDevice();
    return openFile(DEVICE, O_RDWR);
  } catch (error) {
    const missing = error instanceof SystemError &&
      (error.errno === ENOENT || error.errno === ENODEV);
    if (!missing) throw error;
    throw noFuse();
  }
}

/** Where the kernel has FUSE, or can load it, and nobody else makes its node. */
function makeDevice(): void {
  // Who may not make one, is told that there is none.
  if (loadFuse()) ifPossible(() => ensureCharacterNode(NAME, NUMBER));
}

/**
 * Another descriptor for the session of `device`, once that is mounted: the kernel hands each
 * request to whichever is read first.
 *
 * @throws {SystemError} as ioctl(2), FUSE_DEV_IOC_CLONE
 */
export function cloneFuseDevice(device: Fd): Fd {
  const clone = openFuseDevice();
  const session = Uint32Array.of(device.number);
  const result = libc().ioctl(
    clone.number,
    FUSE_DEV_IOC_CLONE,
    addressOf(new Uint8Array(session.buffer)),
  );
  checked(result, "ioctl FUSE_DEV_IOC_CLONE");
  return clone;
}

/**
 * Mounts the file system that is served over `device`, attached to no path. Its server may start
 * later: only the first look-up waits for it.
 *
 * @param subtype shown in the file system's type, `fuse.SUBTYPE`
 * @returns a descriptor of its root; the mount lasts as long as that or a file of it is open
 * @throws {KernelFeatureError} where the device is not FUSE's after all
 * @throws {SystemError} EPERM without CAP_SYS_ADMIN
 */
export function mountFuse(device: Fd, subtype: string): Fd {
  const parameters = {
    fd: String(device.number),
    rootmode: ROOT_MODE,
    user_id: String(libc().geteuid()),
    group_id: "0",
  };
  try {
    return mountDetached({ type: "fuse", subtype, parameters, devices: false });
  } catch (error) {
    if (error instanceof SystemError && error.errno === EINVAL) throw noFuse();
    throw error;
  }
}

function noFuse(): KernelFeatureError {
  return new KernelFeatureError("fuse", "there is no FUSE (/dev/fuse); --socket works without");
}

/**
 * Opens a file of a detached mount.
 *
 * @param root what {@link mountFuse} returned
 * @param path relative to the root
 * @throws {SystemError} as openat(2); ENOTCONN if the server has gone
 */
export function openInMount(root: Fd, path: string, options: { readOnly: boolean }): Fd {
  const flags = (options.readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC;
  return new Fd(checked(libc().openat(root.number, cString(path), flags, 0), "open", path));
}
