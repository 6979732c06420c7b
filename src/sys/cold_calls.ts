/**
 * Functions of the C library that are called a few times.
 *
 * What is opened by `Deno.dlopen` gets machine code of its own, which takes 0.2 ms. A pointer is had at
 * a twentieth of that, and called in 4 µs more: starting a daemon calls some seventy functions, most of
 * them once.
 *
 * @module
 */

type Definition = Deno.ForeignFunction;
type AnyFunction = (...args: unknown[]) => unknown;

/** dlfcn.h: all libraries of this process, in the order in which they were loaded. */
const RTLD_DEFAULT = 0;

// The runtime needs that library, which has had the function under this name in all versions of glibc.
const LOOKUP = {
  dlsym: {
    parameters: ["usize", /* void *handle */ "buffer" /* const char *symbol */],
    result: "pointer",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Looks functions up by their names. */
export class ColdCalls {
  readonly #find = Deno.dlopen("libdl.so.2", LOOKUP).symbols.dlsym;
  readonly #encoder = new TextEncoder();

  /** The function of that name; undefined if the process has none. */
  of(name: string, definition: Definition): AnyFunction | undefined {
    const pointer = this.#find(BigInt(RTLD_DEFAULT), this.#encoder.encode(`${name}\0`));
    if (pointer === null) return undefined;
    const typed = pointer as Deno.PointerObject<Definition>;
    const target = new Deno.UnsafeFnPointer<Definition>(typed, definition);
    return target.call.bind(target) as AnyFunction;
  }
}
