import type { PackedError } from '../worker-errors.ts';

/** What a thread is started with. */
export type ThreadStart = {
  readonly module: string;
  readonly name: string;
  readonly data: unknown;
};

export type ToThread =
  | { readonly kind: 'message'; readonly body: unknown }
  | { readonly kind: 'stop' };

export type FromThread =
  | { readonly kind: 'message'; readonly body: unknown }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: PackedError };
