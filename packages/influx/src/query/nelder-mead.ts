/**
 * The least value of a function of several numbers, found by moving a simplex (Nelder and Mead, 1965).
 *
 * `cost` may change the corner that it is given: one that leaves the domain is then brought back to its edge. The order of operations
 * is influxd's, for the last digits of a forecast depend on it.
 */
export function minimize(
  cost: (corner: Float64Array) => number,
  start: Float64Array,
  epsilon: number,
): { readonly least: number; readonly corner: Float64Array } {
  const n = start.length;
  const corners = firstSimplex(start);
  const costs = corners.map(cost);
  const middle = new Float64Array(n);
  const reflected = new Float64Array(n);
  const moved = new Float64Array(n);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const { worst, best, second } = rank(costs);
    centre(corners, worst, middle);
    along(middle, corners[worst]!, -REFLECTION, reflected);
    const reflectedCost = cost(reflected);
    const replace = (corner: Float64Array, value: number): void => {
      corners[worst]!.set(corner);
      costs[worst] = value;
    };
    if (reflectedCost < costs[best]!) {
      along(middle, reflected, EXPANSION, moved);
      const movedCost = cost(moved);
      if (movedCost < reflectedCost) replace(moved, movedCost);
      else replace(reflected, reflectedCost);
    } else if (reflectedCost < costs[second]!) replace(reflected, reflectedCost);
    if (reflectedCost >= costs[second]!) {
      const isOutside = reflectedCost < costs[worst]!;
      along(middle, isOutside ? reflected : corners[worst]!, CONTRACTION, moved);
      const movedCost = cost(moved);
      if (movedCost < costs[worst]!) replace(moved, movedCost);
      else {
        shrink(corners, best);
        costs[worst] = cost(corners[worst]!);
        costs[second] = cost(corners[second]!);
      }
    }
    if (deviation(costs) < epsilon) break;
  }
  const { best } = rank(costs);
  const corner = corners[best]!.slice();
  return { least: cost(corners[best]!), corner };
}

const MAX_ROUNDS = 1_000;
const REFLECTION = 1;
const CONTRACTION = 0.5;
const EXPANSION = 2;

function firstSimplex(start: Float64Array): Float64Array[] {
  const n = start.length;
  const near = (Math.sqrt(n + 1) - 1) / (n * Math.SQRT2);
  const far = (Math.sqrt(n + 1) - 1 + n) / (n * Math.SQRT2);
  const corners = [start.slice()];
  for (let i = 0; i < n; i++) {
    corners.push(start.map((x, j) => (i === j ? far : near) + x));
  }
  return corners;
}

/** The first of the largest, the first of the smallest, and the largest below the largest. */
function rank(costs: readonly number[]): {
  readonly worst: number;
  readonly best: number;
  readonly second: number;
} {
  let worst = 0;
  let best = 0;
  for (let i = 1; i < costs.length; i++) {
    if (costs[i]! > costs[worst]!) worst = i;
    if (costs[i]! < costs[best]!) best = i;
  }
  let second = best;
  for (let i = 0; i < costs.length; i++) {
    if (costs[i]! > costs[second]! && costs[i]! < costs[worst]!) second = i;
  }
  return { worst, best, second };
}

function centre(corners: readonly Float64Array[], without: number, out: Float64Array): void {
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let corner = 0; corner < corners.length; corner++) {
      if (corner !== without) sum += corners[corner]![i]!;
    }
    out[i] = sum / out.length;
  }
}

/** From `from` by `factor` toward `to`. */
function along(from: Float64Array, to: Float64Array, factor: number, out: Float64Array): void {
  for (let i = 0; i < out.length; i++) out[i] = from[i]! + factor * (to[i]! - from[i]!);
}

function shrink(corners: readonly Float64Array[], best: number): void {
  const kept = corners[best]!;
  for (const corner of corners) {
    if (corner === kept) continue;
    for (let i = 0; i < corner.length; i++) corner[i] = kept[i]! + (corner[i]! - kept[i]!) / 2;
  }
}

function deviation(costs: readonly number[]): number {
  const n = costs.length - 1;
  let sum = 0;
  for (const value of costs) sum += value;
  const mean = sum / (n + 1);
  let squares = 0;
  for (const value of costs) squares += (value - mean) ** 2 / n;
  return Math.sqrt(squares);
}
