/**
 * The installation of the Debian packages that the tests need.
 *
 * @module
 */
import { packageNames, type Packages } from "../support/packages.ts";
import { hasTool, run } from "../support/tools.ts";

/** Set to `keep`: nothing is installed. */
const VARIABLE = "TSLOSETUP_TEST_PACKAGES";
const APT_GET = ["apt-get", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600"];
/** A mirror may change between the two steps. */
const TRIES = 2;

/**
 * Installs what is missing of `packages`.
 *
 * @returns why something is still missing, and what; undefined if nothing is
 */
export async function installPackages(packages: Packages): Promise<string | undefined> {
  if (!hasTool("dpkg-query")) return "the packages for the tests are known for Debian only";
  const wanted = packageNames(packages);
  let missing = await missingOf(wanted);
  if (missing.length === 0) return undefined;
  const obstacle = obstacleToInstalling();
  if (obstacle !== undefined) return `${obstacle}; not installed: ${missing.join(" ")}`;
  for (let tries = 0; tries < TRIES && missing.length > 0; tries++) {
    await apt("update");
    await apt("install", ...missing);
    missing = await missingOf(wanted);
  }
  return missing.length === 0 ? undefined : `apt-get failed; not installed: ${missing.join(" ")}`;
}

function obstacleToInstalling(): string | undefined {
  if (Deno.env.get(VARIABLE) === "keep") return `${VARIABLE} is set to keep`;
  if (!hasTool("apt-get")) return "no apt-get";
  if (Deno.uid() !== 0) return "only root can install packages";
  return undefined;
}

async function missingOf(wanted: readonly string[]): Promise<string[]> {
  const format = "${Package} ${db:Status-Status}\n";
  const { stdout } = await run("dpkg-query", "--show", `--showformat=${format}`, ...wanted);
  return missingIn(stdout, wanted);
}

/** The packages that `dpkg-query` does not call installed. */
export function missingIn(text: string, wanted: readonly string[]): string[] {
  const installed = new Set(
    text.split("\n").flatMap((line) => /^(\S+) installed$/.exec(line)?.[1] ?? []),
  );
  return wanted.filter((name) => !installed.has(name));
}

async function apt(...words: readonly string[]): Promise<void> {
  const [program = "", ...args] = [...APT_GET, ...words];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await new Deno.Command(program, { args, env, stdin: "null" }).spawn().status;
}
