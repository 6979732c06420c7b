/** Version of this program, as in deno.json. */
export const VERSION = "0.1.0";
/** The day of that version, for its man page. */
export const RELEASE_DATE = "2026-11-23";
