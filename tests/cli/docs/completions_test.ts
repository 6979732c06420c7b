// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { generated } from "../../../src/cli/docs/generate.ts";
import { OPTIONS } from "../../../src/cli/words/option_table.ts";
import { FORMATS } from "../../../src/image/formats.ts";
import { patiently } from "../../support/patience.ts";
import { must, oracleTest, run, TempDirectory } from "../../support/tools.ts";

const FORMATS_WITH_Q = FORMATS.flatMap(({ name, aliases }) => [name, ...aliases])
  .filter((name) => name.startsWith("Q"))
  .toSorted();
const DEVICES = ["/dev/loop7", "/dev/nbd0", "/tmp/socket"];

/** A folder with the completions, an image, and a program that only lists devices. */
class Site extends TempDirectory {
  constructor() {
    super();
    for (const shell of ["bash", "zsh", "fish"]) {
      Deno.writeTextFileSync(this.file(shell), generated(shell));
    }
    Deno.writeTextFileSync(this.file("disk one.img"), "");
    Deno.mkdirSync(this.file("dir"));
    const lines = `case " $* " in *" --output NAME "*) printf '%s\\n' ${DEVICES.join(" ")} ;; esac`;
    Deno.writeTextFileSync(this.file("tslosetup"), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  }

  /** Runs a script in this folder, where the program is found. */
  async run(shell: string, script: string, ...args: string[]): Promise<string[]> {
    const enter = 'cd "$1" && export PATH="$1:$PATH" HOME="$1" && shift && exec "$@"';
    const stdout = await must(
      "sh",
      "-c",
      enter,
      "sh",
      this.path,
      ...patiently(shell, ...args, "-c", script),
    );
    return stdout.split("\n").filter((line) => line !== "");
  }
}

/** A way to ask a shell what it offers for the last of the words behind the program's name. */
type Complete = (site: Site, ...words: string[]) => Promise<string[]>;

/** As readline splits them: a `=` is a word of its own. */
const inBash: Complete = (site, ...words) => {
  const split = words.flatMap((word) =>
    word.includes("=")
      ? word.split(/(=)/).filter((part, index) => part !== "" || index === 0)
      : [word]
  );
  const list = ["tslosetup", ...split].map((word) => `'${word}'`).join(" ");
  const script = `source ./bash; COMP_WORDS=(${list}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    _tslosetup tslosetup; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return site.run("bash", script, "--norc");
};

const inFish: Complete = async (site, ...words) => {
  const line = ["tslosetup", ...words].join(" ");
  const offered = await site.run("fish", `source ./fish; complete -C '${line}'`, "--no-config");
  return offered.map((entry) => entry.split("\t")[0] ?? "");
};

/** Types into a shell on a terminal of its own, as there is no other way to ask. */
const inZsh: Complete = async (site, ...words) => {
  const line = ["tslosetup", ...words].join(" ");
  const setup = [
    "PS1= PS2=; unsetopt zle_bracketed_paste; fpath=($PWD/functions $fpath)",
    "autoload -Uz compinit && compinit -u -d $PWD/dump",
    "zstyle ':completion:*' list-separator '@@'",
    "zstyle ':completion:*' insert-tab false",
    // prints what would be offered, instead of offering it
    'compadd () { if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi',
    '  typeset -a hits; builtin compadd -A hits "$@"; local prefix=$IPREFIX',
    '  for hit in $hits; do print -r -- "OFFER:$prefix$hit"; done; builtin compadd "$@" }',
    "bindkey '^I' complete-word",
    "done-widget () { print DONE-$((6 * 7)) }; zle -N done-widget; bindkey '^X' done-widget",
    "print READY",
  ].join("\n");
  Deno.mkdirSync(site.file("functions"), { recursive: true });
  Deno.writeTextFileSync(site.file("functions/_tslosetup"), generated("zsh"));
  Deno.writeTextFileSync(site.file("setup"), setup);
  const script = `zmodload zsh/zpty; zpty -b shell zsh -f -i
    zpty -w shell 'source ./setup'
    until zpty -r shell text '*READY*' ; do sleep 0.05; done
    zpty -w -n shell ${JSON.stringify(line)}$'\\t\\x18'
    zpty -r shell text '*DONE-42*'; print -r -- $text`;
  const printed = await site.run("zsh", script, "-f");
  return [...printed.join("\n").matchAll(/OFFER:([^\r\n]*)/g)].map(([, word = ""]) => word);
};

const SHELLS = { bash: inBash, fish: inFish, zsh: inZsh } as const;

for (const [shell, complete] of Object.entries(SHELLS)) {
  oracleTest(`${shell} understands its completions`, [shell], async () => {
    using site = new Site();
    assertEquals(await run(shell, "-n", site.file(shell)), { code: 0, stdout: "", stderr: "" });
  });

  oracleTest(`${shell} completes options`, [shell], async () => {
    using site = new Site();
    assertEquals((await complete(site, "--off")).map((word) => word.trim()), ["--offset"]);
    const offered = await complete(site, "--");
    for (const { long } of OPTIONS) assert(offered.some((word) => word.startsWith(`--${long[0]}`)));
  });

  oracleTest(`${shell} completes formats, transports and columns`, [shell], async () => {
    using site = new Site();
    assertEquals((await complete(site, "-t", "Q")).toSorted(), FORMATS_WITH_Q);
    assertEquals(await complete(site, "--transport", "n"), ["nbd"]);
    assertEquals(await complete(site, "-O", "SIZEL"), ["SIZELIMIT"]);
    assertEquals((await complete(site, "-r", "-f", "au")).includes("auto"), true);
  });

  oracleTest(`${shell} completes devices behind -d, files elsewhere`, [shell], async () => {
    using site = new Site();
    assertEquals(await complete(site, "-d", "/dev/n"), ["/dev/nbd0"]);
    assertEquals(await complete(site, "-d", "/dev/nbd0", "/dev/lo"), ["/dev/loop7"]);
    const files = await complete(site, "-j", "disk");
    assertEquals(files.map((file) => file.replaceAll("\\", "")), ["disk one.img"]);
  });
}

oracleTest(
  "bash completes what follows a = or a comma, and registers itself",
  ["bash"],
  async () => {
    using site = new Site();
    assertEquals(await inBash(site, "--type=RA"), ["RAW"]);
    assertEquals(await inBash(site, "--direct-io="), ["on", "off"]);
    assertEquals((await inBash(site, "--direct-io", "di")).sort(), ["dir", "disk one.img"]);
    assertEquals(await inBash(site, "-O", "+NAME,TR"), ["+NAME,TRANSPORT"]);
    assertEquals(await inBash(site, "--allow-backing", ""), ["dir"]);
    const registered = await site.run("bash", "source ./bash; complete -p tslosetup", "--norc");
    assertEquals(registered, ["complete -F _tslosetup tslosetup"]);
  },
);

oracleTest("fish completes what follows a comma", ["fish"], async () => {
  using site = new Site();
  assertEquals(await inFish(site, "-O", "NAME,TR"), ["NAME,TRANSPORT"]);
  assertEquals(await inFish(site, "--output=+NAME,TR"), ["--output=+NAME,TRANSPORT"]);
});
