/**
 * Disks that are folders, with small images in them.
 *
 * @module
 */

export const DESCRIPTOR = "DiskDescriptor.xml";

/** Identifier number `n`; number 0 is none. */
export function guid(n: number): string {
  return `{00000000-0000-0000-0000-${`${n}`.padStart(12, "0")}}`;
}

export interface BundleStorage {
  readonly sectors: number;
  /** By the number of their identifier. */
  readonly images: readonly (readonly [n: number, type: string, file: string])[];
}

export interface BundleParts {
  readonly storages: readonly BundleStorage[];
  /** Each above the next one; the first is active. */
  readonly chain?: readonly number[];
  /** Elements in place of those that are made up. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** The text of a descriptor. */
export function buildDescriptor({ storages, chain = [1], parameters = {} }: BundleParts): string {
  const sectors = storages.reduce((sum, storage) => sum + storage.sectors, 0);
  let start = 0;
  const all = { Disk_size: `${sectors}`, Padding: "0", ...parameters };
  const parts = storages.map(({ sectors, images }) => {
    const files = images.map(([n, type, file]) =>
      `<Image><GUID>${guid(n)}</GUID><Type>${type}</Type><File>${file}</File></Image>`
    );
    const range = `<Start>${start}</Start><End>${start += sectors}</End><Blocksize>8</Blocksize>`;
    return `<Storage>${range}${files.join("")}</Storage>`;
  });
  const shots = chain.map((n, index) =>
    `<Shot><GUID>${guid(n)}</GUID><ParentGUID>${guid(chain[index + 1] ?? 0)}</ParentGUID></Shot>`
  );
  const parameterText = Object.entries(all).map(([name, text]) => `<${name}>${text}</${name}>`);
  return `<?xml version='1.0' encoding='UTF-8'?>
<Parallels_disk_image Version="1.0">
    <Disk_Parameters>${parameterText.join("")}</Disk_Parameters>
    <StorageData>${parts.join("\n")}</StorageData>
    <Snapshots><TopGUID>${guid(chain[0] ?? 0)}</TopGUID>${shots.join("")}</Snapshots>
</Parallels_disk_image>
`;
}
