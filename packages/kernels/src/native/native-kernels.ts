/** What `assembly/kernels.ts` exports: addresses of its buffers, and loops on them. */
export type NativeKernels = {
  readonly memory: { readonly buffer: ArrayBuffer };
  inputAt(): number;
  lowAt(): number;
  highAt(): number;
  numbersAt(): number;
  wordsAt(): number;
  frequenciesAt(): number;
  packedAt(): number;
  snappyClosedAt(): number;
  snappyOpenedAt(): number;
  powersAt(): number;
  floatTextAt(): number;
  floatToText(value: number): number;
  samplesToText(count: number, first: number): number;
  unpack(target: number, count: number, width: number): void;
  fillSlots(symbols: number): void;
  range(even: number, odd: number, wordCount: number, count: number): number;
  join(from: number, count: number, base: number, factor: number, highScale: number): void;
  line(count: number, first: number, step: number): void;
  sum(from: number, to: number): void;
  divide(count: number, divisor: number): void;
  crc32c(size: number, crc: number): number;
  xorEncode(count: number, cutBits: number): number;
  intersect(firstCount: number, secondCount: number): number;
  snappyBlock(size: number): number;
  snappyOpen(size: number, room: number): number;
  xorPart(length: number, hidden: number, minMs: number, maxMs: number): number;
};

/** Loops that later versions added last: a module without them was built of older sources. */
const NEWEST = [
  'crc32c',
  'xorEncode',
  'snappyBlock',
  'snappyOpen',
  'floatToText',
  'xorPart',
  'samplesToText',
] as const satisfies readonly (keyof NativeKernels)[];

/** The part of the runtime's WebAssembly that is used; Node's types have no values for it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** Where the build puts the module, seen from this folder in `src` and in `dist` alike. */
const BUILT = '../../dist/wasm/kernels.js';

/**
 * The built module, or null where there is none: sources that were not built since, or a runtime without WebAssembly SIMD. The
 * TypeScript references then do the same work.
 */
export async function loadNativeKernels(): Promise<NativeKernels | null> {
  try {
    const { wasm } = (await import(/* @vite-ignore */ new URL(BUILT, import.meta.url).href)) as {
      readonly wasm: string;
    };
    const module = new WebAssembly.Module(Buffer.from(wasm, 'base64'));
    const kernels = new WebAssembly.Instance(module).exports as NativeKernels;
    return NEWEST.every((name) => typeof kernels[name] === 'function') ? kernels : null;
  } catch {
    return null;
  }
}
