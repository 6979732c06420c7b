// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { identityOf } from "../../src/daemon/processes.ts";
import { type AttachState, isStale, stateDirectory, StateStore } from "../../src/daemon/state.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { attachState } from "../support/states.ts";
import { rootTest, TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const OWN = identityOf(Deno.pid);
const NOBODY = 65534;

function state(fields: Partial<AttachState>): AttachState {
  const process = { pid: Deno.pid, startTime: OWN?.startTime ?? 0 };
  return attachState({ ...process, device: "/tmp/socket", transport: "socket", ...fields });
}

/** A store in a folder of its own. */
class Fixture implements Disposable {
  readonly #folder = new TempDirectory();
  readonly path = this.#folder.file("states");
  readonly store = new StateStore(this.path);

  constructor() {
    this.store.prepare();
  }

  get files(): string[] {
    return [...Deno.readDirSync(this.path)].filter(({ isFile }) => isFile)
      .map(({ name }) => name).sort();
  }

  /** What daemons take commands on. */
  get sockets(): string[] {
    return [...Deno.readDirSync(this.path)].filter(({ isFile }) => !isFile)
      .map(({ name }) => name);
  }

  /** All states, without where they lie. */
  get contents(): AttachState[] {
    return this.store.all().map(({ file: _place, ...state }) => state);
  }

  get devices(): string[] {
    return this.store.all().map(({ device }) => device);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

Deno.test("StateStore.write() keeps what it is given, one file for each daemon", () => {
  using fixture = new Fixture();
  const { store } = fixture;
  const one = state({ device: "/dev/nbd3", transport: "nbd", nbdIndex: 3, image: '/a "b"\nc' });
  store.write(one);
  store.write({ ...one, sizeBytes: 1024 });
  assertEquals(fixture.contents, [{ ...one, sizeBytes: 1024, isHeld: false }]);
  assertEquals(fixture.files, ["nbd3.json"]);
  assertEquals((Deno.statSync(`${fixture.path}/nbd3.json`).mode ?? 0) & 0o777, 0o600);
  store.write(state({ device: "/tmp/s" }));
  assertEquals(fixture.files, ["nbd3.json", `socket-${Deno.pid}-0.json`]);
  store.remove(one);
  assertEquals(fixture.devices, ["/tmp/s"]);
  store.remove(one);
});

Deno.test("StateStore.all() sorts by device, numbers by value", () => {
  using fixture = new Fixture();
  for (const nbdIndex of [10, 2, 1]) {
    const device = `/dev/nbd${nbdIndex}`;
    fixture.store.write(state({ device, transport: "nbd", nbdIndex }));
  }
  assertEquals(fixture.devices, ["/dev/nbd1", "/dev/nbd2", "/dev/nbd10"]);
});

Deno.test("StateStore.all() passes over what is no state", () => {
  using fixture = new Fixture();
  fixture.store.write(state({}));
  const garbage: Record<string, string> = {
    "a.json": "",
    "b.json": "{",
    "c.json": "null",
    "d.json": "[]",
    "e.json": '{"version":2,"pid":1,"device":"/x","image":"/y"}',
    "f.json": '{"version":1,"pid":"1","device":"/x","image":"/y"}',
    "g.json.123.new": JSON.stringify(state({ device: "/half" })),
    "notes.txt": JSON.stringify(state({ device: "/other" })),
  };
  for (const [name, text] of Object.entries(garbage)) {
    Deno.writeTextFileSync(`${fixture.path}/${name}`, text);
  }
  Deno.mkdirSync(`${fixture.path}/h.json`);
  Deno.symlinkSync("/dev/zero", `${fixture.path}/i.json`);
  makeFifo(`${fixture.path}/j.json`);
  assertEquals(fixture.devices, ["/tmp/socket"]);
});

function makeFifo(path: string): void {
  assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
}

Deno.test("StateStore.prepare() removes what writers that were killed have left", () => {
  using fixture = new Fixture();
  const files = ["nbd1.json.4194305.new", `nbd2.json.${Deno.pid}.new`, "notes.new", "a.json"];
  for (const name of files) Deno.writeTextFileSync(`${fixture.path}/${name}`, "{");
  fixture.store.prepare();
  assertEquals(fixture.files, ["a.json", `nbd2.json.${Deno.pid}.new`, "notes.new"]);
});

Deno.test("StateStore.write() replaces the states of killed daemons of the same socket", () => {
  using fixture = new Fixture();
  const killed = state({ startTime: 1, pid: Deno.ppid });
  Deno.writeTextFileSync(`${fixture.path}/socket-9.json`, JSON.stringify({ ...killed, pid: 9 }));
  const other = state({ startTime: 1, pid: Deno.ppid, device: "/tmp/other" });
  fixture.store.write(other);
  Deno.writeTextFileSync(
    `${fixture.path}/socket-${Deno.ppid}-0.json`,
    JSON.stringify(other),
  );
  Deno.writeTextFileSync(
    `${fixture.path}/socket-1.json`,
    JSON.stringify({ ...killed, pid: 1 }),
  );
  fixture.store.write(state({}));
  assertEquals(fixture.devices, ["/tmp/other", "/tmp/socket"]);
  assertEquals(fixture.store.find(({ pid }) => pid === Deno.pid)?.device, "/tmp/socket");
});

Deno.test("StateStore.prepare() makes a folder for its owner alone, and takes it again", () => {
  using fixture = new Fixture();
  fixture.store.prepare();
  assertEquals((Deno.statSync(fixture.path).mode ?? 0) & 0o777, 0o700);
});

Deno.test("StateStore.prepare() refuses folders that others can write to, and links", () => {
  using folder = new TempDirectory();
  const open = folder.file("open");
  Deno.mkdirSync(open);
  Deno.chmodSync(open, 0o777);
  assertThrows(() => new StateStore(open).prepare(), SystemError, "Permission denied");
  const own = folder.file("own");
  Deno.mkdirSync(own, { mode: 0o700 });
  Deno.symlinkSync(own, folder.file("link"));
  assertThrows(() => new StateStore(folder.file("link")).prepare(), SystemError);
  Deno.writeTextFileSync(folder.file("file"), "");
  assertThrows(() => new StateStore(folder.file("file")).prepare(), SystemError);
  assertThrows(() => new StateStore(folder.file("missing/states")).prepare(), SystemError);
});

rootTest("StateStore believes nothing in another user's folder", [], () => {
  using fixture = new Fixture();
  fixture.store.write(state({}));
  Deno.chownSync(fixture.path, NOBODY, NOBODY);
  assertEquals(fixture.store.all(), []);
  assertThrows(() => fixture.store.prepare(), SystemError, "Permission denied");
});

Deno.test("isStale() tells a process that runs from one that has gone, or is another by now", () => {
  assert(!isStale(state({})));
  assert(isStale(state({ startTime: (OWN?.startTime ?? 0) + 1 })));
  assert(isStale(state({ pid: 2 ** 22 + 1 })));
});

Deno.test("isStale() believes the lock on a state, not the process id, where there is one", () => {
  using fixture = new Fixture();
  const { store } = fixture;
  const elsewhere = { pid: 2 ** 22 + 1, pidNamespace: 1 };
  const held = store.begin();
  store.write(state({ device: "/dev/loop1", transport: "fuse", ...elsewhere }), held);
  const [found = state({})] = store.all();
  assertEquals([found.isHeld, isStale(found)], [true, false]);
  store.forgetKilled(found.device);
  assertEquals(fixture.files, ["loop1.json"]);
  held[Symbol.dispose]();
  assert(isStale(found));
  assertEquals(fixture.sockets.length, 1);
  store.forgetKilled(found.device);
  assertEquals(fixture.files, []);
  assertEquals(fixture.sockets, []);
});

Deno.test("isStale() leaves open whether a process runs that it cannot see", () => {
  assert(!isStale(state({ pid: 2 ** 22 + 1, pidNamespace: 1 })));
  assert(isStale(state({ pidNamespace: 1, boot: "another" })));
  assert(isStale(state({ boot: "another" })));
});

Deno.test("StateStore.clearUnfinished() leaves a file that somebody holds, wherever that is", () => {
  using fixture = new Fixture();
  using held = fixture.store.begin();
  const [name = ""] = fixture.files;
  Deno.renameSync(`${fixture.path}/${name}`, `${fixture.path}/a.4194305.new`);
  fixture.store.clearUnfinished();
  assertEquals(fixture.files, ["a.4194305.new"]);
  assertEquals(fixture.sockets.length, 1);
  held[Symbol.dispose]();
  fixture.store.clearUnfinished();
  assertEquals(fixture.files, []);
  fixture.store.clearUnfinished();
  assertEquals(fixture.sockets, []);
});

Deno.test("StateStore.change() and reread() work on the file that was read, StateStore.remove() too", () => {
  using fixture = new Fixture();
  const { store } = fixture;
  store.write(state({ device: "/dev/loop1", transport: "fuse" }));
  const [old = state({})] = store.all();
  store.change(old, { sizeBytes: 1024 });
  assertEquals(store.reread(old)?.sizeBytes, 1024);
  // Kept, so that its inode is not given away again.
  Deno.linkSync(`${fixture.path}/loop1.json`, `${fixture.path}/kept`);
  store.write(state({ device: "/dev/loop1", transport: "fuse" }));
  store.change(old, { sizeBytes: 2048 });
  store.remove(old);
  assertEquals(store.reread(old), undefined);
  assertEquals(store.all().map(({ sizeBytes }) => sizeBytes), [512]);
});

Deno.test("stateDirectory() is the system's for root, and the user's otherwise", () => {
  const expected = Deno.uid() === 0 ? "/run/tslosetup" : "/run/user/7/tslosetup";
  assertEquals(stateDirectory("/run/user/7"), expected);
});
