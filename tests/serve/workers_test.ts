// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { SharedState } from "../../src/loop/shared_state.ts";
import { Control } from "../../src/serve/worker_protocol.ts";
import { type WorkerCommand, Workers, type WorkersContext } from "../../src/serve/workers.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { pipe } from "../../src/sys/sockets.ts";
import { DEFAULT_WRITE_POLICY } from "../../src/loop/write_policy.ts";
import { eventually } from "../support/patience.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** Threads that cannot serve: there is no file. */
class Fixture implements Disposable {
  readonly shared = new SharedState();
  readonly logged: string[] = [];
  readonly #wake = pipe();
  readonly workers: Workers;

  constructor(more: Partial<WorkersContext> = {}) {
    this.workers = new Workers({
      shared: this.shared,
      log: { error: (message) => this.logged.push(message) },
      threads: 3,
      describe: () => ({
        image: { format: "RAW", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 } as never,
        files: [],
        pieces: [],
        imagePath: "/no/image",
        maySpin: false,
        writePolicy: DEFAULT_WRITE_POLICY,
        cleanIntervalMs: 0,
        sectorBytes: 512,
        sharedMemory: this.shared.memory,
        wakeFd: this.#wake[1].number,
      }),
      ...more,
    });
  }

  [Symbol.dispose](): void {
    for (const end of this.#wake) end.close();
  }
}

Deno.test("Workers.takeBack() gives what a thread that has failed was to do", async () => {
  using it = new Fixture();
  const { workers, shared } = it;
  const worker = workers.start();
  assert(worker !== undefined);
  const connections: WorkerCommand[] = [
    { what: Control.AddClient, fd: 1001 },
    { what: Control.AddKernelSocket, fd: 1002 },
    { what: Control.AddFuse, fd: 1003 },
  ];
  for (const connection of connections) workers.give(connection, worker);
  assertEquals(workers.tellAll(Control.RefreshSize), 1);
  assertEquals(workers.connections, 3);
  const undone: WorkerCommand[] = [];
  await eventually(() => undone.push(...workers.takeBack()) > 0, "the thread to fail");
  assertEquals(undone, [...connections, { what: Control.RefreshSize, fd: -1 }]);
  assertEquals([workers.connections, shared.connectionsOf(worker.thread)], [0, 0]);
  assertEquals(workers.tellAll(Control.Finish), 0);
  assertEquals(workers.choose(1), undefined, "not again so soon");
});

Deno.test("Workers.choose() leaves a connection to the main thread where no other can be had", () => {
  const describe = (): never => {
    throw new Error("none left");
  };
  using it = new Fixture({ describe });
  assertEquals(it.workers.choose(1), undefined);
  assertEquals(it.workers.choose(1), undefined);
  assertEquals(it.logged, ["no further thread can be started: none left"]);
});

Deno.test("Workers.start() starts none where the main thread is to serve alone", () => {
  using it = new Fixture({ threads: 1 });
  assertEquals(it.workers.start(), undefined);
  assertEquals(it.workers.choose(100), undefined);
  assertEquals(it.logged, []);
});
