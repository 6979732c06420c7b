/**
 * Where modules are that are named while the program runs, in its sources as well as in a bundle.
 *
 * @module
 */

/** Whether this runs out of a bundle. */
export const isBundle = import.meta.url.endsWith(".js");

/**
 * The address of a module by its path below the sources' folder, without the ending of its name. In a
 * bundle, all files lie in one folder, but for these modules, and their names end in .mjs (deno.json).
 */
export function moduleUrl(path: string): URL {
  return new URL(isBundle ? `./${path}.mjs` : `../${path}.ts`, import.meta.url);
}
