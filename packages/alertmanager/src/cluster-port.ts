import type { StopSignal } from '@pollux/base';

/** One state that members share. Called on the thread of the room; neither call may block. */
export interface ClusterStatePart {
  /** Set when the data of two changes, one behind the other, is the data of both: many are told together then. */
  readonly isJoinable?: boolean;
  /** The whole state as the data of one Part. The caller owns the bytes. */
  marshal(): Uint8Array;
  /**
   * Takes the data of a Part from another member; throws a DecodeError and changes nothing when it is malformed. `holder` is the
   * member that is known to hold the data itself; null when it is not known who sent it.
   */
  merge(data: Uint8Array, holder: string | null): void;
}

export interface ClusterChannel {
  /** Sends the data of one Part to all other members, best effort. Takes the bytes over. */
  broadcast(data: Uint8Array): void;
}

/** Whether a way to a member works, and why not. */
export type LinkState = {
  readonly isReachable: boolean;
  readonly roundTripMs: number | null;
  readonly error: string;
};

/** What this member sees of another. */
export type MemberLink = {
  readonly name: string;
  readonly address: string;
  readonly isSuspected: boolean;
  readonly udp: LinkState;
  readonly tcp: LinkState;
  /** How long ago anything came from it over UDP, ms; null when nothing ever did. */
  readonly lastContactMs: number | null;
};

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
  /** Calls back after each change of {@link peers}, until the returned function is called. */
  onMembership(listener: () => void): () => void;
  /**
   * Resolves when the others have been asked for what a member told them before it was lost, and those before this one for what
   * they told since; at once when none was lost lately. Bounded by a second. Rejects when `signal` aborts.
   */
  caughtUp(signal: StopSignal): Promise<void>;
  status(): 'ready' | 'settling' | 'disabled';
  /** Resolves once membership and state have settled; rejects when `signal` aborts. */
  settled(signal: AbortSignal): Promise<void>;
  /** Tries both ways to every other member; takes `timeoutMs` at most. */
  diagnose(timeoutMs: number): Promise<readonly MemberLink[]>;
  /** Members that claimed a name that another has, the last ones; `timeMs` by the wall clock. */
  conflicts(): readonly {
    readonly name: string;
    readonly address: string;
    readonly timeMs: number;
  }[];
  /** Registers a state under its key; before the cluster joins, else the first full state misses it. */
  addState(key: string, part: ClusterStatePart): ClusterChannel;
}

/** A single node: always settled, always first. */
export const NO_CLUSTER: ClusterPort = {
  name: '',
  peers: () => [],
  position: () => 0,
  onMembership: () => () => {},
  caughtUp: async () => {},
  status: () => 'disabled',
  settled: async () => {},
  diagnose: async () => [],
  conflicts: () => [],
  addState: () => ({ broadcast: () => {} }),
};
