// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { exists } from "../support/program.ts";
import { must, oracleTest, run, runPatiently } from "../support/tools.ts";
import { CHECKOUT, runStranded, Site, SlowServer } from "./fixture.ts";

const SCRIPT = `${CHECKOUT}/install.sh`;
const COMPILES = "mkdir -p dist && cp src/built dist/tslosetup";

oracleTest("install.sh satisfies shellcheck", ["shellcheck"], async () => {
  assertEquals((await run("shellcheck", "--shell=sh", SCRIPT)).stdout, "");
});

Deno.test("install.sh installs a release with the right checksum", async () => {
  using site = new Site();
  const { code, stdout, stderr } = await site.install({ TSLOSETUP_URL: await site.release("1") });
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "tslosetup 1");
  assertEquals(await must(site.program, "--version"), "tslosetup 1\n");
  assertEquals(await site.files(), ["bin/tslosetup"]);
});

oracleTest("install.sh says on a terminal, and only there, how far a download is", [
  "curl",
  "script",
], async () => {
  using site = new Site();
  const release = (await site.release("1", { sizeBytes: 200_000 })).slice("file://".length);
  await using server = new SlowServer(Deno.readFileSync(release), `${release}.sha256`);
  const variables = [`PREFIX=${site.prefix}`, `TSLOSETUP_URL=${server.url}`, "no_proxy=127.0.0.1"];
  const command = ["env", ...variables, "sh", SCRIPT];
  const onTerminal = new Deno.Command("script", {
    args: ["-qec", command.map((word) => `'${word}'`).join(" "), "/dev/null"],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let text = "";
  for await (const chunk of onTerminal.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    // The rest comes when the progress has been told.
    if (/\r {2}\d+ s, \d+ kB/.test(text)) server.goOn();
  }
  assertEquals((await onTerminal.status).code, 0);
  assertStringIncludes(text, " kB\r\x1b[K");
  assertStringIncludes(text, "\r\x1b[Ktslosetup: installed ");
  const [program = "", ...args] = command;
  assertEquals((await run(program, ...args)).stderr, "");
  assertEquals(await must(site.program, "--version"), "tslosetup 1\n");
});

Deno.test("install.sh works when piped into sh", async () => {
  using site = new Site();
  const { code, stderr } = await site.installPiped({ TSLOSETUP_URL: await site.release("1") });
  assertEquals([code, stderr], [0, ""]);
  assertEquals(await must(site.program), "tslosetup 1\n");
  await must("mkdir", "-p", `${site.prefix}/share/man/man8`);
  await must("touch", `${site.prefix}/share/man/man8/other.8`);
  assertEquals((await site.installPiped({}, "--uninstall")).code, 0);
  assertEquals(await site.files(), ["share/man/man8/other.8"]);
});

Deno.test("install.sh replaces an earlier installation", async () => {
  using site = new Site();
  await site.install({ TSLOSETUP_URL: await site.release("1") });
  await site.install({ TSLOSETUP_URL: await site.release("2") });
  assertEquals(await must(site.program), "tslosetup 2\n");
  assertEquals(await site.files(), ["bin/tslosetup"]);
});

Deno.test("install.sh leaves an earlier installation alone when it fails", async (t) => {
  using site = new Site();
  await site.install({ TSLOSETUP_URL: await site.release("1") });
  const unsummed = await site.release("4");
  await Deno.remove(`${unsummed.slice("file://".length)}.sha256`);
  const failures = {
    "checksum mismatch": await site.release("2", { sum: "0".repeat(64) }),
    "checksum mismatch for": await site.release("3", { sum: "" }),
    "no checksum": unsummed,
    "does not run here": await site.release("5", { exitCode: 3 }),
    "cannot download": "file:///nonexistent/tslosetup",
    "not an https://": "ftp://example.org/tslosetup",
  };
  for (const [reason, url] of Object.entries(failures)) {
    await t.step(reason, async () => {
      const { code, stderr } = await site.install({ TSLOSETUP_URL: url });
      assertEquals(code, 1);
      assertMatch(stderr, /^install\.sh: [^\n]*\n$/);
      assertStringIncludes(stderr, reason);
      assertEquals(await must(site.program), "tslosetup 1\n");
      assertEquals(await site.files(), ["bin/tslosetup"]);
    });
  }
});

Deno.test("install.sh does nothing when its download is cut short", async () => {
  using site = new Site();
  const url = await site.release("1");
  const text = await Deno.readTextFile(SCRIPT);
  const lastLine = text.trimEnd().lastIndexOf("\n") + 1;
  const lineEnds = [...text.slice(0, lastLine).matchAll(/\n/g)].map((match) => match.index + 1);
  const lastBytes = Array.from(
    { length: text.trimEnd().length - lastLine },
    (_, i) => lastLine + i,
  );
  const bytes = [...lineEnds, ...lastBytes].map((end) => {
    return new TextEncoder().encode(text.slice(0, end)).length;
  });
  const loop = `for n in ${bytes.join(" ")}; do head -c "$n" "${SCRIPT}" | sh; done 2>/dev/null`;
  const { stdout } = await run(
    "env",
    `PREFIX=${site.prefix}`,
    `TSLOSETUP_URL=${url}`,
    "sh",
    "-c",
    loop,
  );
  assertEquals(stdout, "");
  assertEquals((await run("test", "-e", site.prefix)).code, 1);
});

Deno.test("install.sh refuses a prefix it cannot write to", async () => {
  using site = new Site();
  const url = await site.release("1");
  for (const prefix of ["/dev/null", "/proc/self", "relative"]) {
    const { code, stderr } = await site.install({ PREFIX: prefix, TSLOSETUP_URL: url });
    assertEquals(code, 1);
    assertMatch(stderr, /^install\.sh: [^\n]*(cannot write|absolute)[^\n]*\n$/);
  }
  // A copy, for the checkout may lie in a folder that is closed to others.
  const stranded = await runStranded("/bin/sh", await site.checkout("exit 1"));
  assertEquals(stranded.stderr, "install.sh: HOME is not set: set PREFIX\n");
});

Deno.test("install.sh refuses machines the program does not run on", async () => {
  using site = new Site();
  const cases = [
    { stub: "uname", says: "case $1 in -s) echo Linux ;; *) echo riscv64 ;; esac", why: "riscv64" },
    { stub: "uname", says: "echo Darwin", why: "Linux only" },
    { stub: "getconf", says: "echo glibc 2.19", why: "glibc 2.19" },
    { stub: "getconf", says: "echo musl libc", why: "musl" },
  ];
  for (const [index, { stub, says, why }] of cases.entries()) {
    const folder = site.file(`stubs-${index}`);
    await Deno.mkdir(folder);
    await Deno.writeTextFile(`${folder}/${stub}`, `#!/bin/sh\n${says}\n`, { mode: 0o755 });
    const PATH = `${folder}:${Deno.env.get("PATH") ?? ""}`;
    const { code, stderr } = await site.install({ PATH, TSLOSETUP_URL: await site.release("1") });
    assertEquals(code, 1);
    assertStringIncludes(stderr, why);
  }
  assertEquals(await site.files(), []);
});

Deno.test("install.sh keeps DESTDIR apart from PREFIX", async () => {
  using site = new Site();
  const script = await site.checkout("exit 1");
  const destination = site.file("package");
  const { code } = await site.install({ DESTDIR: destination, PREFIX: "/opt/x" }, script);
  assertEquals(code, 0);
  const launcher = await Deno.readTextFile(`${destination}/opt/x/bin/tslosetup`);
  assertMatch(launcher, /exec '\/opt\/x\/lib\/tslosetup\/sources\.\w+'\/deno run /);
});

Deno.test("install.sh --with-boot installs the hooks for an initramfs, and removes them", async () => {
  using site = new Site();
  const script = await site.checkout(COMPILES);
  const folder = script.replace(/install\.sh$/, "src/boot");
  await must("cp", "-r", `${CHECKOUT}/src/boot`, folder);
  const environment = { DESTDIR: site.file("package"), PREFIX: "/opt/x" };
  assertEquals((await site.install(environment, script, "--with-boot")).code, 0);
  const hook = site.file("package/etc/initramfs-tools/hooks/tslosetup");
  const text = await Deno.readTextFile(hook);
  assertStringIncludes(text, "PROGRAM=/opt/x/bin/tslosetup\nLIBRARY=/opt/x/lib/tslosetup/boot\n");
  assertEquals((Deno.statSync(hook).mode ?? 0) & 0o777, 0o755);
  const inPackage = ["opt/x/lib/tslosetup/boot/common.sh", "opt/x/lib/tslosetup/boot/pack.sh"];
  inPackage.push("etc/initramfs-tools/scripts/local-top/tslosetup");
  for (const path of inPackage) assertEquals(exists(site.file(`package/${path}`)), true, path);
  assertEquals((await site.install(environment, script, "--uninstall")).code, 0);
  assertEquals(await must("find", site.file("package"), "-type", "f"), "");
});

Deno.test("install.sh --with-boot needs a checkout", async () => {
  using site = new Site();
  const { code, stderr } = await site.installPiped({}, "--with-boot");
  assertEquals([code, stderr], [1, "install.sh: --with-boot needs a checkout\n"]);
  assertEquals(exists(site.prefix), false);
});

Deno.test("install.sh makes sources that do not make the file of SSLKEYLOGFILE", async () => {
  using site = new Site();
  assertEquals((await site.install({}, await site.checkout("exit 1"))).code, 0);
  const command = ["env", `SSLKEYLOGFILE=${site.file("keys")}`, site.program] as const;
  assertEquals(await must(...command), "tslosetup from sources\n");
  assertEquals(exists(site.file("keys")), false);
});

Deno.test("install.sh builds the checkout it lies in", async () => {
  using site = new Site();
  const { code, stderr } = await site.install({}, await site.checkout(COMPILES));
  assertEquals([code, stderr], [0, ""]);
  assertEquals(await must(site.program), "tslosetup built\n");
  assertEquals(await site.files(), ["bin/tslosetup"]);
});

Deno.test("install.sh tells why a build that was asked for failed", async () => {
  using site = new Site();
  const script = await site.checkout("echo 'error: no base here' >&2; exit 1");
  const { code, stderr } = await site.install({ TSLOSETUP_INSTALL: "build" }, script);
  assertEquals([code, stderr], [1, "install.sh: deno compile: error: no base here\n"]);
  assertEquals(await site.files(), []);
});

Deno.test("install.sh tells what has caused the error that a build failed with", async () => {
  using site = new Site();
  const log =
    "Warning x\\nerror: Writing to temporary file\\n\\nCaused by:\\n    0: a\\n    1: No space\\n";
  const script = await site.checkout(`printf '${log}' >&2; exit 1`);
  const { code, stderr } = await site.install({ TSLOSETUP_INSTALL: "build" }, script);
  const reason = "error: Writing to temporary file: a: No space";
  assertEquals([code, stderr], [1, `install.sh: deno compile: ${reason}\n`]);
});

Deno.test("install.sh installs the sources where nothing can be built", async () => {
  using site = new Site();
  const script = await site.checkout("exit 1");
  const { code, stdout, stderr } = await site.install({}, script);
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "installing the sources");
  assertEquals(await must(site.program), "tslosetup from sources\n");
});

Deno.test("install.sh removes installed sources when a binary replaces them", async () => {
  using site = new Site();
  await site.install({ TSLOSETUP_INSTALL: "source" }, await site.checkout(COMPILES));
  assertStringIncludes((await site.files()).join(), "lib/tslosetup/sources.");
  await site.install({ TSLOSETUP_URL: await site.release("2") });
  assertEquals(await site.files(), ["bin/tslosetup"]);
});

Deno.test("install.sh makes this project's sources run for anybody, offline, without HOME", async () => {
  using site = new Site();
  const { code, stderr } = await site.install({ TSLOSETUP_INSTALL: "source" }, SCRIPT);
  assertEquals([code, stderr], [0, ""]);
  const stranded = await runStranded(site.program, "--version");
  assertEquals([stranded.code, stranded.stderr], [0, ""]);
  assertMatch(stranded.stdout, /^tslosetup /);
  const documents = (await site.files()).filter((file) => !/^(bin|lib\/tslosetup)\//.test(file));
  const ofSystem = (...files: string[]): string[] => Deno.uid() === 0 ? files : [];
  assertEquals(documents, [
    ...ofSystem(
      "lib/systemd/system-generators/tslosetup-generator",
      "lib/systemd/system/tslosetup@.service",
      "sbin/mount.tslosetup",
      "sbin/umount.tslosetup",
    ),
    "share/bash-completion/completions/tslosetup",
    "share/fish/vendor_completions.d/tslosetup.fish",
    ...ofSystem("share/man/man5/tslosetuptab.5", "share/man/man8/mount.tslosetup.8"),
    "share/man/man8/tslosetup.8",
    "share/zsh/site-functions/_tslosetup",
  ]);
  const page = await Deno.readTextFile(`${site.prefix}/share/man/man8/tslosetup.8`);
  assertEquals(page, await must(site.program, "--internal-generate", "man"));
  if (Deno.uid() === 0) {
    const helper = `${site.prefix}/sbin/mount.tslosetup`;
    assertStringIncludes(await Deno.readTextFile(helper), `exec "${site.program}" `);
  }

  assertEquals((await site.install({}, SCRIPT, "--uninstall")).code, 0);
  assertEquals(exists(site.prefix), false);
  const again = await site.install({}, SCRIPT, "--uninstall");
  assertEquals(again.code, 1);
  assertStringIncludes(again.stderr, "not installed");
});

oracleTest("install.sh makes sources that serve several clients at once", ["nbdcopy"], async () => {
  using site = new Site();
  await site.install({ TSLOSETUP_INSTALL: "source" }, SCRIPT);
  const image = `${CHECKOUT}/testdata/hello.qcow2`;
  const socket = site.file("socket");
  const attached = await runPatiently(site.program, "--socket", socket, "-r", "-t", "QCOW", image);
  assertEquals([attached.code, attached.stderr], [0, ""]);
  try {
    const uri = `nbd+unix:///?socket=${socket}`;
    const copies = Array.from({ length: 4 }, () => runPatiently("nbdcopy", "--", uri, "null:"));
    const codes = (await Promise.all(copies)).map(({ code }) => code);
    assertEquals(codes, [0, 0, 0, 0]);
  } finally {
    await runPatiently(site.program, "-d", socket);
  }
});

Deno.test("install.sh explains itself", async () => {
  using site = new Site();
  assertStringIncludes((await site.install({}, SCRIPT, "--help")).stdout, "TSLOSETUP_INSTALL");
  assertEquals((await site.install({}, SCRIPT, "--frobnicate")).code, 1);
  const unknown = await site.install({ TSLOSETUP_INSTALL: "magic" });
  assertMatch(unknown.stderr, /^install\.sh: TSLOSETUP_INSTALL: [^\n]*\n$/);
});
