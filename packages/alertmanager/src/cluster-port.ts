/** One state that members share. Called on the thread of the room; neither call may block. */
export interface ClusterStatePart {
  /** The whole state as the data of one Part. The caller owns the bytes. */
  marshal(): Uint8Array;
  /** Takes the data of a Part from another member; throws a DecodeError and changes nothing when it is malformed. */
  merge(data: Uint8Array): void;
}

export interface ClusterChannel {
  /** Sends the data of one Part to all other members, best effort. Takes the bytes over. */
  broadcast(data: Uint8Array): void;
}

/**
 * What the room needs of a cluster; the composition root binds it to gossip. Declared here because rooms of one floor
 * do not import each other.
 */
export interface ClusterPort {
  /** This member's name; empty without a cluster. */
  readonly name: string;
  /** All members that are alive or suspected, this one included, sorted by name. */
  peers(): readonly { readonly name: string; readonly address: string }[];
  /** This member's index in {@link peers}; 0 without a cluster. */
  position(): number;
  status(): 'ready' | 'settling' | 'disabled';
  /** Resolves once membership and state have settled; rejects when `signal` aborts. */
  settled(signal: AbortSignal): Promise<void>;
  /** Registers a state under its key; before the cluster joins, else the first full state misses it. */
  addState(key: string, part: ClusterStatePart): ClusterChannel;
}

/** A single node: always settled, always first. */
export const NO_CLUSTER: ClusterPort = {
  name: '',
  peers: () => [],
  position: () => 0,
  status: () => 'disabled',
  settled: async () => {},
  addState: () => ({ broadcast: () => {} }),
};
