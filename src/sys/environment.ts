/**
 * Variables of the environment.
 *
 * @module
 */

/** A variable's text; one that is no text counts as not set. */
export function environment(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch {
    return undefined;
  }
}
