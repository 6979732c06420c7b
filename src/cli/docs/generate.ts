/**
 * What is installed beside the program: its man page and completions, for `install.sh` and packagers.
 *
 * @module
 */
import { print } from "../../sys/console.ts";
import { UsageError } from "../words/usage_error.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { mountHelper, umountHelper } from "./system/mount_helper.ts";
import { serviceTemplate, unitGenerator } from "./system/units.ts";
import { manPage } from "./man_page.ts";
import { zshCompletion } from "./zsh.ts";

const GENERATORS: Readonly<Record<string, () => string>> = {
  man: manPage,
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
  "mount-page": pageElsewhere,
  "table-page": pageElsewhere,
  service: serviceTemplate,
  generator: unitGenerator,
  mount: mountHelper,
  umount: umountHelper,
};

/**
 * Prints the man page (`man`), the completions for a shell (`bash`, `zsh`, `fish`), or what the system is told:
 * systemd (`service`, `generator`) mount(8) and umount(8)
 * (`mount`, `umount`).
 *
 * @returns the exit code
 */
export function generate(kind: string): number {
  print(generated(kind));
  return 0;
}

/** @throws {UsageError} if there is no such document */
export function generated(kind: string): string {
  const generator = GENERATORS[kind];
  if (generator === undefined) {
    throw new UsageError(`cannot make '${kind}'; known: ${Object.keys(GENERATORS).join(", ")}`);
  }
  return generator();
}

/** Of mount.tslosetup(8) and tslosetuptab(5), which are told of in the man page of the program. */
function pageElsewhere(): string {
  return ".so man8/tslosetup.8\n";
}
