/**
 * The man page's prose about systemd, in the markup of roff.ts.
 *
 * @module
 */

export const SYSTEMD: readonly string[] = [
  "What a service or a login session leaves behind, systemd ends with it. So where systemd runs, the " +
  "processes of a device that root makes get a scope of their own, `tslosetup-`<pid>`-`<number>`.scope`: " +
  "the device stays when the unit has ended. At shutdown " +
  "the scope is told to end, and waited for: the device goes when its file systems are unmounted. It is never killed. " +
  "A server on a socket stays in the unit it was started in, as any server.",
  "With `--foreground` there is no scope: the device belongs to the unit, of `Type=notify`. Such a unit should " +
  "have `SendSIGKILL=no`, for what the processes have not written yet would be lost.",
];
