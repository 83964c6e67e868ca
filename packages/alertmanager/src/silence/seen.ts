import { DecodeError } from '@pollux/base';
import type { ClusterPort, ClusterStatePart } from '../cluster-port.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import {
  delimited,
  delimitedMessages,
  fieldsOf,
  joined,
  MessageWriter,
  textField,
  timeField,
} from '../wire/protobuf.ts';
import { compareTimes, type WireTime } from '../wire/timestamp.ts';
import type { SilenceStore } from './silence-store.ts';

const MAX_MEMBERS = 1_000;
const MAX_PER_MEMBER = 100_000;

/** Whether a member holds a version: it said or showed so, it speaks but has not said so, or it does not speak of it at all. */
export type SeenState = 'seen' | 'not yet' | 'unknown';

/**
 * Which member holds which version of which silence, as each tells the others: the state "pollux_seen". Each member's word is
 * its own, so that there is nothing to agree on. A member that does not know this state, as the Go program, shows what it holds
 * by sending it: it passes on small silences that are news to it, and answers each push/pull of ours with all that it has.
 * What it has not shown yet is unknown.
 */
export class SeenSilences implements ClusterStatePart {
  readonly #cluster: Pick<ClusterPort, 'name' | 'peers'>;
  readonly #silences: SilenceStore;
  readonly #byMember: Versions = new Map();
  /** The same of members that do not speak of it, from what they sent. */
  readonly #shown: Versions = new Map();

  constructor(cluster: Pick<ClusterPort, 'name' | 'peers'>, silences: SilenceStore) {
    this.#cluster = cluster;
    this.#silences = silences;
  }

  /** From now on each version that this member takes is told to the others. */
  connect(events: NotifyEvents, broadcast: (data: Uint8Array) => void): void {
    this.#silences.watchHolders((member, id, updatedAt) => {
      if (!this.#byMember.has(member)) note(this.#shown, { member, id, updatedAt });
    });
    events.subscribe((event) => {
      if (event.kind !== 'silence') return;
      const { id, updatedAt } = event.silence;
      broadcast(encode({ member: this.#cluster.name, id, updatedAt }));
    });
  }

  /** What each member is known to hold of one silence in its version of this member. */
  stateOf(member: string, id: string): SeenState {
    const held = this.#silences.get(id);
    if (held === undefined) return 'unknown';
    if (member === this.#cluster.name) return 'seen';
    const told = this.#byMember.get(member);
    const version = (told ?? this.#shown.get(member))?.get(id);
    if (version !== undefined && compareTimes(version, held.updatedAt) >= 0) return 'seen';
    return told === undefined ? 'unknown' : 'not yet';
  }

  /** What this member holds itself; what others hold they say themselves. */
  marshal(): Uint8Array {
    const member = this.#cluster.name;
    // Also without any silence it is said that this member speaks.
    const parts = [encode({ member, id: '', updatedAt: { seconds: 0, nanos: 0 } })];
    for (const { id, updatedAt } of this.#silences.all()) {
      parts.push(encode({ member, id, updatedAt }));
    }
    return joined(parts);
  }

  merge(data: Uint8Array): void {
    for (const word of decode(data)) {
      note(this.#byMember, word);
      this.#shown.delete(word.member);
    }
  }

  /** Forgets members that are gone and silences that are. */
  collect(): void {
    const members = new Set(this.#cluster.peers().map(({ name }) => name));
    for (const versions of [this.#byMember, this.#shown]) {
      for (const [member, held] of versions) {
        if (!members.has(member)) versions.delete(member);
        for (const id of held.keys()) {
          if (this.#silences.get(id) === undefined) held.delete(id);
        }
      }
    }
  }
}

/** By member, then by silence: the latest version that it holds. */
type Versions = Map<string, Map<string, WireTime>>;

function note(versions: Versions, { member, id, updatedAt }: Seen): void {
  let held = versions.get(member);
  if (held === undefined) {
    if (versions.size >= MAX_MEMBERS) return;
    held = new Map();
    versions.set(member, held);
  }
  const known = held.get(id);
  if (known !== undefined && compareTimes(known, updatedAt) >= 0) return;
  if (known === undefined && held.size >= MAX_PER_MEMBER) return;
  if (id !== '') held.set(id, updatedAt);
}

type Seen = { readonly member: string; readonly id: string; readonly updatedAt: WireTime };

function encode({ member, id, updatedAt }: Seen): Uint8Array {
  return delimited(new MessageWriter().text(1, member).text(2, id).time(3, updatedAt).take());
}

/** All or nothing: throws a DecodeError. */
function decode(data: Uint8Array): Seen[] {
  const found: Seen[] = [];
  for (const message of delimitedMessages(data)) {
    let member = '';
    let id = '';
    let updatedAt: WireTime = { seconds: 0, nanos: 0 };
    for (const field of fieldsOf(message)) {
      if (field.number === 1) member = textField(field);
      else if (field.number === 2) id = textField(field);
      else if (field.number === 3) updatedAt = timeField(field);
    }
    if (member === '') throw new DecodeError('a word of nobody', 0);
    found.push({ member, id, updatedAt });
  }
  return found;
}
