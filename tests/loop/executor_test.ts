// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { ParkedRequest, type RequestOwner } from "../../src/loop/parked_request.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { ServedImage } from "../nbd/served_image.ts";

openLibc();

// Nothing has to be made durable on a read-only disk: who waits for a flush is ready at once.

function parkedBy({ resume }: Pick<RequestOwner, "resume">): ParkedRequest {
  const owner = { resume, isGone: false, park: (): ParkedRequest => parkedBy({ resume }) };
  return new ParkedRequest({
    owner,
    command: 0,
    tagHigh: 0,
    tagLow: 0,
    offset: 0,
    length: 0,
  });
}

Deno.test("Executor.resumeReady() has done something also if that made another request ready", () => {
  using served = new ServedImage({ readOnly: true });
  const { executor } = served;
  const resumed: string[] = [];
  const second = parkedBy({ resume: () => resumed.push("second") > 0 });
  const first = parkedBy({
    resume: () => {
      executor.flush(second);
      return resumed.push("first") > 0;
    },
  });
  executor.flush(first);
  assertEquals(executor.resumeReady(), true);
  assertEquals(resumed, ["first"]);
  assertEquals(executor.resumeReady(), true);
  assertEquals(resumed, ["first", "second"]);
  assertEquals(executor.resumeReady(), false);
});

Deno.test("Executor.resumeReady() has done nothing while there is no room for the reply", () => {
  using served = new ServedImage({ readOnly: true });
  const { executor } = served;
  let hasRoom = false;
  const parked = parkedBy({ resume: () => hasRoom });
  executor.flush(parked);
  assertEquals(executor.resumeReady(), false);
  hasRoom = true;
  assertEquals(executor.resumeReady(), true);
});
