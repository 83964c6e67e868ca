import { ProtoReader, WIRE } from '@pollux/base';
import { snappyDecode } from '../snappy.ts';

export type WrittenCounts = {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
};

const TIMESERIES = 5;
const SAMPLES = 2;
const HISTOGRAMS = 3;
const EXEMPLARS = 4;

/** What a request of remote write 2.0 (`io.prometheus.write.v2.Request`, as a snappy block) holds. Throws DecodeError, LimitError. */
export async function countWritten(body: Uint8Array): Promise<WrittenCounts> {
  const reader = new ProtoReader(await snappyDecode(body));
  const counts = new Map<number, number>();
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag >>> 3 !== TIMESERIES) {
      reader.skip(tag);
      continue;
    }
    reader.expect(tag, WIRE.bytes);
    const outer = reader.enter();
    while (!reader.isAtEnd) {
      const field = reader.tag();
      counts.set(field >>> 3, (counts.get(field >>> 3) ?? 0) + 1);
      reader.skip(field);
    }
    reader.leave(outer);
  }
  const of = (field: number): number => counts.get(field) ?? 0;
  return { samples: of(SAMPLES), histograms: of(HISTOGRAMS), exemplars: of(EXEMPLARS) };
}
