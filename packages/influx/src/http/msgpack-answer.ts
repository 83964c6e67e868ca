import { UNIT_NANOS } from '../line-protocol/precision.ts';
import type { ShownCell, StatementResult } from '../query/result.ts';
import type { Epoch } from './json-answer.ts';

// MessagePack as influxd writes it: whole numbers signed and as short as they go, times as extension 5 (seconds as int64, then
// nanoseconds as int32, both big-endian), a failed statement as a map of its error alone.

const TIME_EXTENSION = 5;

export function resultsMsgpack(results: readonly StatementResult[], epoch: Epoch): Uint8Array {
  const out = new MsgpackWriter();
  out.map(1);
  out.text('results');
  out.array(results.length);
  for (const result of results) writeResult(out, result, epoch);
  return out.bytes();
}

export function errorMsgpack(message: string): Uint8Array {
  const out = new MsgpackWriter();
  out.map(1);
  out.text('error');
  out.text(message);
  return out.bytes();
}

function writeResult(out: MsgpackWriter, result: StatementResult, epoch: Epoch): void {
  if (result.error !== null) {
    out.map(1);
    out.text('error');
    out.text(result.error);
    return;
  }
  const hasMessages = result.messages.length > 0;
  out.map(2 + Number(hasMessages) + Number(result.partial === true));
  out.text('statement_id');
  out.integer(BigInt(result.statementId));
  if (hasMessages) {
    out.text('messages');
    out.array(result.messages.length);
    for (const message of result.messages) {
      out.map(2);
      out.text('level');
      out.text('warning');
      out.text('text');
      out.text(message);
    }
  }
  out.text('series');
  out.array(result.series.length);
  for (const series of result.series) {
    const tags = series.tags ?? [];
    out.map(
      2 + Number(series.name !== '') + Number(tags.length > 0) + Number(series.partial === true),
    );
    if (series.name !== '') {
      out.text('name');
      out.text(series.name);
    }
    if (tags.length > 0) {
      out.text('tags');
      out.map(tags.length);
      for (const [key, value] of tags) {
        out.text(key);
        out.text(value);
      }
    }
    out.text('columns');
    out.array(series.columns.length);
    for (const column of series.columns) out.text(column);
    out.text('values');
    out.array(series.rows.length);
    for (const row of series.rows) {
      out.array(row.length);
      for (const [index, cell] of row.entries()) {
        if (index > 0 || !series.hasTime || typeof cell !== 'bigint') out.cell(cell);
        else if (epoch === null) out.time(cell);
        else out.integer(cell / UNIT_NANOS[epoch]);
      }
    }
    if (series.partial === true) {
      out.text('partial');
      out.cell(true);
    }
  }
  if (result.partial === true) {
    out.text('partial');
    out.cell(true);
  }
}

class MsgpackWriter {
  #buffer = Buffer.allocUnsafe(1_024);
  #at = 0;

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }

  map(size: number): void {
    if (size < 16) this.#byte(0x80 | size);
    else this.#head(0xde, size);
  }

  array(size: number): void {
    if (size < 16) this.#byte(0x90 | size);
    else this.#head(0xdc, size);
  }

  text(value: string): void {
    const size = Buffer.byteLength(value);
    if (size < 32) this.#byte(0xa0 | size);
    else if (size < 256) {
      this.#byte(0xd9);
      this.#byte(size);
    } else this.#head(0xda, size);
    this.#room(size);
    this.#at += this.#buffer.write(value, this.#at);
  }

  integer(value: bigint): void {
    this.#room(9);
    if (value >= -32n && value < 128n) this.#at = this.#buffer.writeInt8(Number(value), this.#at);
    else if (BigInt.asIntN(8, value) === value) {
      this.#byte(0xd0);
      this.#at = this.#buffer.writeInt8(Number(value), this.#at);
    } else if (BigInt.asIntN(16, value) === value) {
      this.#byte(0xd1);
      this.#at = this.#buffer.writeInt16BE(Number(value), this.#at);
    } else if (BigInt.asIntN(32, value) === value) {
      this.#byte(0xd2);
      this.#at = this.#buffer.writeInt32BE(Number(value), this.#at);
    } else if (BigInt.asIntN(64, value) === value) {
      this.#byte(0xd3);
      this.#at = this.#buffer.writeBigInt64BE(value, this.#at);
    } else {
      this.#byte(0xcf);
      this.#at = this.#buffer.writeBigUInt64BE(BigInt.asUintN(64, value), this.#at);
    }
  }

  time(nanos: bigint): void {
    let rest = nanos % 1_000_000_000n;
    if (rest < 0n) rest += 1_000_000_000n;
    this.#room(15);
    this.#byte(0xc7);
    this.#byte(12);
    this.#byte(TIME_EXTENSION);
    this.#at = this.#buffer.writeBigInt64BE((nanos - rest) / 1_000_000_000n, this.#at);
    this.#at = this.#buffer.writeInt32BE(Number(rest), this.#at);
  }

  cell(cell: ShownCell): void {
    if (cell === null) this.#byte(0xc0);
    else if (typeof cell === 'boolean') this.#byte(cell ? 0xc3 : 0xc2);
    else if (typeof cell === 'string') this.text(cell);
    else if (typeof cell === 'bigint') this.integer(cell);
    else if (typeof cell === 'number') {
      this.#byte(0xcb);
      this.#room(8);
      this.#at = this.#buffer.writeDoubleBE(cell, this.#at);
    } else {
      this.array(cell.length);
      for (const text of cell) this.text(text);
    }
  }

  /** A size of 16 bits behind `short`, or of 32 behind the next code. */
  #head(short: number, size: number): void {
    const isShort = size < 65_536;
    this.#byte(isShort ? short : short + 1);
    this.#room(4);
    this.#at = isShort
      ? this.#buffer.writeUInt16BE(size, this.#at)
      : this.#buffer.writeUInt32BE(size, this.#at);
  }

  #byte(value: number): void {
    this.#room(1);
    this.#buffer[this.#at++] = value;
  }

  #room(size: number): void {
    if (this.#at + size <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + size));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}
