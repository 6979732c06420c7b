/**
 * Words for completions that only the program knows: a shell asks for them while somebody types.
 * Nothing is complained about or cleared up meanwhile; what cannot be found out is not offered.
 *
 * @module
 */
import { type AttachState, isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import type { SnapshotInfo } from "../image/info.ts";
import { print } from "../sys/console.ts";
import { safeText } from "../sys/safe_text.ts";
import type { CompletionKind } from "./docs/shells.ts";

/** A word and what it stands for. */
interface Offer {
  readonly word: string;
  readonly help: string;
}

export interface CompletionRequest {
  readonly kind: string;
  /** The image whose snapshots are asked for. */
  readonly image: string;
  /** XDG_RUNTIME_DIR. */
  readonly runtimeDirectory: string | undefined;
}

const OFFERS: Readonly<Record<CompletionKind, (request: CompletionRequest) => Promise<Offer[]>>> = {
  devices: ({ runtimeDirectory }) => devices(runtimeDirectory),
  snapshots: ({ image }) => snapshotsIn(image),
};

/**
 * Prints what can be completed, each on a line with a tab before its explanation.
 *
 * @returns the exit code: 1 if nothing can be found out
 */
export async function complete(request: CompletionRequest): Promise<number> {
  try {
    const offers = await OFFERS[request.kind as CompletionKind](request);
    const lines = offers.filter(isTypable).map(({ word, help }) => `${word}\t${safeText(help)}\n`);
    print(lines.join(""));
    return 0;
  } catch (error) {
    if (error instanceof Error) return 1;
    throw error;
  }
}

/** A word that could do something to a terminal is not offered, nor one of several lines. */
function isTypable({ word }: Offer): boolean {
  return word !== "" && safeText(word) === word;
}

async function devices(runtimeDirectory: string | undefined): Promise<Offer[]> {
  const { allDevices, isSocket } = await import("./listing/devices.ts");
  // A socket goes with its daemon, a device may not.
  const isThere = (state: AttachState): boolean => !isSocket(state) || !isStale(state);
  const states = new StateStore(stateDirectory(runtimeDirectory)).all().filter(isThere);
  return allDevices(states).map((device) => ({
    word: device.cell("NAME") ?? "",
    help: device.cell("BACK-FILE") ?? "",
  }));
}

async function snapshotsIn(path: string): Promise<Offer[]> {
  const { inspect } = await import("../disk/inspect.ts");
  const anyFormat = { format: "auto", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };
  const request = { ...anyFormat, noBacking: true };
  const { images: [image] } = inspect(path, { request, ignoreLocks: true });
  const snapshots = image?.info.snapshots ?? [];
  return snapshots.map((snapshot) => offerOf(snapshot, snapshots));
}

/** The name, if it can be typed and means this snapshot: an identifier counts before a name. */
function offerOf(snapshot: SnapshotInfo, all: readonly SnapshotInfo[]): Offer {
  const { id, name, dateSeconds } = snapshot;
  const isUnclear = all.some((other) =>
    other.id === name || (other !== snapshot && other.name === name)
  );
  const day = new Date(dateSeconds * 1000).toISOString().slice(0, "2026-01-01".length);
  return isTypable({ word: name, help: "" }) && !isUnclear
    ? { word: name, help: `snapshot ${id} of ${day}` }
    : { word: id, help: `${name} of ${day}` };
}
