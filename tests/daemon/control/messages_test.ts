// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import {
  type ControlAnswer,
  type ControlRequest,
  decodeAnswer,
  decodeRequest,
  encodeMessage,
} from "../../../src/daemon/control/messages.ts";

Deno.test("decodeRequest() understands what encodeMessage() makes of a request", () => {
  const requests: readonly ControlRequest[] = [
    { kind: "grow", id: 1, bytes: 2 ** 40, isMore: true },
    { kind: "snapshot", id: 2 ** 32, change: { action: "delete", name: 'a "b"\n' } },
  ];
  for (const request of requests) assertEquals(decodeRequest(encodeMessage(request)), request);
});

Deno.test("decodeRequest() refuses everything else", () => {
  const wrong = [
    "",
    "{",
    "null",
    "7",
    '{"version":2,"kind":"grow","bytes":1,"isMore":true}',
    '{"version":1,"kind":"shrink","bytes":1,"isMore":true}',
    '{"version":1,"kind":"grow","bytes":-1,"isMore":true}',
    '{"version":1,"kind":"grow","bytes":1e30,"isMore":true}',
    '{"version":1,"kind":"grow","bytes":1}',
    '{"version":1,"kind":"snapshot"}',
    '{"version":1,"kind":"snapshot","change":{"action":"create"}}',
    '{"version":1,"kind":"snapshot","change":{"action":"keep","name":"x"}}',
  ];
  for (const line of wrong) assertThrows(() => decodeRequest(line), Error, "another version");
});

Deno.test("decodeAnswer() understands both answers, and refuses others", () => {
  const answers: readonly ControlAnswer[] = [
    { ok: true, sizeBytes: 4096 },
    { ok: false, message: "no" },
  ];
  for (const answer of answers) assertEquals(decodeAnswer(encodeMessage(answer)), answer);
  for (const line of ["{}", "x", '{"ok":true}', '{"ok":false}']) {
    assertThrows(() => decodeAnswer(line), Error, "another version");
  }
});
