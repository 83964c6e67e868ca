export { GOOD_LINK, type Link } from './link.ts';
export { SimFiles } from './sim-files.ts';
export type { SimNet } from './sim-net.ts';
export { SimNetwork } from './sim-network.ts';
export { type SimHost, SimWorld, type SimWorldOptions } from './sim-world.ts';
