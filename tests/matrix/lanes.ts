/**
 * Checking many images of the matrix, some at once.
 *
 * @module
 */
/** What an image is made by; its name says which one it is. */
type Named = { readonly name: string };

/** As many at once as keep a small machine busy. */
const LANES = 3;

/**
 * Checks all recipes.
 *
 * @throws {Error} that names each one for which `check` has failed, and why
 */
export async function checkAll<R extends Named>(
  recipes: readonly R[],
  check: (recipe: R) => Promise<void>,
): Promise<void> {
  const failures = await inLanes(recipes, check);
  if (failures.length === 0) return;
  const lines = failures.map(({ recipe, reason }) => `${recipe.name}\n  ${reason}`);
  throw new Error(`${failures.length} images are not what they should be:\n${lines.join("\n")}`);
}

interface Failure {
  readonly recipe: Named;
  readonly reason: string;
}

/** Checks all recipes; one that fails does not keep the others from being checked. */
async function inLanes<R extends Named>(
  recipes: readonly R[],
  check: (recipe: R) => Promise<void>,
): Promise<Failure[]> {
  const failures: Failure[] = [];
  const queue = recipes.slice();
  const lane = async (): Promise<void> => {
    for (let recipe = queue.shift(); recipe !== undefined; recipe = queue.shift()) {
      try {
        await check(recipe);
      } catch (error) {
        failures.push({ recipe, reason: error instanceof Error ? error.message : String(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return failures;
}
