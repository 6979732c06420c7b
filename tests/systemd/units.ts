/**
 * Devices under a real systemd: who outlives what, and what is left after a shutdown.
 * `deno task test:systemd` runs this; it takes two minutes, and a network where the machine is not made yet.
 * Loop devices are this machine's: those that are named have numbers that nobody else uses.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { testIfPossible } from "../support/tools.ts";
import { becomes, Machine, missingForMachines, shell } from "./machine.ts";

/** What must not be in a journal: nobody was killed, and all could be unmounted. What tests run may fail. */
const FAILURES =
  /^(?!.*run-u\d+\.service).*(SIGKILL|Failed unmounting|timed out|Failed with result|I\/O error)/;

function machineTest(name: string, body: (machine: Machine) => Promise<void>): void {
  testIfPossible({
    name,
    obstacle: missingForMachines(),
    fn: async () => {
      await using machine = await Machine.make();
      await body(machine);
    },
  });
}

/** An image in a machine with a file system in it. */
function makeImage(machine: Machine, path: string): Promise<string> {
  return machine.unit(`
    qemu-img create -q -f qcow2 ${path} 200M
    d=$(tslosetup -f --show -t QCOW ${path}); mkfs.ext4 -q $d; tslosetup -d $d`);
}

/** What `qemu-img check` says of an image that nobody uses. */
function checked({ root }: Machine, path: string): Promise<string> {
  return shell('qemu-img check "$1"', root + path);
}

async function assertCalm(machine: Machine): Promise<void> {
  const lines = (await machine.journal()).split("\n");
  assertEquals(lines.filter((line) => FAILURES.test(line)), []);
}

machineTest("a device outlives the unit and the login that has made it", async (machine) => {
  machine.write("/etc/systemd/logind.conf.d/kill.conf", "[Login]\nKillUserProcesses=yes\n");
  await machine.boot();
  await makeImage(machine, "/srv/a.qcow2");
  await machine.unit("tslosetup /dev/loop305 -t QCOW /srv/a.qcow2", "Type=oneshot");
  await machine.unit("mount /dev/loop305 /mnt/a; echo one >/mnt/a/one; umount /mnt/a");
  await machine.unit("tslosetup -d /dev/loop305");
  const login = ["PAMName=login", "User=root"];
  assertStringIncludes(
    await machine.unit(
      "cat /proc/self/cgroup; tslosetup /dev/loop305 -t QCOW /srv/a.qcow2",
      ...login,
    ),
    "session",
  );
  await machine.unit(
    "mount /dev/loop305 /mnt/a; cat /mnt/a/one; echo two >/mnt/a/two; umount /mnt/a",
  );
  assertMatch(await machine.unit("systemctl list-units --type=scope"), /tslosetup-\S+\.scope/);
  await machine.unit("tslosetup -d /dev/loop305");
  await becomes(machine, "! systemctl list-units --type=scope | grep tslosetup");
  await assertCalm(machine);
  assertStringIncludes(await checked(machine, "/srv/a.qcow2"), "No errors");
});

machineTest("where processes have other ids than for systemd, it is not asked", async (machine) => {
  await machine.boot();
  await makeImage(machine, "/srv/a.qcow2");
  const scopes = "journalctl --sync; journalctl -b | grep -c 'Started tslosetup-[0-9]'";
  const before = await machine.unit(scopes);
  await machine.unit(`unshare --fork --pid --mount-proc sh -euc \
    "tslosetup /dev/loop305 -t QCOW /srv/a.qcow2; tslosetup -d /dev/loop305"`);
  assertEquals(await machine.unit(scopes), before);
});

machineTest("a killed daemon has its successor in the same scope", async (machine) => {
  await machine.boot();
  await makeImage(machine, "/srv/a.qcow2");
  await machine.unit("tslosetup /dev/loop305 -t QCOW /srv/a.qcow2; mount /dev/loop305 /mnt/a");
  const cgroup = "cat /proc/$(tslosetup -ln -O PID /dev/loop305 | tr -d ' ')/cgroup | tail -n 1";
  const before = await machine.unit(cgroup);
  await machine.unit("kill -9 $(tslosetup -ln -O PID /dev/loop305); echo x >/mnt/a/x; sync");
  assertEquals(await machine.unit(cgroup), before);
  assertMatch(before, /tslosetup-\S+\.scope/);
  await machine.unit("umount /mnt/a; tslosetup -d /dev/loop305");
});

machineTest("a service of --foreground is ready, stopped, and started again", async (machine) => {
  machine.write(
    "/etc/systemd/system/disk.service",
    `[Service]
Type=notify
ExecStart=/usr/local/bin/tslosetup --foreground -t QCOW /dev/loop305 /srv/a.qcow2
SendSIGKILL=no
`,
  );
  await machine.boot();
  await makeImage(machine, "/srv/a.qcow2");
  for (const action of ["start", "restart"]) {
    await machine.unit(
      `systemctl ${action} disk.service; mount /dev/loop305 /mnt/a; umount /mnt/a`,
    );
  }
  const status = await machine.unit("systemctl status disk.service");
  assertStringIncludes(status, "/dev/loop305 shows /srv/a.qcow2");
  await machine.unit("mount /dev/loop305 /mnt/a; systemctl --no-block stop disk.service; sleep 1");
  await machine.unit("echo still >/mnt/a/still; umount /mnt/a");
  await becomes(machine, "! systemctl is-active disk.service | grep -v inactive");
  await assertCalm(machine);
  assertStringIncludes(await checked(machine, "/srv/a.qcow2"), "No errors");
});

machineTest(
  "lines of the table and of fstab come up, and a shutdown loses nothing",
  async (machine) => {
    await machine.boot();
    for (const name of ["tab", "fs\\040tab", "own"]) {
      await makeImage(machine, `"/srv/${name.replace("\\040", " ")}.qcow2"`);
    }
    await machine.powerOff();
    machine.write(
      "/etc/tslosetuptab",
      "data /srv/tab.qcow2 /dev/loop306\nno /srv/own.qcow2 - noauto\n",
    );
    machine.write("/etc/fstab", "/srv/fs\\040tab.qcow2 /mnt/b tslosetup.ext4 noatime 0 0\n");
    await machine.boot();
    await machine.unit("mountpoint -q /mnt/b; mount /dev/loop306 /mnt/a");
    await machine.unit(
      `mkdir /own; d=$(tslosetup -f --show -t QCOW /srv/own.qcow2); mount $d /own`,
    );
    const fill = (folder: string): string =>
      `head -c 9000000 /dev/urandom >${folder}/f; sha256sum <${folder}/f`;
    const folders = ["/mnt/a", "/mnt/b", "/own"];
    const sums = await machine.unit(folders.map(fill).join("; "));
    const journal = await machine.powerOff();
    assertEquals(journal.split("\n").filter((line) => FAILURES.test(line)), []);
    for (const name of ["tab", "fs tab", "own"]) {
      assertStringIncludes(await checked(machine, `/srv/${name}.qcow2`), "No errors");
    }
    await machine.boot();
    await machine.unit("mount /dev/loop306 /mnt/a; systemctl start tslosetup@no.service");
    await machine.unit("mount $(tslosetup -j /srv/own.qcow2 | cut -d: -f1) /own");
    const read = folders.map((folder) => `sha256sum <${folder}/f`).join("; ");
    assertEquals(await machine.unit(read), sums);
  },
);

machineTest("units are stopped and started, by line and by path", async (machine) => {
  await machine.boot();
  await makeImage(machine, "/srv/a-b.qcow2");
  machine.write("/etc/tslosetuptab", "line /srv/a-b.qcow2 /dev/loop306 nofail\n");
  await machine.unit("systemctl daemon-reload; systemctl start tslosetup@line.service");
  await machine.unit("mount /dev/loop306 /mnt/a; systemctl stop tslosetup@line.service");
  await machine.unit("echo x >/mnt/a/x; umount /mnt/a");
  await becomes(machine, "! tslosetup -j /srv/a-b.qcow2 | grep .");
  await machine.unit(
    "systemctl restart tslosetup@line.service; systemctl restart tslosetup@line.service",
  );
  await machine.unit(
    "systemctl stop tslosetup@line.service; ! tslosetup -j /srv/a-b.qcow2 | grep .",
  );
  const escape = "$(systemd-escape --path --template=tslosetup@.service /srv/a-b.qcow2)";
  await machine.unit(`systemctl start ${escape}; tslosetup -j /srv/a-b.qcow2 | grep loop`);
  await machine.unit(`systemctl stop ${escape}; ! tslosetup -j /srv/a-b.qcow2 | grep .`);
  await assertCalm(machine);
});

machineTest("mount and umount do all that an image takes", async (machine) => {
  await machine.boot();
  await makeImage(machine, "/srv/a.qcow2");
  const nothing =
    "! { tslosetup -j /srv/a.qcow2; tslosetup -j /srv/p.qcow2; } 2>/dev/null | grep .";
  await machine.unit(`mount -t tslosetup /srv/a.qcow2 /mnt/a; echo x >/mnt/a/x; umount /mnt/a
    qemu-img check -q /srv/a.qcow2; ${nothing}`);
  await machine.unit("mount -t tslosetup -o ro,format=qcow /srv/a.qcow2 /mnt/a; cat /mnt/a/x");
  // It is there already: mount(8) does not put it on top of itself.
  await machine.unit(`! mount -t tslosetup -o ro /srv/a.qcow2 /mnt/a; umount /mnt/a; ${nothing}`);
  const failing = {
    "-t tslosetup.xfs": 32,
    "-t tslosetup -o partition=7": 32,
    "-t tslosetup -o partition=x": 1,
  };
  for (const [words, code] of Object.entries(failing)) {
    assertEquals((await machine.tryUnit(`mount ${words} /srv/a.qcow2 /mnt/a`)).code, code);
    await machine.unit(nothing);
  }
  // Whether this kernel knows partition tables or not. Nor are there nodes by themselves.
  await machine.unit(`
    qemu-img create -q -f qcow2 /srv/p.qcow2 100M; d=$(tslosetup -f --show -t QCOW /srv/p.qcow2)
    for i in 0 1; do
      mkfs.ext4 -q -E offset=$((1048576 + i * 41943040)) $d 39M
      addpart $d $((i + 1)) $((2048 + i * 81920)) 79872
    done`);
  machine.write(
    "/etc/fstab",
    "/srv/p.qcow2 /mnt/a tslosetup partition=1,nofail,x-a=b 0 0\n/srv/p.qcow2 /mnt/b tslosetup partition=2 0 0\n",
  );
  await machine.unit(
    "mount -a; mount -a; mountpoint -q /mnt/a; mountpoint -q /mnt/b; echo p >/mnt/b/p",
  );
  assertEquals(await machine.unit("tslosetup -j /srv/p.qcow2 | wc -l"), "1");
  await machine.unit(
    "mount -o remount,ro /mnt/a; ! touch /mnt/a/x; mount -o remount,rw /mnt/a; touch /mnt/a/x",
  );
  await machine.unit("umount /mnt/a; cat /mnt/b/p; umount /mnt/b");
  // It was not the helper that had made it.
  assertEquals(await machine.unit("tslosetup -j /srv/p.qcow2 | wc -l"), "1");
  await machine.unit(`tslosetup -d /srv/p.qcow2; ${nothing}`);
  assert((await checked(machine, "/srv/p.qcow2")).includes("No errors"));
});
