/**
 * Containers: mount namespaces with the program in them.
 *
 * @module
 */
// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { BARE_DEV, MountNamespace } from "../../support/mount_namespace.ts";
import { asRoot, exists } from "../../support/program.ts";
import { must, type Output, run } from "../../support/tools.ts";

/** A container with the program in it. */
export class Container implements AsyncDisposable {
  readonly #program = asRoot().command;

  private constructor(readonly namespace: MountNamespace) {}

  /** @param script what makes it different from this machine, as a shell command */
  static async start(script = BARE_DEV): Promise<Container> {
    return new Container(await MountNamespace.make(script));
  }

  run(...args: string[]): Promise<Output> {
    return this.runAs([], ...args);
  }

  /** Runs the program by another one. */
  runAs(prefix: readonly string[], ...args: string[]): Promise<Output> {
    const [command = "", ...words] = [...this.namespace.command(), ...prefix, ...this.#program];
    return run(command, ...words, ...args);
  }

  /** Runs the program, which has to succeed in silence; returns what it printed. */
  async must(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    assertEquals([code, stderr], [0, ""], args.join(" "));
    return stdout.trim();
  }

  async shell(script: string): Promise<string> {
    const [command = "", ...words] = this.namespace.command();
    return (await must(command, ...words, "sh", "-c", script)).trim();
  }

  has(node: string): boolean {
    return exists(this.namespace.path(node));
  }

  /** Number of a block node, as `major:minor`. */
  number(node: string): Promise<string> {
    return this.shell(`echo $((0x$(stat -c %t ${node}))):$((0x$(stat -c %T ${node})))`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.namespace[Symbol.asyncDispose]();
  }
}
