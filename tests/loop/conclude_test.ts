// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { concludeImage } from "../../src/loop/conclude.ts";
import { SharedState } from "../../src/loop/shared_state.ts";
import { EIO, SystemError } from "../../src/sys/errno.ts";
import { ServedImage } from "../nbd/served_image.ts";

/** What happens at the end of an image, in order; `errors` are those of its syncs. */
function ending(errors: readonly number[], conclude?: () => void): [string[], boolean] {
  using served = new ServedImage();
  const { writing } = served.image;
  const steps: string[] = [];
  if (writing !== undefined && conclude !== undefined) {
    writing.conclude = (): void => {
      steps.push("conclude");
      conclude();
    };
  }
  const left = [...errors];
  const sync = (): number => {
    steps.push("sync");
    return left.shift() ?? 0;
  };
  return [steps, concludeImage(served.access, new SharedState(), sync)];
}

Deno.test("concludeImage() has the driver close the image between two syncs", () => {
  assertEquals(ending([], () => {}), [["sync", "conclude", "sync"], true]);
  assertEquals(ending([]), [["sync"], true]);
});

Deno.test("concludeImage() leaves an image unclosed of which something was lost", () => {
  assertEquals(ending([EIO], () => {}), [["sync"], false]);
  assertEquals(ending([0, EIO], () => {}), [["sync", "conclude", "sync"], false]);
});

Deno.test("concludeImage() tells why the driver could not close the image", () => {
  const fail = (): void => {
    throw new SystemError("write", EIO, "/image");
  };
  assertThrows(() => ending([], fail), SystemError);
});
