/**
 * Starting threads, from sources as well as from a bundle.
 *
 * @module
 */

/**
 * Starts a thread.
 *
 * @param name of a module in this folder. In a bundle, whose files all lie beside its `serve` but
 *   for the modules that threads begin with, the name ends in .js
 */
export function startThread(name: "worker" | "decode_worker"): Worker {
  const isBundle = import.meta.url.endsWith(".js");
  const module = isBundle ? `./serve/${name}.js` : `./${name}.ts`;
  return new Worker(new URL(module, import.meta.url), { type: "module" });
}
