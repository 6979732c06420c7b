/**
 * `-f` alone: names the first free device.
 *
 * @module
 */
import { requireLoop } from "../kernel/modules.ts";
import { freeLoopDevice } from "../kernel/loop_control.ts";
import { reasonOf } from "../sys/reason.ts";
import { CommandError } from "../sys/command_error.ts";
import { print } from "../sys/console.ts";

/** Prints the first loop device that is not attached. */
export function find(): number {
  print(`${freeDevice()}\n`);
  return 0;
}

function freeDevice(): string {
  try {
    requireLoop();
    return freeLoopDevice();
  } catch (error) {
    throw new CommandError(`cannot find an unused loop device: ${reasonOf(error)}`);
  }
}
