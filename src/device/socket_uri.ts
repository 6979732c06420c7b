/**
 * What an export is called, for NBD clients and for those who attached it: a URI with the socket's path.
 *
 * @module
 */

/** The scheme and what stands before the path (NetworkBlockDevice/nbd, doc/uri.md). */
const BEGINNING = "nbd+unix:///?socket=";

/** The URI that NBD clients take. */
export function socketUri(path: string): string {
  return BEGINNING + encodeURIComponent(path).replaceAll("%2F", "/");
}

/** The path of the socket, of such a URI; any other name as it is. */
export function withoutUri(name: string): string {
  if (!name.startsWith(BEGINNING)) return name;
  try {
    return decodeURIComponent(name.slice(BEGINNING.length));
  } catch (error) {
    // A lone percent sign: no URI of ours.
    if (error instanceof URIError) return name;
    throw error;
  }
}
