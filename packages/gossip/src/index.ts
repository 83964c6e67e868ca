export { GossipConfigError, PeerError, TlsError, WireError, type WireErrorCode } from './errors.ts';
export type { LinkState, MemberLink, NameConflict } from './node/diagnosis.ts';
export { type ClusterStatus, GossipNode, type PeerInfo } from './node/gossip-node.ts';
export { DEFAULT_TIMES, type GossipOptions, type GossipTimes, parsePeer } from './node/options.ts';
export type { StateChannel, StatePart } from './node/shared-states.ts';
export type { GossipTls } from './node/transport.ts';
