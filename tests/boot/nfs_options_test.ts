/**
 * How the shell functions of an initramfs mount an NFS share: never so that the kernel would have to ask
 * the root that it serves.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { oracleTest, run, TempDirectory } from "../support/tools.ts";

const BOOT = new URL("../../src/boot/", import.meta.url).pathname;
const SHELLS = [["sh"], ["busybox", "sh"], ["bash"]] as const;

/** What mount.nfs would be called with; `ASKS` is whether the kernel could still ask. */
const SCRIPT = `. ${BOOT}common.sh; . ${BOOT}nfs.sh
tslosetup_forget_names() { [ "$ASKS" = no ]; }
place=server:/export TSLOSETUP_SOURCE=/source
tslosetup_mount_nfs "$1"`;

const MOUNTED = [
  ["rw", "no", "hard,nolock,rw"],
  ["rw,vers=4.1", "no", "hard,nolock,rw,vers=4.1"],
  ["rw", "yes", "vers=3,mountproto=tcp,hard,nolock,rw"],
  ["ro,vers=3", "yes", "mountproto=tcp,hard,nolock,ro,vers=3"],
  ["ro,nfsvers=3,soft", "yes", "mountproto=tcp,hard,nolock,ro,nfsvers=3,soft"],
] as const;

const REFUSED = [
  ["rw,vers=4", "yes", "names of NFSv4; try vers=3"],
  ["rw,nfsvers=4.2", "yes", "names of NFSv4; try vers=3"],
  ["rw,sec=krb5p", "no", "Kerberos"],
  ["rw,sec=sys:krb5", "no", "Kerberos"],
  ["rw,xprtsec=mtls", "no", "TLS"],
  ["rw,vers=3,lock", "no", "locks of NFSv3"],
] as const;

/** What has the kernel ask for names, at a mount that is asked for with these options. */
const ASKING = [
  ["hard,ro", "hard,ro,rw,soft,timeo=100,nosharecache,vers=4"],
  ["ro,vers=4.1", "ro,vers=4.1,rw,soft,timeo=100,nosharecache"],
  ["nfsvers=4.2,ro", "nfsvers=4.2,ro,rw,soft,timeo=100,nosharecache"],
  ["ro,v4.0", "ro,v4.0,rw,soft,timeo=100,nosharecache"],
] as const;

for (const shell of SHELLS) {
  oracleTest(`${shell.join(" ")} asks for names by one version of NFS`, [shell[0]], async () => {
    const script = `. ${BOOT}nfs.sh; tslosetup_asking_options "$1"`;
    for (const [options, expected] of ASKING) {
      const { stdout } = await run("env", ...shell, "-uc", script, "sh", options);
      assertEquals(stdout.trim(), expected);
    }
  });

  const call = async (options: string, asks: string): Promise<Awaited<ReturnType<typeof run>>> => {
    using tools = new TempDirectory();
    const write = (name: string, text: string): void =>
      Deno.writeTextFileSync(tools.file(name), text, { mode: 0o755 });
    write("modprobe", "#!/bin/sh\n");
    write("mount.nfs", '#!/bin/sh\necho "$@"\n');
    const variables = [`ASKS=${asks}`, `PATH=${tools.path}:${Deno.env.get("PATH")}`];
    return await run("env", ...variables, ...shell, "-uc", SCRIPT, "sh", options);
  };

  oracleTest(`${shell.join(" ")} mounts NFS shares`, [shell[0]], async () => {
    for (const [options, asks, expected] of MOUNTED) {
      const { stdout } = await call(options, asks);
      assertEquals(stdout.trim(), `server:/export /source -o ${expected}`);
    }
  });

  oracleTest(`${shell.join(" ")} refuses NFS shares that need the root`, [shell[0]], async () => {
    for (const [options, asks, reason] of REFUSED) {
      const { code, stdout, stderr } = await call(options, asks);
      assertEquals([code, stdout], [1, ""], options);
      assertStringIncludes(stderr, reason);
    }
  });
}
