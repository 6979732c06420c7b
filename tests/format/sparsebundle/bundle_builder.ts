/**
 * Small sparse bundles.
 *
 * @module
 */
import { TYPE } from "../../../src/format/sparsebundle/layout.ts";

/** Of a band of a bundle, unless its list says otherwise. */
export const BAND = 4096;

export interface BundleParts {
  readonly type?: string;
  readonly bandBytes?: number | string;
  readonly sizeBytes?: number | string;
  /** Bands by their names, and what they are filled with: as many bytes as it says. */
  readonly bands?: Readonly<
    Record<string, { readonly fill: number; readonly lengthBytes?: number }>
  >;
  readonly token?: string;
}

/** As hdiutil writes it. */
export function propertyList(
  { type = TYPE, bandBytes = BAND, sizeBytes = 100 * BAND - 512 }: BundleParts = {},
): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
\t<key>CFBundleInfoDictionaryVersion</key>
\t<string>6.0</string>
\t<key>band-size</key>
\t<integer>${bandBytes}</integer>
\t<key>bundle-backingstore-version</key>
\t<integer>1</integer>
\t<key>diskimage-bundle-type</key>
\t<string>${type}</string>
\t<key>size</key>
\t<integer>${sizeBytes}</integer>
</dict>
</plist>
`;
}

/** Makes a bundle of the folder at `path`; returns its property list's path. */
export function buildBundle(path: string, parts: BundleParts = {}): string {
  Deno.mkdirSync(`${path}/bands`, { recursive: true });
  for (const [name, { fill, lengthBytes = BAND }] of Object.entries(parts.bands ?? {})) {
    Deno.writeFileSync(`${path}/bands/${name}`, new Uint8Array(lengthBytes).fill(fill));
  }
  Deno.writeTextFileSync(`${path}/token`, parts.token ?? "");
  Deno.writeTextFileSync(`${path}/Info.plist`, propertyList(parts));
  return `${path}/Info.plist`;
}
