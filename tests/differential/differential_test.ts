/**
 * Both programs on this machine's kernel: the same command lines, in the same surroundings, have to
 * have the same effects. Without a binary to test, only a part of them, for each start takes long.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertNotEquals } from "@std/assert";
import { deviceTest } from "../device/fuse/device.ts";
import { patiently } from "../support/patience.ts";
import { isCompiled, programCommand } from "../support/program.ts";
import { MountNamespace, NAMESPACE_TOOLS, WITHOUT_SYSFS } from "../support/mount_namespace.ts";
import { run, testIfPossible } from "../support/tools.ts";
import { DIFFERENCES } from "./differences.ts";
import { type Row } from "./row.ts";
import { LIST_ROWS } from "./rows_list.ts";
import { LATER_ROWS } from "./rows_later.ts";
import { CHANGE_ROWS } from "./rows_change.ts";
import { REFUSAL_ROWS, SETUP_ROWS } from "./rows_setup.ts";
import { WRONG_ROWS } from "./rows_wrong.ts";
import { type Outcome, Stage } from "./stage.ts";

const ORACLE = "util-linux 2.38.1";
/** By then it waits. */
const HANGING_ORACLE = ["timeout", "2", "losetup"];
/** What losetup does not say, on kernels that read no partition tables (differences.ts). */
const PARTITION_WARNING = /^PROGRAM: parts: warning: no partitions: the kernel makes nothing .*\n/m;
const SAMPLE_WITHOUT_BINARY = 8;
const SAMPLE_WITHOUT_SYSFS = 2;

const TABLES: Readonly<Record<string, readonly Row[]>> = {
  "wrong uses": WRONG_ROWS,
  "setting up": SETUP_ROWS,
  "wrong files and devices, overlaps": REFUSAL_ROWS,
  "finding, changing and detaching": CHANGE_ROWS,
  "listing": LIST_ROWS,
};

const hasOracle = await isOracleInstalled();

async function isOracleInstalled(): Promise<boolean> {
  try {
    return (await run("losetup", "--version")).stdout.includes(ORACLE);
  } catch {
    return false;
  }
}

/** The rows to play: one of so many, and fewer without a binary. */
function sample<T>(table: readonly T[], oneOf = 1): T[] {
  const step = isCompiled ? oneOf : SAMPLE_WITHOUT_BINARY * oneOf;
  return table.filter((_, index) => index % step === 0);
}

function title({ line, before = [], held }: Row): string {
  const after = before.length === 0 ? "" : `  (after ${before.join("; ")})`;
  return `${line}${after}${held === undefined ? "" : `  (${held} held open)`}`;
}

async function playBoth(
  stage: Stage,
  row: Row,
  prefix: readonly string[] = [],
): Promise<{ oracle: Outcome; ours: Outcome }> {
  const losetup = row.losetupHangs ? HANGING_ORACLE : patiently("losetup");
  const oracle = await stage.play(row, [...prefix, ...losetup]);
  const ours = await stage.play(row, [...prefix, ...programCommand()]);
  return { oracle, ours: { ...ours, stderr: ours.stderr.replace(PARTITION_WARNING, "") } };
}

if (hasOracle) {
  for (const [name, table] of Object.entries(TABLES)) {
    deviceTest(`as losetup: ${name}`, ["sfdisk", "truncate"], async (t) => {
      await using stage = new Stage();
      for (const row of sample(table)) {
        await t.step(title(row), async () => {
          const { oracle, ours } = await playBoth(stage, row);
          assertEquals(ours, oracle);
        });
      }
    });
  }

  for (const [name, table] of Object.entries(TABLES)) {
    deviceTest(`as losetup without /sys: ${name}`, ["sfdisk", ...NAMESPACE_TOOLS], async (t) => {
      await using stage = new Stage();
      await using chroot = await MountNamespace.make(WITHOUT_SYSFS);
      const prefix = chroot.command(stage.path);
      for (const row of sample(table, SAMPLE_WITHOUT_SYSFS)) {
        await t.step(title(row), async () => {
          const { oracle, ours } = await playBoth(stage, row, prefix);
          assertEquals(ours, oracle);
        });
      }
    });
  }

  deviceTest("unlike losetup, deliberately", ["sfdisk", "truncate"], async (t) => {
    await using stage = new Stage();
    for (const difference of sample(DIFFERENCES)) {
      await t.step(title(difference), async () => {
        const { oracle, ours } = await playBoth(stage, difference);
        assertNotEquals(ours, oracle, "no longer a difference");
        const { code, stdout, stderr } = { ...oracle, ...difference.instead };
        const expected = { code, stdout: stage.word(stdout), stderr, loops: [] };
        assertEquals({ ...ours, loops: [] }, expected);
        if (difference.attached !== undefined) {
          assertEquals(ours.loops.map(({ path }) => path), difference.attached.map(stage.word));
        }
      });
    }
  });

  deviceTest("as the manual of losetup 2.42 says", ["sfdisk", "truncate"], async (t) => {
    await using stage = new Stage();
    for (const row of sample(LATER_ROWS)) {
      await t.step(title(row), async () => {
        const { loops, ...ours } = await stage.play(row, programCommand());
        assertEquals(ours, row.expected, row.words);
        const [loop] = loops;
        if (row.loop === undefined) assertEquals(loops, []);
        else assertEquals({ ...loop, ...row.loop }, loop);
      });
    }
  });
} else {
  testIfPossible({ name: "as losetup", obstacle: `no losetup of ${ORACLE}`, fn: () => {} });
}
