/**
 * Modules that are loaded when they are needed: of twenty formats, a program that is started for one image
 * has to read, compile and keep in memory only the code of that.
 *
 * Unlike `import()`, this waits for nothing: where an image is opened, no other code may run in between.
 * Out of a bundle, that is. Run from sources, all of them are loaded as the program starts: Deno 2.7
 * sometimes waits for ever for files that `require()` has it read.
 *
 * @module
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { isBundle, moduleUrl } from "./module_url.ts";

/**
 * What `require` takes for the module that asks. A package.json beside that is looked for, or in the
 * folders above: only root may write to this one, and none of these modules' names ends in .js, for which
 * one would be looked for beside the module, in a folder that everybody may make in /tmp.
 */
const ASKING = "/tslosetup";

/**
 * A function that loads a module when it is first called, if it has not been by then. It is the same one
 * that `import` gives.
 *
 * @param path below the sources' folder, without `.ts`; one that is an entry of the bundle (deno.json)
 */
export async function lateModule<M>(path: string): Promise<() => M> {
  let loaded: M | undefined = isBundle ? undefined : await import(moduleUrl(path).href);
  return () => loaded ??= load(path) as M;
}

function load(path: string): unknown {
  return createRequire(ASKING)(fileURLToPath(moduleUrl(path)));
}
