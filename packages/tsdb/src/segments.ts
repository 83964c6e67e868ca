// The log's segment files without a database: any records, in order, each with its checksum.
export { segmentIndex, segmentName, type WalPosition } from './wal/segment.ts';
export { type Damage, SegmentReader } from './wal/segment-reader.ts';
export { SegmentWriter } from './wal/segment-writer.ts';
