/** Largest user state or message that is taken from or sent to a peer; memberlist's own bound. */
export const MAX_STATE_BYTES = 20 * 1024 * 1024;

/** Largest result of inflating one compressed message. */
export const MAX_INFLATED_BYTES = 40 * 1024 * 1024;

/** Members in one push/pull. Far above any cluster of ours, far below what would hurt. */
export const MAX_NODES = 65_536;

export const MAX_UDP_BYTES = 65_535;

/** Largest content of one packet after inflating: gossip fits 1400 bytes, so a packet beyond this is an attack. */
export const MAX_PACKET_INFLATED_BYTES = 512 * 1024;

/** Compound, compress and CRC layers inside each other. */
export const MAX_LAYERS = 8;

/** Messages taken out of one packet. */
export const MAX_PARTS = 4_096;
