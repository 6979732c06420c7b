/**
 * What is wanted of a property list: the data of its tables. It is XML, of which such lists use little:
 *
 *     <plist><dict>
 *       <key>resource-fork</key> <dict>
 *         <key>blkx</key> <array>
 *           <dict> <key>Data</key> <data>base64</data> ... </dict> ...
 *
 * No tree is made of it: it can be long, and the rest means nothing here.
 *
 * @module
 */

/** Where tables are: an item of an array has no name. */
const WANTED = "/resource-fork/blkx//Data";
/** Lists have five levels. */
const MAX_DEPTH = 32;
/** Lists of a disk with a hundred partitions have some thousands. */
const MAX_TAGS = 500_000;

/** An element that has begun, and where it is in the list. */
interface Level {
  readonly name: string;
  /** Names of all values down to this one, each with a slash in front. */
  readonly path: string;
  /** The key that was last among its items: it names the next one. */
  key: string;
}

/** Longest tag: elements of such lists have no attributes but for a version. */
const MAX_TAG_CHARACTERS = 256;
const TAG = /^(\/?)([A-Za-z][\w.-]*)\s*(?:\s[^]*?)?(\/?)$/;

/** What is no element: how it begins, and how it ends. */
const OTHERS: readonly (readonly [start: string, end: string])[] = [
  ["<!--", "-->"],
  ["<?", "?>"],
  ["<!", ">"],
];

/** One tag. */
interface Tag {
  readonly name: string;
  readonly kind: "start" | "end" | "empty";
  /** Where it is in the text. */
  readonly from: number;
  readonly to: number;
}

/**
 * The contents of the data that tables are in.
 *
 * @throws {RangeError} if this is no property list
 */
export function* tablesIn(text: string): Generator<Uint8Array<ArrayBuffer>> {
  const levels: Level[] = [];
  let textStart = 0;
  for (const { name, kind, from, to } of tagsOf(text)) {
    if (kind === "empty") continue;
    if (kind === "start") {
      if (levels.length === MAX_DEPTH) throw new RangeError("its elements are nested too deeply");
      levels.push(levelIn(levels.at(-1), name));
      textStart = to;
      continue;
    }
    const level = levels.pop();
    if (level?.name !== name) throw new RangeError(`</${name}> ends nothing`);
    const above = levels.at(-1);
    if (name === "key" && above !== undefined) above.key = keyOf(text, textStart, from);
    if (name === "data" && level.path === WANTED) yield decoded(text.slice(textStart, from));
  }
  if (levels.length > 0) throw new RangeError(`<${levels.at(-1)?.name}> has no end`);
}

/** Every character is looked at once: lists can be long, and made by anybody. */
function* tagsOf(text: string): Generator<Tag> {
  let to = 0;
  let count = 0;
  for (let from = text.indexOf("<"); from >= 0; from = text.indexOf("<", to)) {
    if (++count > MAX_TAGS) throw new RangeError("it has too many elements");
    const other = OTHERS.find(([start]) => text.startsWith(start, from));
    const [start, end] = other ?? ["<", ">"];
    const last = text.indexOf(end, from + start.length);
    if (last < 0) throw new RangeError("a tag in it has no end");
    to = last + end.length;
    if (other === undefined) yield { ...tagOf(text.slice(from + 1, last)), from, to };
  }
}

function tagOf(text: string): Pick<Tag, "name" | "kind"> {
  const [, slash, name, isEmpty] = text.length > MAX_TAG_CHARACTERS ? [] : TAG.exec(text) ?? [];
  if (name === undefined) throw new RangeError("a tag in it is none");
  return { name, kind: slash !== "" ? "end" : isEmpty !== "" ? "empty" : "start" };
}

/** Keys that are longer than any are not those that are looked for. */
function keyOf(text: string, start: number, end: number): string {
  return text.slice(start, Math.min(end, start + MAX_TAG_CHARACTERS));
}

function levelIn(above: Level | undefined, name: string): Level {
  if (above === undefined || name === "plist" || above.name === "plist") {
    return { name, path: "", key: "" };
  }
  const isNamed = above.name === "dict";
  return { name, path: `${above.path}/${isNamed ? above.key : ""}`, key: "" };
}

function decoded(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    throw new RangeError("a table in it is not in base64");
  }
}
