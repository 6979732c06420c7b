// @ts-types="../support/std_assert.d.ts"
import { assert } from "@std/assert";
import { buildNamingImage } from "../format/qcow/image_builder.ts";
import { rootTest } from "../support/tools.ts";
import { type Case, checkAsNobody, checkAsRoot, type Place } from "./refusals.ts";

const QCOW = ["--file-fmt-type", "QCOW"];

/** An image with the name of a backing file of the format raw. */
function over(backing: string, backingFormat = "raw"): Case["words"] {
  return ({ file }) => [...QCOW, file("top", buildNamingImage({ backing, backingFormat }))];
}

/** As {@link over}, by an image that is not the user's own. */
function foreignOver(backing: (place: Place) => string): Case["words"] {
  return (place) => {
    const bytes = buildNamingImage({ backing: backing(place), backingFormat: "raw" });
    const path = place.file("top", bytes);
    Deno.chmodSync(path, 0o666);
    return [...QCOW, path];
  };
}

function pipe({ folder }: Place): string {
  const path = `${folder}/pipe`;
  assert(new Deno.Command("mkfifo", { args: ["-m", "666", path] }).outputSync().success);
  return path;
}

const CHAIN_CASES: readonly Case[] = [
  {
    name: "a missing backing file",
    words: over("missing"),
    says: /top: .*\/missing \(backing file of .*\/top\): No such file or directory/,
  },
  { name: "a backing file that is itself", words: over("top", "qcow2"), says: /is a loop/ },
  {
    name: "a loop of backing files",
    words: (place) => {
      place.file("next", buildNamingImage({ backing: "top", backingFormat: "qcow2" }));
      return over("next", "qcow2")(place);
    },
    says: /\/top \(backing file of .*\/next\): the chain of images is a loop/,
  },
  {
    name: "a backing file without a format",
    words: ({ file }) => [...QCOW, file("top", buildNamingImage({ backing: "base" }))],
    says: /\/base \(backing file of .*--backing-fmt/,
  },
  {
    name: "a backing file of an unknown format",
    words: over("base", "quorum"),
    says: /quorum images are not supported/,
  },
  {
    name: "a backing file that is not what it should be",
    words: (place) => {
      place.file("base", new Uint8Array(4096));
      return over("base", "qcow2")(place);
    },
    says: /\/base \(backing file of .*this is no QCOW image/,
  },
  {
    name: "a backing file that is a pipe",
    words: (place) => over(pipe(place))(place),
    says: /pipe \(backing file of .*Block device required/,
  },
  {
    name: "a backing file that is a device without an end",
    words: over("/dev/zero"),
    says: /zero \(backing file of .*Block device required/,
  },
  { name: "a backing file that is a folder", words: over("."), says: /Is a directory/ },
  { name: "a backing file on the network", words: over("nbd://host/"), says: /protocol 'nbd'/ },
  {
    name: "a backing file with a name as long as can be",
    words: over("x".repeat(1023)),
    says: /File name too long/,
  },
  {
    name: "a backing file with a name of control characters",
    words: over("a\nb\x1b[2J"),
    says: /a\\x0ab\\x1b\[2J \(backing file of /,
  },
  {
    name: "a backing file with a JSON bomb for a name",
    words: over(`json:${'{"file":'.repeat(127)}`),
    says: /not a valid JSON object/,
  },
  {
    name: "a backing file with a deep name",
    words: over(`json:${'{"file":'.repeat(110)}1${"}".repeat(110)}`),
    says: /is not supported/,
  },
  {
    name: "a backing file elsewhere",
    words: foreignOver(() => "/etc/hostname"),
    says: /not allowed: .*\(--allow-backing \/etc\/hostname allows it\)/,
  },
  {
    name: "a backing file elsewhere by a link",
    words: foreignOver(({ folder }) => {
      Deno.symlinkSync("/etc/passwd", `${folder}/link`);
      return "link";
    }),
    says: /link \(backing file of .*: not allowed: .*\/etc\/passwd/,
  },
  {
    name: "a backing file that not everybody may read, by an image that everybody may write to",
    words: foreignOver(({ file }) => {
      Deno.chmodSync(file("base", new Uint8Array(4096)), 0o600);
      return "base";
    }),
    says:
      /not allowed: .*, and not all who could have named .*\/base may read it \(--allow-backing/,
  },
  {
    name: "a data file elsewhere",
    words: ({ file }) => {
      const path = file("top", buildNamingImage({ dataFile: "/etc/passwd" }));
      Deno.chmodSync(path, 0o666);
      return [...QCOW, path];
    },
    says: /\/etc\/passwd \(data file of .*: not allowed/,
  },
  {
    name: "an allowed folder that is missing",
    words: (place) => ["--allow-backing", `${place.folder}/missing`, ...over("x")(place)],
    says: /missing: No such file or directory/,
  },
];

/** For users whom permissions hold back. */
const CHAIN_CASES_OF_NOBODY: readonly Case[] = [
  {
    name: "an unreadable backing file",
    words: (place) => {
      Deno.chmodSync(place.file("base", new Uint8Array(4096)), 0);
      return over("base")(place);
    },
    says: /base \(backing file of .*Permission denied/,
  },
  {
    name: "another user's image that names a file elsewhere",
    words: ({ folder }) => {
      const path = `${folder}/foreign`;
      Deno.writeFileSync(
        path,
        buildNamingImage({ backing: "/etc/hostname", backingFormat: "raw" }),
      );
      return [...QCOW, path];
    },
    says: /not allowed: .*--allow-backing \/etc\/hostname/,
  },
];

Deno.test("tslosetup refuses bad names in images in one line, as root", async (t) => {
  await checkAsRoot(t, CHAIN_CASES);
});

rootTest(
  "tslosetup refuses bad names in images in one line, as nobody",
  ["setpriv"],
  async (t) => {
    await checkAsNobody(t, [...CHAIN_CASES, ...CHAIN_CASES_OF_NOBODY]);
  },
);
