/**
 * The words by which mount(8) calls its helper.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import {
  type MountCommand,
  mountCommand,
  type MountedImage,
} from "../../../src/cli/words/mount_command.ts";
import { UsageError } from "../../../src/cli/words/usage_error.ts";
import { FORMAT_NAMES } from "../../../src/image/formats.ts";

/** As if mount(8) had made a loop device of a part of an image. */
function imageBelow(source: string): MountedImage | undefined {
  return source === "/dev/loop9"
    ? { file: "/i.vdi", offsetBytes: 1024, sizeLimitBytes: 512, passedOver: source }
    : undefined;
}

function parsed(...args: string[]): MountCommand {
  return mountCommand(args, { formats: FORMAT_NAMES, imageBelow });
}

Deno.test("mountCommand() tells options of the image from those of the file system", () => {
  const list = 'ro,noatime,format=vdi,partition=2,x-a=b,loop,context="a,b",_netdev';
  const { attach, folder, partition, options, isRemount } = parsed("/i.img", "/mnt", "-o", list);
  assertEquals([attach.file, folder, partition, isRemount], ["/i.img", "/mnt", 2, false]);
  assertEquals([attach.format, attach.readOnly, attach.partScan, attach.find], [
    "VDI",
    true,
    true,
    true,
  ]);
  assertEquals(options, 'ro,noatime,x-a=b,context="a,b",_netdev');
});

Deno.test("mountCommand() takes the words wherever they stand, and passes flags on", () => {
  const command = parsed("-sn", "i.qcow2", "-v", "/mnt", "-N", "/ns", "-t", "tslosetup.ext4", "-f");
  assertEquals(command.flags, ["-s", "-n", "-v", "-N", "/ns"]);
  assertEquals(command.fileSystem, "ext4");
  assertEquals([command.isFake, command.verbose], [true, true]);
  assertEquals(command.attach.format, "QCOW");
});

Deno.test("mountCommand() finds the type out where none is named", () => {
  assertEquals(parsed("i", "/mnt", "-t", "tslosetup").fileSystem, undefined);
  assertEquals(parsed("i", "/mnt").fileSystem, undefined);
});

Deno.test("mountCommand() lets the last word on writing count, and writes to overlays", () => {
  const isReadOnly = (list: string): boolean => parsed("i", "/mnt", "-o", list).attach.readOnly;
  assertEquals([isReadOnly("ro,rw"), isReadOnly("rw,ro"), isReadOnly("ro,overlay")], [
    false,
    true,
    false,
  ]);
});

Deno.test("mountCommand() refuses what makes no sense", () => {
  const wrong = [["i"], ["i", "/mnt", "x"], ["i", "/mnt", "-o", "partition=0"], ["-q", "i", "/m"]];
  for (const args of [...wrong, ["i", "/mnt", "-o", "format=nosuch"]]) {
    assertThrows(() => parsed(...args), UsageError);
  }
});

Deno.test("mountCommand() takes the image below a loop device that mount(8) has made of it", () => {
  const { attach } = parsed("/dev/loop9", "/mnt", "-o", "rw");
  const { file, format, offsetBytes, sizeLimitBytes, passedOver } = attach;
  assertEquals([file, format, offsetBytes, sizeLimitBytes, passedOver], [
    "/i.vdi",
    "VDI",
    1024,
    512,
    "/dev/loop9",
  ]);
});
