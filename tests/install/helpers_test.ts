/**
 * Where install.sh puts what mount(8) and systemd look for, in packages.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { must } from "../support/tools.ts";
import { Site } from "./fixture.ts";

/** All that is below a folder, with where links lead. */
async function below(folder: string): Promise<string[]> {
  const listed = await must("find", folder, "!", "-type", "d", "-printf", "%P %l\n");
  return listed.trim().split("\n").map((line) => line.trim()).sort();
}

interface Placed {
  readonly prefix: string;
  /** A folder that the package has already. */
  readonly before?: string;
  readonly helpers: readonly string[];
}

const PLACED: readonly Placed[] = [
  { prefix: "/usr", helpers: ["usr/sbin/mount.tslosetup", "usr/sbin/umount.tslosetup"] },
  {
    prefix: "/usr",
    before: "sbin",
    helpers: ["usr/sbin/mount.tslosetup", "usr/sbin/umount.tslosetup"],
  },
  {
    prefix: "/usr/local",
    helpers: [
      "usr/local/sbin/mount.tslosetup",
      "usr/local/sbin/umount.tslosetup",
      "usr/sbin/mount.tslosetup /usr/local/sbin/mount.tslosetup",
      "usr/sbin/umount.tslosetup /usr/local/sbin/umount.tslosetup",
    ],
  },
];

for (const { prefix, before, helpers } of PLACED) {
  const name = `${prefix}${before === undefined ? "" : ` beside ${before}`}`;
  Deno.test(`install.sh makes a package of ${name} that leaves /sbin as it is`, async () => {
    using site = new Site();
    const destination = site.file("package");
    if (before !== undefined) Deno.mkdirSync(`${destination}/${before}`, { recursive: true });
    const TSLOSETUP_URL = await site.release("1", { helpers: "all" });
    const environment = { TSLOSETUP_URL, DESTDIR: destination, PREFIX: prefix };
    assertEquals((await site.install(environment)).code, 0);
    const program = `${prefix.slice(1)}/bin/tslosetup`;
    assertEquals(await below(destination), [program, ...helpers]);
    assertEquals((await site.installPiped(environment, "--uninstall")).code, 0);
    assertEquals(await below(destination), [""]);
  });
}

Deno.test("install.sh says where neither mount(8) nor systemd looks", async () => {
  using site = new Site();
  const TSLOSETUP_URL = await site.release("1", { helpers: "all" });
  const environment = { TSLOSETUP_URL, DESTDIR: site.file("package") };
  const { stdout } = await site.install({ ...environment, PREFIX: "/opt/x" });
  assertStringIncludes(stdout, "note: neither mount(8) nor systemd looks below /opt/x");
  assertEquals(
    (await site.install({ ...environment, PREFIX: "/usr" })).stdout.includes("looks"),
    false,
  );
});
