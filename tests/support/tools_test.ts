// @ts-types="./std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { isLeftBehind, must, TempDirectory } from "./tools.ts";

/** A path in the temporary folder of tests in a process that has ended without removing it. */
async function pathLeftBehind(): Promise<string> {
  const tools = new URL("tools.ts", import.meta.url).href;
  const tests = `import { TempDirectory } from "${tools}";
    console.log(new TempDirectory().file("disk")); Deno.kill(Deno.pid, "SIGKILL");`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", tests],
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("isLeftBehind() knows the folders of tests that were killed", async () => {
  using folder = new TempDirectory();
  const path = await pathLeftBehind();
  assertEquals(isLeftBehind(path), true, path);
  assertEquals(isLeftBehind(`/bare${path} (deleted)`), true);
  assertEquals(isLeftBehind(folder.file("disk")), false);
  assertEquals(isLeftBehind("/tmp/tslosetup-test-1/disk"), false);
  await must("rm", "-r", path.replace(/\/disk$/, ""));
});
