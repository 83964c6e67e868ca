/** Memory that several of the loops work on. */
export const input: usize = memory.data(8192 * 8 + 16, 16);
export const words: usize = memory.data(8208 * 8, 16);
export const numbers: usize = memory.data(8208 * 8, 16);
