/**
 * The C library: the functions of libc_symbols.ts, opened as they are needed.
 *
 * Nothing is opened at import: `--help` and usage errors need no FFI. And each function is looked up by
 * its first call, and opened only if it is called often, for that takes 0.2 ms: Deno compiles machine code
 * for it. All of them together would take half as long again as a whole run of `tslosetup -l`.
 *
 * @module
 */
import { ColdCalls } from "./cold_calls.ts";
import { HOT_NAMES, hotCalls } from "./hot_calls.ts";
import { type Libc, SYMBOLS, type Symbols } from "./libc_symbols.ts";

let library: Library | undefined;
let errnoLocation: Int32Array | undefined;

/**
 * The C library of this thread.
 *
 * @throws {Error} where glibc cannot be opened
 */
export function libc(): Libc {
  return (library ?? openLibrary()).calls;
}

/**
 * Error number of this thread's last failed call; ask at once, before any other call.
 *
 * Even so it is, very rarely, another call's: the runtime's own, which collects garbage or takes over
 * code that has been compiled (seen: ENOENT of /sys/devices/system/cpu/cpu0/tsc_freq_khz, at the first
 * mutex that two threads want). Where a call fails all the time, as one that would have to wait, and
 * anything else would have consequences, that has to be said twice.
 */
export function lastErrno(): number {
  return errnoLocation?.[0] ?? 0;
}

/**
 * Opens what every request needs, before the first of them: it would wait for that, and code that
 * has once called what opens a function is not optimised as well.
 *
 * @throws {Error} where glibc cannot be opened
 */
export function openHotCalls(): void {
  (library ?? openLibrary()).open(HOT_NAMES);
}

/**
 * Opens every function. For tests: Deno takes what is opened during one, and not closed, for a leak.
 *
 * @throws {Error} where glibc cannot be opened
 */
export function openLibc(): void {
  (library ?? openLibrary()).open(NAMES);
}

type Name = keyof Symbols;
type AnyFunction = (...args: unknown[]) => unknown;

const NAMES = Object.keys(SYMBOLS) as Name[];
/** So many calls of a function that is not open cost as much as opening it. */
const COLD_CALLS = 50;

/** A table of functions, each of which is looked up when it is first called. */
class Library {
  readonly calls: Libc;
  readonly #table: Partial<Record<Name, AnyFunction>> = {};
  readonly #unopened = new Set<Name>(NAMES);
  readonly #hot: Partial<Record<Name, (call: never) => unknown>> = hotCalls();
  readonly #cold = new ColdCalls();

  constructor() {
    for (const name of NAMES) this.#table[name] = (...args) => this.#findAndCall(name, args);
    this.calls = this.#table as unknown as Libc;
  }

  /** Opens those of the functions that are not open yet. */
  open(names: readonly Name[]): void {
    const wanted = names.filter((name) => this.#unopened.delete(name));
    if (wanted.length === 0) return;
    const definitions = Object.fromEntries(wanted.map((name) => [name, SYMBOLS[name]]));
    const { symbols } = Deno.dlopen("libc.so.6", definitions);
    for (const name of wanted) {
      const call = symbols[name] as never;
      this.#table[name] = (this.#hot[name]?.(call) ?? call) as AnyFunction;
    }
  }

  #findAndCall(name: Name, args: unknown[]): unknown {
    const call = this.#cold.of(name, SYMBOLS[name]);
    if (call === undefined) return this.#openAndCall(name, args);
    let calls = 0;
    this.#table[name] = (...more) =>
      ++calls < COLD_CALLS ? call(...more) : this.#openAndCall(name, more);
    return call(...args);
  }

  #openAndCall(name: Name, args: unknown[]): unknown {
    this.open([name]);
    return this.#table[name]?.(...args);
  }
}

function openLibrary(): Library {
  library = new Library();
  // Looked up now: doing it after a failed call could change the very number that is asked for.
  errnoLocation = int32At(library.calls.__errno_location());
  return library;
}

function int32At(address: bigint): Int32Array {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new Error("libc has no errno");
  return new Int32Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 4));
}
