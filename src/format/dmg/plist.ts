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

/** An element that has begun, and where it is in the list. */
interface Level {
  readonly name: string;
  /** Names of all values down to this one, each with a slash in front. */
  readonly path: string;
  /** The key that was last among its items: it names the next one. */
  key: string;
}

/** A tag, or what looks like one; comments and the like may have others in them. */
const TAG = /<(?:!--[^]*?--|\?[^]*?\?|![^>]*|(\/?)([A-Za-z][\w.-]*)[^<>]*?(\/?))>/g;

/**
 * The contents of the data that tables are in.
 *
 * @throws {RangeError} if this is no property list
 */
export function* tablesIn(text: string): Generator<Uint8Array<ArrayBuffer>> {
  const levels: Level[] = [];
  let textStart = 0;
  for (const { 0: tag, 1: slash, 2: name, 3: isEmpty, index } of text.matchAll(TAG)) {
    if (name === undefined) continue;
    if (slash === "") {
      if (isEmpty !== "") continue;
      if (levels.length === MAX_DEPTH) throw new RangeError("its elements are nested too deeply");
      levels.push(levelIn(levels.at(-1), name));
      textStart = index + tag.length;
      continue;
    }
    const level = levels.pop();
    if (level?.name !== name) throw new RangeError(`</${name.slice(0, 20)}> ends nothing`);
    const above = levels.at(-1);
    if (name === "key" && above !== undefined) above.key = text.slice(textStart, index);
    if (name === "data" && level.path === WANTED) yield decoded(text.slice(textStart, index));
  }
  if (levels.length > 0) throw new RangeError(`<${levels.at(-1)?.name.slice(0, 20)}> has no end`);
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
