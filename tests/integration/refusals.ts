/**
 * Command lines that have to fail, and the check that they do so well: one line on standard error,
 * and nothing left behind.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/patience.ts";
import { asRoot, exists, Nobody, statesIn, type Surroundings } from "../support/program.ts";
import { TempDirectory } from "../support/tools.ts";

const NOBODY = 65534;

/** Where a case makes its files. */
export interface Place {
  readonly folder: string;
  /** Makes a file that the user of the case owns; returns its path. */
  file(name: string, content?: Uint8Array): string;
}

/** A command line that has to fail. */
export interface Case {
  readonly name: string;
  /** The words after `--socket PATH`, whose last one is the image. */
  readonly words: (place: Place) => string[];
  /** The socket's path, if that is what is wrong. */
  readonly socket?: (place: Place) => string;
  readonly says: RegExp;
}

/** Checks the cases as the superuser. */
export async function checkAsRoot(t: Deno.TestContext, cases: readonly Case[]): Promise<void> {
  await checkCases(t, asRoot(), cases, ({ path }) => ({
    folder: path,
    file: (name, content = new Uint8Array()) => {
      Deno.writeFileSync(`${path}/${name}`, content);
      return `${path}/${name}`;
    },
  }));
}

/** Checks the cases as a user without rights, who owns the folder and the files. */
export async function checkAsNobody(t: Deno.TestContext, cases: readonly Case[]): Promise<void> {
  using nobody = new Nobody();
  await checkCases(t, nobody.program, cases, ({ path }) => {
    Deno.chownSync(path, NOBODY, NOBODY);
    return {
      folder: path,
      file: (name, content = new Uint8Array()) => {
        Deno.writeFileSync(`${path}/${name}`, content);
        Deno.chownSync(`${path}/${name}`, NOBODY, NOBODY);
        return `${path}/${name}`;
      },
    };
  });
}

async function checkCase(program: Surroundings, place: Place, bad: Case): Promise<void> {
  const words = bad.words(place);
  const socket = bad.socket?.(place) ?? `${place.folder}/socket`;
  const wasThere = exists(socket);
  const before = wasThere && Deno.statSync(socket).isFile ? Deno.readFileSync(socket) : undefined;
  const { code, stdout, stderr } = await program.run("--socket", socket, ...words);
  assertEquals([code, stdout], [1, ""], stderr);
  assertMatch(stderr, /^tslosetup: [^\n]+\n$/);
  assertMatch(stderr, bad.says);
  assertEquals(exists(socket), wasThere);
  if (before !== undefined) assertEquals(Deno.readFileSync(socket), before);
  await eventually(() => program.processes().length === 0, "all processes to end");
  assert(!statesIn(program.stateDirectory).some(({ device }) => device === socket));
}

async function checkCases(
  t: Deno.TestContext,
  program: Surroundings,
  cases: readonly Case[],
  place: (folder: TempDirectory) => Place,
): Promise<void> {
  for (const bad of cases) {
    await t.step(bad.name, async () => {
      using folder = new TempDirectory();
      await checkCase(program, place(folder), bad);
    });
  }
}
