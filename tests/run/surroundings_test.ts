// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { must, oracleTest, rootTest, run, TempDirectory } from "../support/tools.ts";
import { ENTER, inOwnSurroundings, SCRIPT } from "./surroundings.ts";

oracleTest("surroundings.sh satisfies shellcheck", ["shellcheck"], async () => {
  assertEquals(await run("shellcheck", SCRIPT), { code: 0, stdout: "", stderr: "" });
});

rootTest(
  "inOwnSurroundings() shows what is mounted there to nobody else",
  ["unshare"],
  async () => {
    using folder = new TempDirectory();
    const script = `mount -t tmpfs tmpfs ${folder.path} && touch ${folder.file("x")} && echo made`;
    const command = ["env", "-C", folder.path, "sh", "-c", script];
    const [program = "", ...args] = await inOwnSurroundings(command);
    assertEquals(await must(program, ...args), "made\n");
    assertEquals([...Deno.readDirSync(folder.path)], []);
  },
);

/** A chroot whose root folder, the first argument, is no mount point; the rest is run there. */
const CHROOT = `
  root=$1; shift
  for folder in /bin /sbin /lib /lib64 /usr /etc /dev /sys "/$(echo "$0" | cut -d / -f 2)"; do
    if [ -L "$folder" ]; then cp -a "$folder" "$root"
    elif [ -d "$folder" ]; then mkdir "$root$folder" && mount --rbind "$folder" "$root$folder"
    fi
  done
  mkdir "$root/proc" && mount -t proc proc "$root/proc"
  exec chroot "$root" "$@"`;

async function inChroot(...command: string[]): Promise<string> {
  using folder = new TempDirectory();
  return await must("unshare", "--mount", "sh", "-c", CHROOT, SCRIPT, folder.path, ...command);
}

rootTest(
  "surroundings.sh gives a mounted root folder to a chroot without",
  ["unshare"],
  async () => {
    const inNamespace = ["sh", "-c", "unshare --mount echo made 2>&1 || true"];
    assertStringIncludes(await inChroot(...inNamespace), "Invalid argument");
    assertEquals(await inChroot(...ENTER, ...inNamespace), "made\n");
  },
);
