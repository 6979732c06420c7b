/**
 * Types of the parts of @std/assert that the tests use: the npm package behind the import map carries
 * the real modules without their types. Goes away once the map points at `jsr:@std/assert`.
 *
 *     // @ts-types="./std_assert.d.ts"
 *     import { assertEquals } from "@std/assert";
 */

// deno-lint-ignore no-explicit-any -- a constructor's parameters are contravariant: `any` as in @std
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/** Thrown by every failing assertion. */
export class AssertionError extends Error {}

/** Fails unless `condition` is truthy, and narrows it. */
export function assert(condition: unknown, message?: string): asserts condition;

/** Fails unless `condition` is falsy. */
export function assertFalse(condition: unknown, message?: string): asserts condition is false;

/** Fails unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void;

/** Fails if both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;

/** Fails unless `Object.is(actual, expected)`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T;

/** Fails unless `actual` is neither null nor undefined, and narrows it. */
export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;

/** Fails unless `actual` is an instance of `expectedType`, and narrows it. */
export function assertInstanceOf<T>(
  actual: unknown,
  // deno-lint-ignore no-explicit-any -- see ErrorClass
  expectedType: abstract new (...args: any[]) => T,
  message?: string,
): asserts actual is T;

/** Fails unless `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void;

/** Fails if `actual` matches `expected`. */
export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void;

/** Fails unless `actual` contains every member of `expected`. */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  message?: string,
): void;

/** Fails unless `actual` deeply contains `expected`. */
export function assertObjectMatch(actual: object, expected: object, message?: string): void;

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, message?: string): void;

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, message?: string): void;

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;

/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, message?: string): unknown;
/** Fails unless `fn` throws an `E` whose message includes `messageIncludes`; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  messageIncludes?: string,
  message?: string,
): E;

/** Fails unless `fn`'s promise rejects; resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
/** Fails unless `fn`'s promise rejects with an `E` whose message includes `messageIncludes`. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  messageIncludes?: string,
  message?: string,
): Promise<E>;

/** Fails always. */
export function fail(message?: string): never;
