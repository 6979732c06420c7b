// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { encodeJob, type Job } from "../../src/daemon/job.ts";
import { programCommand, statesIn } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";

/** What a daemon has of its command: of one that was killed, a pipe nobody reads. */
const SURROUNDINGS = 'exec "$@" 3>/dev/full 4</dev/null 5>/dev/full 6</dev/null';

interface Ended {
  readonly code: number;
  readonly stderr: string;
}

/** Runs a daemon whose command has gone. */
async function abandoned(job: Uint8Array<ArrayBuffer>): Promise<Ended> {
  const child = new Deno.Command("timeout", {
    args: ["20", "sh", "-c", SURROUNDINGS, "sh", ...programCommand(), "--internal-daemon"],
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(job);
  await writer.close();
  const { code, stderr } = await child.output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

function socketJob(imagePath: string, socketPath: string): Job {
  return {
    imagePath,
    image: {
      format: "RAW",
      readOnly: true,
      offsetBytes: 0,
      sizeLimitBytes: 0,
      namesFolder: "/",
      noBacking: true,
      allowBacking: [],
      force: false,
    },
    transport: "socket",
    sockets: 0,
    threads: 1,
    startAllThreads: false,
    cleanIntervalSeconds: 0,
    sectorBytes: 1,
    socket: { path: socketPath, inode: Deno.lstatSync(socketPath).ino ?? 0 },
  };
}

for (const isThere of [true, false]) {
  const what = isThere ? "has opened its image" : "refuses its image";
  Deno.test(`a daemon that ${what} when its command was killed leaves no socket`, async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    if (isThere) Deno.writeFileSync(image, new Uint8Array(65_536));
    const path = folder.file("socket");
    using _listener = Deno.listen({ transport: "unix", path });
    const { stderr } = await abandoned(encodeJob(socketJob(image, path)));
    assertEquals(stderr, "");
    assertEquals(
      [...Deno.readDirSync(folder.path)].map(({ name }) => name),
      isThere ? ["disk"] : [],
    );
    assertEquals(statesIn("/run/tslosetup").filter(({ device }) => device === path), []);
  });
}

for (const text of ["", "{", "null", "{}", "\0"]) {
  Deno.test(`a daemon without a job says so in one line: ${JSON.stringify(text)}`, async () => {
    const { code, stderr } = await abandoned(new TextEncoder().encode(text));
    assertEquals(code, 1);
    assertMatch(stderr, /^tslosetup: --internal-daemon is for tslosetup itself: .*\n$/);
  });
}
