import { type Address, type Net, OperatingError, VirtualClock } from '@pollux/base';
import { Log, Registry } from '@pollux/telemetry';
import { beforeEach, describe, expect, test } from 'vitest';
import { GossipMetrics } from './metrics.ts';
import { PeerBook } from './peer-book.ts';
import { PeerContact } from './peer-contact.ts';

const NO_GAUGES = {
  memberCount: () => 1,
  failedPeerCount: () => 0,
  position: () => 0,
  health: () => 0,
  queuedMessages: () => 0,
};

describe('peers known by name', () => {
  let names: Map<string, readonly string[]>;
  let joined: string[];
  let members: string[];
  let reachable: Set<string>;
  let book: PeerBook;
  const signal = new AbortController().signal;

  beforeEach(() => {
    names = new Map();
    joined = [];
    members = [];
    reachable = new Set();
    book = new PeerBook();
  });

  function contact(...peers: Address[]): PeerContact {
    const net = {
      resolve: async (host: string) => {
        const found = names.get(host);
        if (found === undefined) throw new OperatingError('TEST.DNS', `no ${host}`);
        return [...found];
      },
    } as unknown as Net;
    return new PeerContact({
      env: { clock: new VirtualClock(0), net },
      log: Log.silent(),
      metrics: new GossipMetrics(new Registry(), NO_GAUGES),
      book,
      peers,
      self: { host: '10.0.0.1', port: 9094 },
      resolveTimeoutMs: 15_000,
      memberAddresses: () => members,
      join: async ({ host, port }) => {
        joined.push(`${host}:${port}`);
        const isThere = reachable.has(`${host}:${port}`);
        if (isThere) book.markAlive(`${host}:${port}`);
        return isThere;
      },
    });
  }

  test('are joined at all of their addresses, but never oneself', async () => {
    names.set('am', ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    await contact({ host: 'am', port: 9094 }).join(signal);
    expect(joined).toEqual(['10.0.0.2:9094', '10.0.0.3:9094']);
  });

  test('are looked up anew: who is no member is joined, a new address too', async () => {
    names.set('am', ['10.0.0.2']);
    const peers = contact({ host: 'am', port: 9094 });
    await peers.join(signal);
    members = ['10.0.0.2:9094'];
    joined = [];
    await peers.refresh(signal);
    expect(joined).toEqual([]);
    names.set('am', ['10.0.0.2', '10.0.0.9']);
    await peers.refresh(signal);
    expect(joined).toEqual(['10.0.0.9:9094']);
  });

  test('leave their old address when they move, whichever is seen first, the move or the death', async () => {
    names.set('am', ['10.0.0.2']);
    reachable.add('10.0.0.2:9094');
    const peers = contact({ host: 'am', port: 9094 }, { host: '10.0.0.5', port: 9094 });
    await peers.join(signal);
    expect(book.failed()).toEqual(['10.0.0.5:9094']);
    names.set('am', ['10.0.0.7']);
    await peers.refresh(signal);
    book.markFailed('10.0.0.2:9094', 0);
    await peers.refresh(signal);
    // The one that was given as an address is tried on.
    expect(book.failed()).toEqual(['10.0.0.5:9094']);
    joined = [];
    await peers.reconnect();
    expect(joined).toEqual(['10.0.0.5:9094']);
  });

  test('keep their address while the name cannot be found', async () => {
    names.set('am', ['10.0.0.2']);
    const peers = contact({ host: 'am', port: 9094 });
    await peers.join(signal);
    names.delete('am');
    await peers.refresh(signal);
    expect(book.failed()).toEqual(['10.0.0.2:9094']);
    reachable.add('10.0.0.2:9094');
    await peers.reconnect();
    expect(book.failed()).toEqual([]);
  });
});
