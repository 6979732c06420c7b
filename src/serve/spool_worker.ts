/**
 * Entry of a thread that decompresses a file as a whole, for all others to read. It ends when it has.
 *
 * @module
 */
import { fillSpool } from "../format/kit/spool/fill.ts";
import type { FillTask } from "../image/arriving.ts";
import { ImageFile } from "../storage/image_file.ts";
import { SpoolFile } from "../storage/spool_file.ts";
import { LentFd } from "../sys/files.ts";
import { Log } from "../sys/log.ts";
import { reasonOf } from "../sys/reason.ts";
import { forgetStartupPages } from "../sys/startup_memory.ts";

/** Whoever reads what is missing is told of an error, but not of which. */
function fill({ source, spool, ...job }: FillTask): void {
  try {
    forgetStartupPages();
    const { sizeBytes } = source;
    fillSpool(job, {
      source: new ImageFile(new LentFd(source.fd), source.path, { sizeBytes }),
      spool: new SpoolFile(new LentFd(spool.fd), spool.path, spool.progress),
    });
  } catch (error) {
    new Log(source.path).error(reasonOf(error));
  }
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<FillTask>) => void;
  close(): void;
};
scope.onmessage = (event) => {
  fill(event.data);
  scope.close();
};
