/**
 * Tracing to standard error, for whoever has to find out what went on: TSLOSETUP_DEBUG names topics,
 * or `all`, with commas between them.
 *
 *     # TSLOSETUP_DEBUG=kernel tslosetup -d /dev/loop0
 *     4711: tslosetup: kernel: ioctl LOOP_CLR_FD 0 on /dev/loop0: 0
 *
 * @module
 */
import { safeText } from "./safe_text.ts";
import { encodeText } from "./text.ts";

const VARIABLE = "TSLOSETUP_DEBUG";
const EVERYTHING = "all";

/** What can be traced: decisions of the command, calls to the kernel, what daemons answer. */
export const TRACE_TOPICS = ["cli", "kernel", "daemon"] as const;

export type TraceTopic = typeof TRACE_TOPICS[number];

let wanted: ReadonlySet<TraceTopic> | undefined;

/** Prints what `text` returns, which is only asked where the topic is wanted. Never fails. */
export function trace(topic: TraceTopic, text: () => string): void {
  wanted ??= parseTraceTopics(variable());
  if (!wanted.has(topic)) return;
  try {
    Deno.stderr.writeSync(
      encodeText(`${Deno.pid}: tslosetup: ${topic}: ${safeText(text())}\n`),
    );
  } catch (error) {
    // Standard error may be closed; a trace is no reason to fail.
    if (!(error instanceof Error)) throw error;
  }
}

/** The topics in the variable's text; words that are none are overlooked. */
export function parseTraceTopics(text: string): ReadonlySet<TraceTopic> {
  const words = text.toLowerCase().split(/[\s,]+/);
  return new Set(
    TRACE_TOPICS.filter((topic) => words.includes(topic) || words.includes(EVERYTHING)),
  );
}

/** A variable that may not be read, or is no text, counts as not set. */
function variable(): string {
  try {
    return Deno.env.get(VARIABLE) ?? "";
  } catch (error) {
    if (error instanceof Error) return "";
    throw error;
  }
}
