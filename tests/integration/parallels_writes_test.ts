import { IMAGE_TOOLS } from "../support/images.ts";
import { oracleTest } from "../support/tools.ts";
import { checkTwins } from "./twin_images.ts";

const SIZE = 16 * 1024 * 1024;

for (const options of ["cluster_size=4k", "cluster_size=1M"]) {
  oracleTest(
    `a PARALLELS image is written to as its twin is by qemu: ${options}`,
    IMAGE_TOOLS,
    async () => {
      await checkTwins({ format: "PARALLELS", driver: "parallels", options, sizeBytes: SIZE });
    },
  );
}
