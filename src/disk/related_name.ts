/**
 * Names that images record for the files they need: paths, `file:` and `json:` (qemu, block.c:
 * `path_has_protocol`, `parse_json_protocol`; qapi/block-core.json: `BlockdevOptions`).
 *
 *     base.qcow2
 *     file:base.qcow2
 *     json:{"driver":"qcow2","file":{"driver":"file","filename":"base.qcow2"}}
 *     json:{"driver":"qcow2","file.driver":"file","file.filename":"base.qcow2"}
 *
 * @module
 */

/** What a name says. */
export interface RelatedName {
  /** As recorded: absolute, or relative to the folder of the image that names it. */
  readonly path: string;
  /** Format, by qemu's name, if the name says it. */
  readonly format?: string;
}

/** A name that this program cannot follow. */
export class RelatedNameError extends Error {
  override readonly name = "RelatedNameError";
}

/** What the longest path takes (PATH_MAX). Taking a longer name apart could take minutes. */
const MAX_NAME_LENGTH = 4096;
/** Drivers of qemu that take a local file or device as it is. */
const FILE_DRIVERS: readonly string[] = ["file", "host_device"];
/** Options that change nothing of what is read, on any level. */
const HARMLESS =
  /^(file\.)?(node-name|read-only|auto-read-only|force-share|locking|aio|discard|detect-zeroes|cache\.(direct|no-flush))$/;

type Scalar = string | number | boolean | null;

/**
 * Understands a name.
 *
 * @throws {RelatedNameError} if it is no name of a local file, or asks for more than reading one
 */
export function parseRelatedName(name: string): RelatedName {
  if (name.length > MAX_NAME_LENGTH) throw new RelatedNameError("the name is too long");
  // what stands there instead of bytes that are no text: no file has that name
  if (name.includes("\ufffd")) throw new RelatedNameError("the name is not valid UTF-8");
  const related = name.startsWith("json:") ? parseJson(name.slice(5)) : parsePlain(name);
  if (related.path === "") throw new RelatedNameError("the name is empty");
  // JSON can escape what no path can hold, and what would end it
  if (related.path.includes("\0") || !related.path.isWellFormed()) {
    throw new RelatedNameError("the name is no valid path");
  }
  return related;
}

function parsePlain(name: string): RelatedName {
  const protocol = /^([^/:]*):/.exec(name)?.[1];
  if (protocol === undefined) return { path: name };
  if (protocol === "file") return { path: name.slice(5) };
  throw new RelatedNameError(`the protocol '${protocol}' is not supported`);
}

function parseJson(text: string): RelatedName {
  const options = flatten(jsonObject(text));
  const take = (key: string): string | undefined => takeText(options, key);
  const driver = take("driver");
  const direct = take("filename");
  const fileDriver = take("file.driver");
  const below = take("file.filename");
  for (const key of options.keys()) {
    if (!HARMLESS.test(key)) throw new RelatedNameError(`the option '${key}' is not supported`);
  }
  const filename = direct ?? below;
  if (filename === undefined) throw new RelatedNameError("the name says no file");
  if (direct !== undefined && (below !== undefined || fileDriver !== undefined)) {
    throw new RelatedNameError("the name says more than one file");
  }
  const protocol = direct === undefined ? fileDriver : driver;
  if (protocol !== undefined && !FILE_DRIVERS.includes(protocol)) {
    throw new RelatedNameError(`the driver '${protocol}' is not supported there`);
  }
  // taken literally: the protocol is the driver's matter here
  return driver === undefined ? { path: filename } : { path: filename, format: driver };
}

function takeText(options: Map<string, Scalar>, key: string): string | undefined {
  const value = options.get(key);
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw new RelatedNameError(`the option '${key}' is no text`);
  options.delete(key);
  return value;
}

function jsonObject(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(withDoubleQuotes(text));
  } catch {
    // told below: the parser's own words quote the text
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new RelatedNameError("the name is not a valid JSON object");
}

/** qemu takes strings in single quotes, too. */
function withDoubleQuotes(text: string): string {
  return text.replaceAll(
    /"(?:[^"\\]|\\.)*"|'((?:[^'\\]|\\.)*)'/g,
    (whole, single: string | undefined) =>
      single === undefined
        ? whole
        : `"${single.replaceAll("\\'", "'").replaceAll(/\\.|"/g, (c) => c === '"' ? '\\"' : c)}"`,
  );
}

/** Options by dotted key: `{"file":{"driver":"x"}}` and `{"file.driver":"x"}` are the same. */
function flatten(object: object): Map<string, Scalar> {
  const options = new Map<string, Scalar>();
  const rest: [prefix: string, object][] = [["", object]];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const [prefix, level] = next;
    for (const [name, value] of Object.entries(level)) {
      const key = prefix + name;
      if (typeof value === "object" && value !== null) rest.push([`${key}.`, value]);
      else if (options.has(key)) throw new RelatedNameError(`the option '${key}' is given twice`);
      else options.set(key, value);
    }
  }
  return options;
}
