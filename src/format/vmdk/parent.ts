/**
 * What an image is known by, and what lies below it.
 *
 * VMware's children know the name of their parent, and its CID, which changes whenever the parent is written
 * to. VirtualBox's have no names, but UUIDs.
 *
 * @module
 */
import { VDI, VHD, VMDK } from "../../image/formats.ts";
import type { Identity, Parent } from "../../image/identity.ts";
import type { Descriptor } from "./descriptor/descriptor.ts";
import { damaged } from "./errors.ts";
import { NO_CID } from "./layout.ts";
import { pathsOf } from "./pieces.ts";

/** A UUID of nothing but zeros is none. */
const UUID = /^(?!0{8}-)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const CID = /^[0-9a-f]{1,8}$/;

/** What images above know it by. */
export function ownIdentity(descriptor: Descriptor): Identity {
  const contentId = cidOf(descriptor, "cid");
  return {
    ...uuids(descriptor, "ddb.uuid.image", "ddb.uuid.modification"),
    ...(contentId === undefined ? {} : { contentId }),
  };
}

/**
 * What lies below; undefined if nothing does.
 *
 * @param path of the file that has the descriptor
 * @throws {ImageFormatError} if it is not said how the parent can be found
 */
export function parentOf(descriptor: Descriptor, path: string): Parent | undefined {
  const contentId = cidOf(descriptor, "parentcid");
  const known = uuids(descriptor, "ddb.uuid.parent", "ddb.uuid.parentmodification");
  const hint = descriptor.fields.get("parentfilenamehint")?.value ?? "";
  const names = hint === "" ? [] : pathsOf(hint);
  const hasCid = contentId !== undefined && contentId !== NO_CID;
  if (!hasCid) {
    if (known.id === undefined) return undefined;
    return { format: VMDK.name, otherFormats: [VDI.name, VHD.name], identity: known, names };
  }
  if (names.length === 0 && known.id === undefined) {
    throw damaged(path, `the image lies on one with the CID ${contentId}, but does not say which`);
  }
  return { format: VMDK.name, identity: { ...known, contentId }, names };
}

/** As eight small digits; undefined where it is none. */
export function cidOf({ fields }: Descriptor, key: "cid" | "parentcid"): string | undefined {
  const text = fields.get(key)?.value.toLowerCase() ?? "";
  return CID.test(text) ? text.padStart(NO_CID.length, "0") : undefined;
}

function uuids({ fields }: Descriptor, idKey: string, stateKey: string): Identity {
  const id = fields.get(idKey)?.value.toLowerCase() ?? "";
  const state = fields.get(stateKey)?.value.toLowerCase() ?? "";
  if (!UUID.test(id)) return {};
  return UUID.test(state) ? { id, state } : { id };
}
