// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import {
  attributeValue,
  decodeAcknowledgement,
  decodeAttributes,
  decodeMessages,
  encodeRequest,
  nestedAttribute,
  NetlinkFormatError,
  NLM_F_ACK_TLVS,
  NLMSG_ERROR,
  replyAttributes,
  stringAttribute,
  u32Attribute,
  u64Attribute,
  unsignedValue,
} from "../../../src/kernel/netlink_codec.ts";

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  const pairs = hex.replaceAll(/\s/g, "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

Deno.test("encodeRequest() writes what the kernel reads for `find the family nbd`", () => {
  const request = encodeRequest({
    familyId: 0x10,
    command: 3,
    version: 2,
    sequence: 1,
    attributes: [stringAttribute(2, "nbd")],
  });
  // length, type, flags REQUEST | ACK, sequence, port; command, version; attribute "nbd\0"
  const expected = bytes("1c000000 1000 0500 01000000 00000000 03 02 0000 0800 0200 6e626400");
  assertEquals(request, expected);
});

Deno.test("u64Attribute() keeps 53 bits", () => {
  assertEquals(u64Attribute(2, 2 ** 53 - 1), bytes("0c00 0200 ffffffffffff1f00"));
});

Deno.test("nestedAttribute() sets the nested flag and its length covers its parts", () => {
  const sockets = nestedAttribute(7, [nestedAttribute(1, [u32Attribute(1, 9)])]);
  assertEquals(sockets, bytes("1000 0780 0c00 0180 0800 0100 09000000"));
});

Deno.test("attributes are padded to four bytes outside of their length", () => {
  const pair = new Uint8Array([...stringAttribute(10, "abcd"), ...u32Attribute(1, 5)]);
  assertEquals(pair.length, 12 + 8);
  const attributes = decodeAttributes(pair);
  assertEquals(attributes.map(({ type }) => type), [10, 1]);
  assertEquals(attributes[0]?.value, bytes("6162636400"));
  assertEquals(unsignedValue(attributeValue(attributes, 1), 4), 5);
});

Deno.test("decodeAttributes() accepts missing padding at the end, as the kernel sends it", () => {
  assertEquals(decodeAttributes(bytes("0500 0200 01")), [{ type: 2, value: bytes("01") }]);
});

Deno.test("decodeAttributes() refuses lengths that do not fit", () => {
  for (const wrong of ["0300 0100", "0900 0100 00000000", "0800 0100 0000", "0800 01"]) {
    assertThrows(() => decodeAttributes(bytes(wrong)), NetlinkFormatError);
  }
});

Deno.test("unsignedValue() wants exactly the size it is told", () => {
  assertEquals(unsignedValue(bytes("0102"), 2), 0x0201);
  assertEquals(unsignedValue(bytes("ff"), 1), 255);
  assertThrows(() => unsignedValue(bytes("0102"), 4), NetlinkFormatError);
  assertThrows(() => unsignedValue(undefined, 4), NetlinkFormatError);
});

Deno.test("an attribute longer than its length field can say is refused", () => {
  assertThrows(() => stringAttribute(1, "x".repeat(70_000)), NetlinkFormatError);
});

Deno.test("decodeMessages() takes a reply and its acknowledgement apart", () => {
  const reply = "1c000000 1d00 0000 07000000 00000000 01 01 0000 0800 0100 03000000";
  const ack = "24000000 0200 0001 07000000 00000000 00000000 1c000000 1d00 0500 07000000 00000000";
  const [first, second] = decodeMessages(bytes(reply + ack));
  if (first === undefined || second === undefined) throw new Error("two messages expected");
  assertEquals(unsignedValue(attributeValue(replyAttributes(first), 1), 4), 3);
  assertEquals(second.type, NLMSG_ERROR);
  assertEquals(decodeAcknowledgement(second), { errno: 0 });
});

Deno.test("decodeMessages() refuses messages cut short", () => {
  for (const wrong of ["10000000", "0f000000 00000000 00000000 00000000", "20000000".repeat(4)]) {
    assertThrows(() => decodeMessages(bytes(wrong)), NetlinkFormatError);
  }
});

Deno.test("decodeAcknowledgement() tells the error and the kernel's explanation", () => {
  const header = bytes("00".repeat(16));
  const minusBusy = bytes("f0ffffff");
  const text = stringAttribute(1, "in use");
  const payload = new Uint8Array([...minusBusy, ...header, ...text]);
  const message = { type: NLMSG_ERROR, sequence: 1, payload };
  assertEquals(decodeAcknowledgement({ ...message, flags: NLM_F_ACK_TLVS }), {
    errno: 16,
    explanation: "in use",
  });
  assertEquals(decodeAcknowledgement({ ...message, flags: 0 }), { errno: 16 });
  const short = { ...message, flags: 0, payload: minusBusy };
  assertThrows(() => decodeAcknowledgement(short), NetlinkFormatError);
});
