import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodePacket, deflate, inflate } from './packet.ts';
import { StreamDecoder } from './stream.ts';

const root = new URL('../../../../', import.meta.url).pathname;
const corpus = process.env.POLLUX_CONFORMANCE ?? join(root, '../shared/conformance');
const directory = join(corpus, 'gossip');
const isThere = existsSync(directory);
const title = isThere
  ? 'every captured'
  : 'every captured message (skipped: no conformance corpus; set POLLUX_CONFORMANCE to its directory)';

type Captured = { readonly transport: string; readonly data: Uint8Array };

/** Lines `<time> <node> UDP from (…) len <n> <hex>`: what a real Alertmanager sent. */
function captured(): Captured[] {
  const found: Captured[] = [];
  for (const name of ['capture-join.log', 'capture-udp.log', 'capture-states.log']) {
    const path = join(directory, name);
    if (!existsSync(path)) continue;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const match = /(UDP|TCP) from \(.*\) len ([0-9]+) ([0-9a-f]+)$/.exec(line);
      const data = Buffer.from(match?.[3] ?? '', 'hex');
      // The logs cut very long messages short.
      if (match?.[1] === undefined || data.length !== Number(match[2])) continue;
      found.push({ transport: match[1], data });
    }
  }
  return found;
}

describe.skipIf(!isThere)(title, () => {
  const messages = isThere ? captured() : [];
  const packets = messages.filter(({ transport }) => transport === 'UDP');
  const streams = messages.filter(({ transport }) => transport === 'TCP');

  test('packet is read without an error', () => {
    expect(packets.length).toBeGreaterThan(50);
    for (const { data } of packets) {
      const { messages: parts, errors } = decodePacket(data, '');
      expect(errors).toEqual([]);
      expect(parts.length).toBeGreaterThan(0);
    }
  });

  test('stream is read without an error', () => {
    expect(streams.length).toBeGreaterThan(5);
    for (const { data } of streams) {
      const decoder = new StreamDecoder('');
      decoder.push(data);
      expect(decoder.next()).not.toBeNull();
    }
  });

  test('compressed message is compressed to the same bytes by us', () => {
    const compressed = messages
      .map(({ data }) => (data[0] === 0x0c ? data.subarray(5) : data))
      .filter((data) => data[0] === 9);
    expect(compressed.length).toBeGreaterThan(10);
    for (const data of compressed) expect(deflate(inflate(data))).toEqual(new Uint8Array(data));
  });
});
