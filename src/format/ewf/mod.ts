/**
 * Expert Witness images (E01), by EnCase, FTK Imager and libewf.
 *
 * @module
 */
import type { FormatDriver } from "../../image/driver.ts";
import { EWF } from "../../image/formats.ts";
import { MAGIC, MAGIC_2 } from "./layout.ts";
import { openEwf } from "./open.ts";
import { segmentNumber } from "./sections.ts";
import { findVolume } from "./volume.ts";

export const ewf: FormatDriver = {
  ...EWF,
  magics: [{ offset: 0, bytes: MAGIC }, { offset: 0, bytes: MAGIC_2 }],
  open: openEwf,
  info: (file) => {
    segmentNumber(file);
    const { sizeBytes, chunkBytes, sectorBytes, setId } = findVolume(file);
    const id = setId === undefined ? {} : { "set-identifier": setId };
    const data = { "sector-size": sectorBytes, ...id };
    return { format: "ewf", sizeBytes, clusterBytes: chunkBytes, specific: { type: "ewf", data } };
  },
};
