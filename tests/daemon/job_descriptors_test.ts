// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { countsOf, inOrder, takenApart } from "../../src/daemon/job_descriptors.ts";

Deno.test("takenApart() undoes inOrder()", () => {
  const lists = { served: [7, 8], files: [20, 21, 22], stateFile: [9], kept: [3] };
  const fds = inOrder(lists);
  assertEquals(fds, [7, 8, 9, 3, 20, 21, 22]);
  const { served, stateFile, control, kept, files } = takenApart(fds, countsOf(lists));
  assertEquals({ served, stateFile, control, kept, files }, { ...lists, control: [] });
});

Deno.test("takenApart() of what was sent by nobody has nothing", () => {
  assertEquals(takenApart([], {}).served, []);
});
