import { overlapsMuch, type WindowKernel, type WindowSet } from './window-set.ts';

/*
 * Sums over sliding windows without subtraction, which would lose digits when a large value leaves. The window is cut at
 * `mid`: the part before it is kept as suffix sums, the part after it as one running sum. When the left edge passes `mid`,
 * the suffix sums are built anew from the right edge. Each sample is added twice in all, whatever the overlap.
 *
 *      lo            mid            hi
 *       [ suffix sums )[ running sum )
 *
 * All sums carry Neumaier's compensation, so the order of additions does not show in the result.
 */

/** sum_over_time for floats. */
export const sumOverTime: WindowKernel = (windows, out, kinds, base) => {
  if (!overlapsMuch(windows)) {
    const { lo, hi, count, values } = windows;
    for (let i = 0; i < count; i++) {
      if (hi[i] === lo[i]) continue;
      out[base + i] = compensatedSum(values, lo[i]!, hi[i]!);
      kinds[base + i] = 1;
    }
    return;
  }
  slide(windows, out, kinds, base, false);
};

/** avg_over_time for floats. */
export const avgOverTime: WindowKernel = (windows, out, kinds, base) => {
  const { lo, hi, count, values } = windows;
  if (!overlapsMuch(windows)) {
    for (let i = 0; i < count; i++) {
      if (hi[i] === lo[i]) continue;
      out[base + i] = compensatedMean(values, lo[i]!, hi[i]!);
      kinds[base + i] = 1;
    }
    return;
  }
  slide(windows, out, kinds, base, true);
  // A sum that overflowed needs the mean that is updated value by value.
  for (let i = 0; i < count; i++) {
    if (hi[i]! > lo[i]! && !Number.isFinite(out[base + i]!))
      out[base + i] = compensatedMean(values, lo[i]!, hi[i]!);
  }
};

/** Kahan-Neumaier sum of values[lo, hi). */
export function compensatedSum(values: Float64Array, lo: number, hi: number): number {
  let sum = 0;
  let compensation = 0;
  for (let j = lo; j < hi; j++) {
    const value = values[j]!;
    const next = sum + value;
    if (Math.abs(next) === Number.POSITIVE_INFINITY) compensation = 0;
    else if (Math.abs(sum) >= Math.abs(value)) compensation += sum - next + value;
    else compensation += value - next + sum;
    sum = next;
  }
  return Math.abs(sum) === Number.POSITIVE_INFINITY ? sum : sum + compensation;
}

/** The mean: compensated sum over count, or value by value from where the sum would overflow. */
export function compensatedMean(values: Float64Array, lo: number, hi: number): number {
  let sum = values[lo]!;
  let compensation = 0;
  let count = 1;
  let mean = 0;
  let isIncremental = false;
  for (let j = lo + 1; j < hi; j++) {
    const value = values[j]!;
    count++;
    if (!isIncremental) {
      const next = sum + value;
      if (Math.abs(next) !== Number.POSITIVE_INFINITY) {
        compensation += neumaier(sum, value, next);
        sum = next;
        continue;
      }
      isIncremental = true;
      mean = sum / (count - 1);
      compensation /= count - 1;
    }
    // q = (n-1)/n; mean ← q·mean + value/n, compensated.
    const q = (count - 1) / count;
    const scaled = q * mean;
    const term = value / count;
    const next = scaled + term;
    compensation =
      Math.abs(next) === Number.POSITIVE_INFINITY
        ? 0
        : q * compensation + neumaier(scaled, term, next);
    mean = next;
  }
  if (isIncremental) return mean + compensation;
  return sum / count + compensation / count;
}

/** What the floating sum `next` of a and b lost. */
export function neumaier(a: number, b: number, next: number): number {
  if (Math.abs(next) === Number.POSITIVE_INFINITY) return 0;
  return Math.abs(a) >= Math.abs(b) ? a - next + b : b - next + a;
}

function slide(
  windows: WindowSet,
  out: Float64Array,
  kinds: Uint8Array,
  base: number,
  isMean: boolean,
): void {
  const { lo, hi, count, values } = windows;
  const first = lo[0]!;
  const width = hi[count - 1]! - first;
  const suffixSum = new Float64Array(width + 1);
  const suffixCompensation = new Float64Array(width + 1);
  let mid = first;
  let right = first;
  let sum = 0;
  let compensation = 0;
  for (let i = 0; i < count; i++) {
    for (; right < hi[i]!; right++) {
      const value = values[right]!;
      const next = sum + value;
      compensation = Math.abs(next) === Infinity ? 0 : compensation + neumaier(sum, value, next);
      sum = next;
    }
    if (lo[i]! > mid || (mid === first && i === 0)) {
      buildSuffixes(values, first, lo[i]!, right, suffixSum, suffixCompensation);
      mid = right;
      sum = 0;
      compensation = 0;
    }
    if (hi[i] === lo[i]) continue;
    const front = lo[i]! < mid ? suffixSum[lo[i]! - first]! : 0;
    const frontCompensation = lo[i]! < mid ? suffixCompensation[lo[i]! - first]! : 0;
    const total = front + sum;
    const lost = neumaier(front, sum, total) + frontCompensation + compensation;
    const result = Math.abs(total) === Infinity ? total : total + lost;
    out[base + i] = isMean ? result / (hi[i]! - lo[i]!) : result;
    kinds[base + i] = 1;
  }
}

function buildSuffixes(
  values: Float64Array,
  first: number,
  from: number,
  to: number,
  sums: Float64Array,
  compensations: Float64Array,
): void {
  let sum = 0;
  let compensation = 0;
  for (let j = to - 1; j >= from; j--) {
    const value = values[j]!;
    const next = sum + value;
    compensation = Math.abs(next) === Infinity ? 0 : compensation + neumaier(sum, value, next);
    sum = next;
    sums[j - first] = sum;
    compensations[j - first] = compensation;
  }
}
