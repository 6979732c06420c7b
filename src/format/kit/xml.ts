/**
 * XML, as far as descriptions of disks use it: elements and their text. Attributes, comments and processing
 * instructions say nothing there.
 *
 * @module
 */

/** An element. */
export interface XmlElement {
  readonly name: string;
  /** What is between its tags, without that of other elements. */
  readonly text: string;
  readonly elements: readonly XmlElement[];
}

const MAX_DEPTH = 32;

/** What ends with something else than a tag does. */
const ENDS = [["<!--", "-->"], ["<?", "?>"]] as const;
/** What a tag begins with: of an end, or of a beginning. */
const NAME = /^(\/?)([A-Za-z_][\w.-]*)/;

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&amp;": "&",
  "&quot;": '"',
  "&apos;": "'",
};

/** An element whose end has not come. */
interface Level {
  readonly name: string;
  text: string;
  readonly elements: XmlElement[];
}

/**
 * The one element that a document is.
 *
 * @throws {RangeError} if it is none
 */
export function parseXml(document: string): XmlElement {
  const root: Level = { name: "", text: "", elements: [] };
  const levels = [root];
  for (let at = 0; at < document.length;) {
    const start = document.indexOf("<", at);
    const level = levels.at(-1) ?? root;
    level.text += document.slice(at, start < 0 ? document.length : start);
    if (start < 0) break;
    at = endOfMarkup(document, start);
    const markup = document.slice(start + 1, at - 1);
    const [, slash, name] = NAME.exec(markup) ?? [];
    if (name === undefined) continue;
    if (slash === "/") endLevel(levels, name);
    else if (markup.endsWith("/")) level.elements.push({ name, text: "", elements: [] });
    else if (levels.length === MAX_DEPTH) {
      throw new RangeError("its elements are nested too deeply");
    } else levels.push({ name, text: "", elements: [] });
  }
  const [only, more] = root.elements;
  if (levels.length > 1) throw new RangeError(`<${shown(levels.at(-1)?.name)}> has no end`);
  if (only === undefined || more !== undefined) throw new RangeError("it is not one element");
  return only;
}

/** Where a tag, a comment or an instruction ends that begins at `start`; looks at nothing twice. */
function endOfMarkup(document: string, start: number): number {
  const end = ENDS.find(([begin]) => document.startsWith(begin, start))?.[1] ?? ">";
  const at = document.indexOf(end, start);
  if (at < 0) throw new RangeError(`what begins with ${shown(document.slice(start))} has no end`);
  return at + end.length;
}

function endLevel(levels: Level[], name: string): void {
  const level = levels.length > 1 ? levels.pop() : undefined;
  if (level?.name !== name) throw new RangeError(`</${shown(name)}> ends nothing`);
  const text = level.text.replace(/&\w+;/g, (entity) => ENTITIES[entity] ?? entity).trim();
  levels.at(-1)?.elements.push({ name, text, elements: level.elements });
}

function shown(name = ""): string {
  return name.slice(0, 20);
}

/** All elements of that name within another one. */
export function elementsNamed({ elements }: XmlElement, name: string): readonly XmlElement[] {
  return elements.filter((element) => element.name === name);
}

/** What the first element says that is found by these names, one within the other; undefined if there is none. */
export function textAt(element: XmlElement, ...names: readonly string[]): string | undefined {
  let at: XmlElement | undefined = element;
  for (const name of names) at = at?.elements.find((inner) => inner.name === name);
  return at?.text;
}
