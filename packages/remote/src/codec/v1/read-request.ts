import { ByteWriter, DecodeError, ProtoReader, WIRE } from '@pollux/base';
import { Matcher, type MatchOperator } from '@pollux/model';
import type { SelectHints } from '@pollux/storage';
import {
  writeInt64,
  writeInt64Field,
  writeMessage,
  writeTextField,
  writeUintField,
} from '../proto-writer.ts';
import type { BucketWish } from './bucket-rows.ts';

export type ResponseType = 'samples' | 'streamed-xor-chunks';

export type ReadQuery = {
  /** Both ends included, whole milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  readonly matchers: readonly Matcher[];
  /** Null when the client gave none. */
  readonly hints: SelectHints | null;
  /** Buckets do in place of samples, in an answer in chunks. Who does not know of it gives samples. */
  readonly buckets?: BucketWish;
};

export type ReadRequest = {
  readonly queries: readonly ReadQuery[];
  /** In the client's order of preference; empty means samples. Types that are not known are left out. */
  readonly accepted: readonly ResponseType[];
};

/** In the order of the enum LabelMatcher.Type. */
const OPERATORS: readonly MatchOperator[] = ['=', '!=', '=~', '!~'];
const RESPONSE_TYPES: readonly ResponseType[] = ['samples', 'streamed-xor-chunks'];
/** Query.buckets: far behind the numbers of the protocol's own fields. */
const BUCKETS_FIELD = 1_000;
/** Most queries, matchers of a query, grouping labels, or edges of buckets that are read. */
const MAX_PARTS = 1_000;

export function encodeReadRequest(request: ReadRequest): Uint8Array {
  const out = new ByteWriter(256);
  for (const query of request.queries) writeMessage(out, 0x0a, (inner) => writeQuery(inner, query));
  if (request.accepted.length > 0) {
    writeMessage(out, 0x12, (inner) => {
      for (const type of request.accepted) inner.uvarint(RESPONSE_TYPES.indexOf(type));
    });
  }
  return out.take();
}

function writeQuery(out: ByteWriter, query: ReadQuery): void {
  writeInt64Field(out, 0x08, query.startMs);
  writeInt64Field(out, 0x10, query.endMs);
  for (const matcher of query.matchers) {
    writeMessage(out, 0x1a, (inner) => {
      writeUintField(inner, 0x08, OPERATORS.indexOf(matcher.operator));
      writeTextField(inner, 0x12, matcher.name);
      writeTextField(inner, 0x1a, matcher.value);
    });
  }
  const { hints, buckets } = query;
  if (hints !== null) writeHints(out, hints);
  if (buckets !== undefined) writeBuckets(out, buckets);
}

function writeHints(out: ByteWriter, hints: SelectHints): void {
  writeMessage(out, 0x22, (inner) => {
    writeInt64Field(inner, 0x08, hints.stepMs);
    writeTextField(inner, 0x12, hints.func);
    writeInt64Field(inner, 0x18, hints.startMs);
    writeInt64Field(inner, 0x20, hints.endMs);
    for (const name of hints.grouping) {
      inner.u8(0x2a);
      inner.uvarintText(name);
    }
    if (hints.by) writeUintField(inner, 0x30, 1);
    writeInt64Field(inner, 0x38, hints.rangeMs);
  });
}

function writeBuckets(out: ByteWriter, { edgesMs, isCounter }: BucketWish): void {
  writeMessage(out, BUCKETS_FIELD * 8 + WIRE.bytes, (inner) => {
    for (const edgeMs of edgesMs) {
      inner.u8(0x08);
      writeInt64(inner, edgeMs);
    }
    if (isCounter) writeUintField(inner, 0x10, 1);
  });
}

/** Throws DecodeError on malformed bytes and PatternError on a matcher that is no RE2. */
export function decodeReadRequest(data: Uint8Array): ReadRequest {
  const reader = new ProtoReader(data);
  const queries: ReadQuery[] = [];
  const accepted: ResponseType[] = [];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) {
      reader.expect(tag, WIRE.bytes);
      const outer = reader.enter();
      queries.push(readQuery(reader));
      reader.leave(outer);
      bound(queries.length, reader);
    } else if (tag >>> 3 === 2) readAccepted(reader, tag, accepted);
    else reader.skip(tag);
  }
  return { queries, accepted };
}

/** A repeated enum, packed or not. */
function readAccepted(reader: ProtoReader, tag: number, into: ResponseType[]): void {
  const add = (): void => {
    const type = RESPONSE_TYPES[reader.uint()];
    if (type !== undefined && !into.includes(type)) into.push(type);
  };
  if ((tag & 7) === WIRE.varint) {
    add();
    return;
  }
  reader.expect(tag, WIRE.bytes);
  const outer = reader.enter();
  while (!reader.isAtEnd) add();
  reader.leave(outer);
}

function readQuery(reader: ProtoReader): ReadQuery {
  let startMs = 0;
  let endMs = 0;
  let hints: SelectHints | null = null;
  let buckets: BucketWish | null = null;
  const matchers: Matcher[] = [];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field === 1 || field === 2) {
      reader.expect(tag, WIRE.varint);
      const value = reader.int64Clamped();
      if (field === 1) startMs = value;
      else endMs = value;
    } else if (field === 3 || field === 4) {
      reader.expect(tag, WIRE.bytes);
      const outer = reader.enter();
      if (field === 3) matchers.push(readMatcher(reader));
      else hints = readHints(reader);
      reader.leave(outer);
      bound(matchers.length, reader);
    } else if (field === BUCKETS_FIELD) {
      reader.expect(tag, WIRE.bytes);
      const outer = reader.enter();
      buckets = readBuckets(reader);
      reader.leave(outer);
    } else reader.skip(tag);
  }
  return { startMs, endMs, matchers, hints, ...(buckets === null ? {} : { buckets }) };
}

function readBuckets(reader: ProtoReader): BucketWish {
  const edgesMs: number[] = [];
  let isCounter = false;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field === 1 || field === 2) {
      reader.expect(tag, WIRE.varint);
      if (field === 2) isCounter = reader.uint() !== 0;
      else edgesMs.push(reader.int64Clamped());
      bound(edgesMs.length, reader);
    } else reader.skip(tag);
  }
  return { edgesMs: edgesMs.sort((a, b) => a - b), isCounter };
}

function readMatcher(reader: ProtoReader): Matcher {
  let operator: MatchOperator | undefined = '=';
  let name = '';
  let value = '';
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) {
      reader.expect(tag, WIRE.varint);
      operator = OPERATORS[reader.uint()];
    } else if (tag >>> 3 === 2) {
      reader.expect(tag, WIRE.bytes);
      name = reader.text();
    } else if (tag >>> 3 === 3) {
      reader.expect(tag, WIRE.bytes);
      value = reader.text();
    } else reader.skip(tag);
  }
  if (operator === undefined) throw new DecodeError('invalid matcher type', reader.offset);
  if (name === '') throw new DecodeError('matcher without a label name', reader.offset);
  return new Matcher(name, operator, value);
}

function readHints(reader: ProtoReader): SelectHints {
  const numbers = [0, 0, 0, 0, 0, 0, 0, 0];
  const grouping: string[] = [];
  let func = '';
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const field = tag >>> 3;
    if (field === 2 || field === 5) {
      reader.expect(tag, WIRE.bytes);
      const text = reader.text();
      if (field === 2) func = text;
      else grouping.push(text);
      bound(grouping.length, reader);
    } else if (field < 8) {
      reader.expect(tag, WIRE.varint);
      numbers[field] = reader.int64Clamped();
    } else reader.skip(tag);
  }
  const at = (field: number): number => numbers[field] ?? 0;
  return {
    stepMs: at(1),
    func,
    startMs: at(3),
    endMs: at(4),
    grouping,
    by: at(6) !== 0,
    rangeMs: at(7),
    limit: 0,
  };
}

function bound(count: number, reader: ProtoReader): void {
  if (count > MAX_PARTS) throw new DecodeError(`more than ${MAX_PARTS} parts`, reader.offset);
}
