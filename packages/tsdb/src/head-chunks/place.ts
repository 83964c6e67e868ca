/** Where a chunk lies. Numbers of files are from 1 on. */
export type HeadChunkPlace = { readonly file: number; readonly offset: number };
