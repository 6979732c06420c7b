// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { foldersOf, freezablePlaces } from "../../src/daemon/freezer.ts";
import { parseMounts } from "../../src/kernel/proc_tables.ts";

const MOUNTS = parseMounts([
  "30 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate",
  "31 24 0:27 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer",
  "32 24 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct",
  "33 24 0:26 /pod /mnt/my\\040pod rw - cgroup2 cgroup2 rw",
].join("\n"));

Deno.test("freezablePlaces() finds the unified hierarchy and that of the freezer", () => {
  const text = "9:name=systemd:/x\n6:freezer,cpu:/a:b\n4:cpu:/y\n0::/pod/one";
  assertEquals(freezablePlaces(text), [
    { version: 1, path: "/a:b" },
    { version: 2, path: "/pod/one" },
  ]);
});

Deno.test("freezablePlaces() leaves out what nothing freezes", () => {
  assertEquals(freezablePlaces("6:freezer:/\n0::/\n"), []);
  assertEquals(freezablePlaces(""), []);
});

Deno.test("foldersOf() finds a cgroup wherever its hierarchy is mounted", () => {
  assertEquals(foldersOf({ version: 1, path: "/a" }, MOUNTS), ["/sys/fs/cgroup/freezer/a"]);
  assertEquals(foldersOf({ version: 2, path: "/pod/one" }, MOUNTS), [
    "/sys/fs/cgroup/unified/pod/one",
    "/mnt/my pod/one",
  ]);
  assertEquals(foldersOf({ version: 2, path: "/podium" }, MOUNTS), [
    "/sys/fs/cgroup/unified/podium",
  ]);
});
