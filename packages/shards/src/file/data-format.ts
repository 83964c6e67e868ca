/** Constants of the data file; the picture is in shards.md. */
export const DATA_MAGIC = Uint8Array.from([0x50, 0x4c, 0x58, 0x53, 0x48, 0x41, 0x52, 0x44]);
/** Written; those before are read too. */
export const DATA_VERSION = 3;
/** Up to this version the index is one block. */
export const LAST_WHOLE_INDEX = 2;
export const OLDEST_DATA_VERSION = 1;
export const HEADER_BYTES = 16;
export const FOOTER_BYTES = 16;
export const PAGE_HEADER_BYTES = 13;
export const PAGE_CODEC_RAW = 0;
export const PAGE_CODEC_DEFLATE = 1;
/** A block that claims to be larger is taken for damage. */
export const MAX_BLOCK_BYTES = 1024 * 1024 * 1024;
