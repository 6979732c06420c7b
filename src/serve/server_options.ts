/**
 * What a server needs to know.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { ImageRequest } from "../disk/request.ts";
import type { KeyRing } from "../image/key_ring.ts";
import type { ErrorLog } from "../loop/failures.ts";
import type { WritePolicy } from "../loop/write_policy.ts";
import type { ServedLayout } from "../view/served_layout.ts";
import type { ThreadedDecodeLane } from "./decode_lane.ts";

export interface ServerOptions {
  readonly access: ImageAccess;
  /** What the image was opened with. */
  readonly decoding: ThreadedDecodeLane;
  /** For other threads to open the image once more. */
  readonly image: ImageRequest;
  /** What opened it, if it is encrypted. */
  readonly keys?: KeyRing;
  /** For the log. */
  readonly imagePath: string;
  readonly log: ErrorLog;
  /** A FUSE file is as long as whole sectors of this size. */
  readonly sectorBytes: number;
  /** As {@link FuseFile.servedLayout}. */
  readonly servedLayout?: ServedLayout;
  /** Threads to use at most, the main one included. */
  readonly threads: number;
  /** Whether the threads of a FUSE session start at once, not only when there is much to do. */
  readonly startAll: boolean;
  readonly maySpin: boolean;
  readonly writePolicy: WritePolicy;
  /** As {@link LoopContext.cleanIntervalMs}. */
  readonly cleanIntervalMs: number;
}
