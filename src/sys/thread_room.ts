/**
 * Whether there is room for one more thread of the runtime. That threads are too many, the runtime
 * says. Not so what is asked here: without room for its heap the whole program ends, and where standard
 * output cannot be duplicated, Deno 2.7 closes it, whose number the next client then gets.
 *
 * @module
 */
import { O_RDONLY, openFile } from "./files.ts";
import { reservePages, returnPages } from "./pages.ts";
import { duplicate } from "./sockets.ts";

/** A thread takes 11 descriptors while it starts; other threads may take some at the same time. */
const DESCRIPTORS = 32;
/** A thread reserves 850 MiB of addresses, of which it uses a small part. */
const ADDRESS_BYTES = 1024 * 1024 * 1024;

/** @throws {SystemError} EMFILE, ENFILE or ENOMEM if there is none */
export function requireThreadRoom(): void {
  returnPages(reservePages(ADDRESS_BYTES), ADDRESS_BYTES);
  using descriptors = new DisposableStack();
  const { number } = descriptors.use(openFile("/dev/null", O_RDONLY));
  for (let n = 1; n < DESCRIPTORS; n++) descriptors.use(duplicate(number));
}
