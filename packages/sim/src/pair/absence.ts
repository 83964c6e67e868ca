/** A time in which a replica was not there, or not heard; null while it lasts. */
export type Absence = { readonly fromMs: number; toMs: number | null };
