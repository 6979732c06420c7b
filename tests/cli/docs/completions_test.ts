// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { generated } from "../../../src/cli/docs/generate.ts";
import { OPTIONS } from "../../../src/cli/words/option_table.ts";
import { FORMATS } from "../../../src/image/formats.ts";
import { patiently } from "../../support/patience.ts";
import { exists } from "../../support/program.ts";
import { must, oracleTest, run, TempDirectory } from "../../support/tools.ts";

const FORMATS_WITH_Q = FORMATS.flatMap(({ name, aliases }) => [name, ...aliases])
  .filter((name) => name.startsWith("Q"))
  .toSorted();
/** As it is typed. */
const IMAGE = ["-t", "QCOW", "'disk one.img'"];
const DEVICES = ["/dev/loop7", "/dev/nbd0", "/tmp/socket"];

/** Names that a shell must take for nothing else. */
const ODD_SNAPSHOTS = ["it's", "my snap", "$(touch run)", "`touch run`", "a;touch run", "-x", "*"];

/** Answers like the program where completions ask it for words. */
const STAND_IN = `#!/bin/sh
[ "$1" = --internal-complete ] || exit 1
case $2 in
devices) printf '%s\\t/images/a device\\n' ${DEVICES.join(" ")} ;;
snapshots) [ "$3" = 'disk one.img' ] || exit 1
cat <<'END'
${["before", ...ODD_SNAPSHOTS].map((name) => `${name}\tsnapshot of 2026`).join("\n")}
END
esac
`;

/** A folder with the completions, an image, and a program that only knows words. */
class Site extends TempDirectory {
  constructor() {
    super();
    for (const shell of ["bash", "zsh", "fish"]) {
      Deno.writeTextFileSync(this.file(shell), generated(shell));
    }
    Deno.writeTextFileSync(this.file("disk one.img"), "");
    Deno.mkdirSync(this.file("dir"));
    Deno.writeTextFileSync(this.file("tslosetup"), STAND_IN, { mode: 0o755 });
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
  const list = ["tslosetup", ...split].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(
    " ",
  );
  const script = `source ./bash; COMP_WORDS=(${list}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    _tslosetup tslosetup; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return site.run("bash", script, "--norc");
};

const inFish: Complete = async (site, ...words) => {
  const line = ["tslosetup", ...words].join(" ");
  const offered = await site.run(
    "fish",
    `source ./fish; complete -C '${line.replaceAll("'", "\\'")}'`,
    "--no-config",
  );
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

const SHELLS = [["bash", inBash], ["fish", inFish], ["zsh", inZsh]] as const;

for (const [shell, complete] of SHELLS) {
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

  oracleTest(`${shell} completes formats in small letters, too`, [shell], async () => {
    using site = new Site();
    for (const words of [["-t", "qcow1"], ["--backing-fmt", "qcow1"], ["-r", "-f", "qcow1"]]) {
      const offered = await complete(site, ...words);
      assertEquals(offered.map((word) => word.toUpperCase()), ["QCOW1"], words.join(" "));
    }
  });

  oracleTest(`${shell} completes snapshots of the image that is named`, [shell], async () => {
    using site = new Site();
    assertEquals(await complete(site, ...IMAGE, "--snapshot", "be"), ["before"]);
    assertEquals(await complete(site, ...IMAGE, "--snapshot", "nothing"), []);
    assertEquals(await complete(site, "-r", "--snapshot", "be"), []);
    const offered = await complete(site, ...IMAGE, "--snapshot", "");
    const plain = offered.map((word) => shell === "fish" ? word : unquoted(word));
    assertEquals(plain.toSorted(), ["before", ...ODD_SNAPSHOTS].toSorted());
    assertEquals(exists(site.file("run")), false);
  });

  oracleTest(`${shell} completes the first nbd device before there is one`, [shell], async () => {
    using site = new Site();
    const offered = await complete(site, "-r", "-t", "QCOW", "/dev/nb");
    assertEquals(offered.includes("/dev/nbd0"), true, offered.join(" "));
  });

  oracleTest(`${shell} completes devices behind -d, files elsewhere`, [shell], async () => {
    using site = new Site();
    assertEquals(await complete(site, "-d", "/dev/n"), ["/dev/nbd0"]);
    assertEquals(await complete(site, "-d", "/dev/nbd0", "/dev/lo"), ["/dev/loop7"]);
    assertEquals((await complete(site, "-d", "nb")).at(-1)?.endsWith("nbd0"), true);
    for (const option of ["-j", "-d", "--parent"]) {
      const files = await complete(site, option, "disk");
      assertEquals(files.map((file) => file.replaceAll("\\", "")), ["disk one.img"]);
    }
  });
}

/** As a shell reads what it has completed. */
function unquoted(word: string): string {
  return word.replace(/\\(.)/g, "$1");
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
