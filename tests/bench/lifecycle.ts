/**
 * What a server costs apart from requests: the time to attach, and an idle one's memory and
 * processor time.
 *
 * @module
 */
import { setTimeout as delay } from "node:timers/promises";
import { formatTable } from "../../src/cli/listing/table.ts";
import type { Competitor } from "./competitors.ts";
import type { BenchImage } from "./images.ts";
import { fixed } from "./report.ts";
import { usageOf } from "./process_usage.ts";
import { median } from "./stats.ts";

const IDLE_MILLIS = 3000;

/** One server's figures. */
export interface LifeCycle {
  readonly competitor: string;
  /** From the start of the command until clients can connect, in milliseconds. */
  readonly attachMillis: number;
  readonly idleResidentBytes: number;
  /** Share of one processor, from 0 to 1. */
  readonly idleCpu: number;
}

/** Starts and stops every server `rounds` times, alternately. */
export async function measureLifeCycles(
  image: BenchImage,
  competitors: readonly Competitor[],
  rounds: number,
): Promise<LifeCycle[]> {
  const folder = Deno.makeTempDirSync({ prefix: "tslosetup-bench-" });
  const times = new Map<string, number[]>(competitors.map(({ name }) => [name, []]));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const competitor of competitors) {
        const began = performance.now();
        const server = await competitor.start(image, `${folder}/${competitor.name}${round}`);
        times.get(competitor.name)?.push(server.readyAt - began);
        await server.stop();
      }
    }
    const idle = [];
    for (const competitor of competitors) {
      const attachMillis = median(times.get(competitor.name) ?? []);
      idle.push({
        attachMillis,
        ...await measureIdle(competitor, image, `${folder}/${competitor.name}`),
      });
    }
    return idle;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function measureIdle(
  competitor: Competitor,
  image: BenchImage,
  socket: string,
): Promise<Omit<LifeCycle, "attachMillis">> {
  const server = await competitor.start(image, socket);
  try {
    await delay(500);
    const before = usageOf(server.pid);
    await delay(IDLE_MILLIS);
    const after = usageOf(server.pid);
    return {
      competitor: competitor.name,
      idleResidentBytes: after.residentBytes,
      idleCpu: (after.cpuSeconds - before.cpuSeconds) / (IDLE_MILLIS / 1000),
    };
  } finally {
    await server.stop();
  }
}

/** A table for people. */
export function formatLifeCycles(rows: readonly LifeCycle[]): string {
  return formatTable(
    [
      { heading: "SERVER", align: "left" },
      { heading: "ATTACH-ms", align: "right" },
      { heading: "IDLE-RSS-MB", align: "right" },
      { heading: "IDLE-CPU-%", align: "right" },
    ],
    rows.map(({ competitor, attachMillis, idleResidentBytes, idleCpu }) => [
      competitor,
      attachMillis.toFixed(0),
      fixed(idleResidentBytes / 1e6, 0),
      fixed(idleCpu * 100, 1),
    ]),
  );
}
