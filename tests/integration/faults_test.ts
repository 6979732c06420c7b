// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { sameBytes } from "../format/opened_image.ts";
import { damagedImage, PER_TABLE } from "../support/damaged.ts";
import { logTest } from "../support/log_socket.ts";
import { ExportedImage } from "../support/program.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { NbdClient, NbdFailure } from "./nbd_client.ts";

const MIB = 1024 * 1024;
const EIO = 5;
logTest(
  "a damaged table fails the requests that need it, and is logged once",
  ["qemu-img", "qemu-io"],
  async (log) => {
    using folder = new TempDirectory();
    const image = await damagedImage(folder);
    const options = ["-r", "-t", "QCOW"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    using client = await NbdClient.connect(exported.socket);
    const good = new Uint8Array(4096).fill(77);
    assert(sameBytes(await client.read(PER_TABLE - 4096, 4096), good));
    const failure = await client.read(PER_TABLE + 4096, 4096).catch((error) => error);
    assertInstanceOf(failure, NbdFailure);
    assertEquals(failure.number, EIO);
    assert(sameBytes(await client.read(2 * PER_TABLE, 4096), good));
    assert(exported.isRunning);
    const lines = log.lines().filter((line) => line.includes(image));
    assertEquals(lines.length, 1, lines.join("\n"));
    const [line = ""] = lines;
    assert(line.startsWith(`<27>tslosetup[${exported.pid}]: ${image}: read of 4096 bytes at `));
    assertMatch(line, /at 2101248 failed: ./);
  },
);

logTest(
  "a flood of errors is logged in a few lines",
  ["qemu-img", "qemu-io"],
  async (log) => {
    using folder = new TempDirectory();
    const image = await damagedImage(folder);
    const options = ["-r", "-t", "QCOW"];
    await using exported = await ExportedImage.attach({ folder, image, options });
    using client = await NbdClient.connect(exported.socket);
    for (let n = 0; n < 200; n++) {
      assertInstanceOf(await client.read(PER_TABLE, 512).catch((error) => error), NbdFailure);
    }
    const lines = log.lines().filter((line) => line.includes(image));
    assertEquals(lines.length, 10);
  },
);

oracleTest(
  "an image that is cut short while it is served reads as zeros there",
  ["truncate"],
  async () => {
    using folder = new TempDirectory();
    const image = folder.file("disk");
    Deno.writeFileSync(image, new Uint8Array(MIB).fill(5));
    await using exported = await ExportedImage.attach({ folder, image, options: ["-r"] });
    using client = await NbdClient.connect(exported.socket);
    await must("truncate", "-s", "512K", image);
    assertEquals(await client.read(MIB - 512, 512), new Uint8Array(512));
    assertEquals(await client.read(0, 512), new Uint8Array(512).fill(5));
  },
);

oracleTest("flushes are answered where no signal can be queued", ["prlimit"], async () => {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  Deno.writeFileSync(image, new Uint8Array(MIB));
  await using exported = await ExportedImage.attach({ folder, image });
  await must("prlimit", "--sigpending=0", "--pid", `${exported.pid}`);
  using client = await NbdClient.connect(exported.socket);
  for (let n = 0; n < 3; n++) {
    await client.write(n * 512, new Uint8Array(512).fill(n));
    await client.flush();
  }
});
