/**
 * `deno task hostile [COUNT [SEED [FEATURE…]]]`: attacks on every feature, 100,000 images of each.
 *
 * @module
 */
import { campaign } from "./campaign.ts";

const [count = "100000", seed = `${Date.now() % 1e9}`, ...features] = Deno.args;
let faults = 0;
print(`seed ${seed}`);
await campaign({ count: Number(count), seed: Number(seed), features }, (outcome) => {
  const { feature, attempts, seconds, grownBytes, fault } = outcome;
  const memory = `${(grownBytes / 2 ** 20).toFixed(0)} MiB`.padStart(8);
  const numbers = `${String(attempts).padStart(8)} ${seconds.toFixed(1).padStart(8)} s ${memory}`;
  print(`${feature.padEnd(22)} ${numbers}  ${fault ?? "ok"}`);
  if (fault !== undefined) faults++;
});
Deno.exit(faults === 0 ? 0 : 1);

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
