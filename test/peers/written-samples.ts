import { Labels, wordsOf } from '@pollux/model';
import { encodeLabels, snappyEncode, TimeSeriesEncoder } from '@pollux/remote';
import { expect } from 'vitest';
import type { Server } from './real-prometheus.ts';

/** All that a server was sent and has acknowledged, by series, as `time value`. */
export type Ledger = Map<string, Map<number, number>>;

/** Writes the samples and notes them; those of a time that is noted already are not noted again. */
export async function send(
  { url }: Pick<Server, 'url'>,
  samples: readonly { readonly name: string; readonly atMs: number; readonly value: number }[],
  ledger: Ledger,
): Promise<void> {
  const encoder = new TimeSeriesEncoder();
  for (const { name, atMs, value } of samples) {
    const words = wordsOf(Float64Array.of(value));
    const rows = { timestampsMs: Float64Array.of(atMs), words };
    encoder.run(encodeLabels(Labels.from({ __name__: name })), rows, 0, 1);
  }
  const answer = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    },
    body: snappyEncode(encoder.bytes()) as Uint8Array<ArrayBuffer>,
  });
  expect([answer.status, await answer.text()]).toEqual([204, '']);
  for (const { name, atMs, value } of samples) {
    const points = ledger.get(name) ?? new Map<number, number>();
    if (!points.has(atMs)) points.set(atMs, value);
    ledger.set(name, points);
  }
}

/** Expects that the server answers what was noted, of the twelve hours up to `untilMs`. */
export async function expectAll(
  { url }: Pick<Server, 'url'>,
  ledger: Ledger,
  untilMs: number,
): Promise<void> {
  for (const [name, points] of ledger) {
    const query = encodeURIComponent(`${name}[12h]`);
    const answer = await fetch(
      `${url}/api/v1/query?query=${query}&time=${untilMs / 1000}&timeout=60s`,
    );
    const body = (await answer.json()) as {
      data: { result: { values: [number, string][] }[] };
    };
    const values = body.data.result[0]?.values.map(([at, value]) => [
      Math.round(at * 1000),
      Number(value),
    ]);
    const expected = [...points].sort(([a], [b]) => a - b);
    expect(values, `${name} by ${url}`).toEqual(expected);
  }
}
