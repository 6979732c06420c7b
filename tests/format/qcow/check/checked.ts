/**
 * Images checked by the driver, and by qemu.
 *
 * @module
 */
import { checkQcow } from "../../../../src/format/qcow/check/check.ts";
import type { CheckResult } from "../../../../src/image/checking.ts";
import { checkJson } from "../../../../src/cli/check_texts.ts";
import { ImageFile } from "../../../../src/storage/image_file.ts";
import { O_RDONLY, openFile } from "../../../../src/sys/files.ts";
import { openLibc } from "../../../../src/sys/libc.ts";
import { SECRET_OBJECT } from "../../../support/encrypted.ts";
import { run } from "../../../support/tools.ts";
import type { Original } from "../write/originals.ts";

openLibc();

/** What a check says: an exit code, and numbers as `qemu-img check --output=json` has them. */
export interface Verdict {
  readonly code: number;
  readonly numbers: Readonly<Record<string, unknown>>;
  /** What was told besides. */
  readonly told: string;
}

/** What the driver finds. */
export function checkedByDriver(path: string): Verdict {
  using file = new ImageFile(openFile(path, O_RDONLY), path);
  const lines: string[] = [];
  try {
    const result = checkQcow(file, { repair: "none", report: (line) => lines.push(line) });
    const numbers = JSON.parse(checkJson(path, "qcow2", result));
    return { code: codeOf(result), numbers, told: lines.join("\n") };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { code: 1, numbers: {}, told: error.message };
  }
}

function codeOf({ corruptions, leaks }: CheckResult): number {
  if (corruptions > 0) return 2;
  return leaks > 0 ? 3 : 0;
}

/** What qemu finds. */
export async function checkedByQemu(
  path: string,
  { encryption }: Pick<Original["recipe"], "encryption"> = {},
): Promise<Verdict> {
  const name = encryption === undefined ? ["-f", "qcow2", path] : [
    ...SECRET_OBJECT,
    "--image-opts",
    `driver=qcow2,file.filename=${path},encrypt.key-secret=s`,
  ];
  const { code, stdout, stderr } = await run("qemu-img", "check", "--output=json", ...name);
  const numbers = stdout.startsWith("{") ? JSON.parse(stdout) : {};
  return { code, numbers: { ...numbers, filename: path }, told: stderr };
}
