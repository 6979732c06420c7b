/**
 * Libraries that make things faster where they are installed.
 *
 * @module
 */

/** Opens the first library of `names` that is installed and has all of `symbols`, if one does. */
export function openOptional<const Symbols extends Deno.ForeignLibraryInterface>(
  names: readonly string[],
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols> | undefined {
  for (const name of names) {
    try {
      return Deno.dlopen(name, symbols);
    } catch {
      // another name, or none
    }
  }
  return undefined;
}
