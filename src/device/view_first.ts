/**
 * A view of an image where there can be one, else a server of it.
 *
 * Nothing is remembered of what the kernel can: each attach tries anew, and what a view lacks shows
 * before anything is made, mostly.
 *
 * @module
 */
import type { ServedTransport } from "../daemon/served_transport.ts";
import { reasonOf } from "../sys/reason.ts";
import { type Attached, type AttachRequest, PassphraseNeededError } from "./attach_common.ts";
import { attacherOf } from "./attachers.ts";
import type { ReasonedTransport } from "./choose_transport.ts";
import { attachView } from "./view_attach.ts";

/** What to do for {@link attachViewFirst}. */
export interface ViewFirst {
  /** Why a view was taken, if it was. */
  readonly view: ReasonedTransport;
  /** Says what to take else. */
  readonly otherwise: () => ReasonedTransport<ServedTransport>;
  /** Is told what is taken, before a server is started. */
  readonly tell: (chosen: ReasonedTransport) => void;
}

/**
 * Attaches an image as a view, or over a server: what is in the way of a view may be none for that, and
 * if it is one, the server says so.
 *
 * @throws {Error} if neither can be; nothing is left behind then
 */
export async function attachViewFirst(
  request: AttachRequest,
  { view, otherwise, tell }: ViewFirst,
): Promise<Attached> {
  const attached = viewIfPossible(request);
  if (!(attached instanceof Error)) {
    tell(view);
    return attached;
  }
  const { transport, why } = otherwise();
  tell({ transport, why: `${why}; no view: ${reasonOf(attached)}` });
  return (await attacherOf(transport))(request);
}

/** What is in its way, if it cannot be. A server would ask for the passphrase, too. */
function viewIfPossible(request: AttachRequest): Attached | Error {
  try {
    return attachView(request);
  } catch (error) {
    if (error instanceof Error && !(error instanceof PassphraseNeededError)) return error;
    throw error;
  }
}
