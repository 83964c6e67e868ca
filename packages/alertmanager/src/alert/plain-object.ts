import type { ByteWriter } from '@pollux/base';

/**
 * Named texts as one text: the JSON object that the API prints for them, names in order. One flat string of an engine takes
 * half the memory of an array with a string for each text, is moved at once by a collection, lies in one place when all
 * alerts are gone through in another order than they came in, and is copied into an answer as it is. Only texts that JSON
 * prints as they are, ASCII without escapes, are kept so; then a quote in it is always the end or the beginning of a text.
 */
export type PlainObject = string;

/** Of texts that no plain object holds. */
export const NOT_PLAIN: PlainObject = '';
export const EMPTY_OBJECT: PlainObject = '{}';

const QUOTE = 0x22;
const CLOSE = 0x7d;
/** Units of a text that JSON prints as they are, also where it is to be safe inside HTML. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, unit) =>
  unit >= 0x20 && unit < 0x80 && !'"\\<>&'.includes(String.fromCharCode(unit)) ? 1 : 0,
);

/** From names and values in turn, sorted by name; {@link NOT_PLAIN} when a text is none. */
export function plainObject(flat: readonly string[]): PlainObject {
  if (!flat.every(isPlain)) return NOT_PLAIN;
  const pairs: string[] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push(`"${flat[i]}":"${flat[i + 1]}"`);
  // Written and read again, so that it is one piece: joined texts would stay a tree of pieces.
  return Buffer.from(`{${pairs.join(',')}}`, 'latin1').toString('latin1');
}

function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (IS_PLAIN[text.charCodeAt(i)] !== 1) return false;
  return true;
}

/** The value of a name; undefined where it has none. */
export function textIn(object: PlainObject, name: string): string | undefined {
  const { length } = name;
  // At the beginning of a name each time.
  for (let at = 2; at < object.length; ) {
    const nameEnd = object.indexOf('"', at);
    const start = nameEnd + 3;
    const end = object.indexOf('"', start);
    if (nameEnd - at === length && object.startsWith(name, at)) return object.slice(start, end);
    at = end + 3;
  }
  return undefined;
}

/** Names and values in turn. */
export function textsIn(object: PlainObject): string[] {
  const texts: string[] = [];
  for (let at = 2; at < object.length; ) {
    const end = object.indexOf('"', at);
    texts.push(object.slice(at, end));
    at = end + 3;
  }
  return texts;
}

/** By names and values in turn; a text that another begins with comes before it, and so does an object. */
export function compareObjects(a: PlainObject, b: PlainObject): number {
  const shared = Math.min(a.length, b.length);
  let isInText = false;
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) {
      if (x === QUOTE) isInText = !isInText;
      continue;
    }
    // The end of a text, or of the object.
    const end = isInText ? QUOTE : CLOSE;
    if (x === end) return -1;
    return y === end ? 1 : x - y;
  }
  return 0;
}

/** Whether bytes spell an object. */
export function isSpelled(object: PlainObject, bytes: Uint8Array, size: number): boolean {
  if (object.length !== size) return false;
  // Without a branch for each sign: objects of one hash and length are nearly always equal.
  let difference = 0;
  for (let i = 0; i < size; i++) difference |= object.charCodeAt(i) ^ bytes[i]!;
  return difference === 0;
}

/** Longer objects are written text by text. */
const MAX_PACKED = 4096;
const SPELLED = Buffer.alloc(MAX_PACKED);
const PACKED = new Uint8Array(MAX_PACKED);

/** As a count of pairs and each text behind its length, which is how files keep them; see alerts.md. */
export function writeObject(writer: ByteWriter, object: PlainObject): void {
  if (object.length <= MAX_PACKED) {
    const end = SPELLED.write(object, 0, 'latin1');
    const size = pack(SPELLED, end, PACKED);
    if (size >= 0) {
      writer.uvarint(pairsIn(end, size));
      writer.raw(PACKED, 0, size);
      return;
    }
  }
  const texts = textsIn(object);
  writer.uvarint(texts.length / 2);
  for (const text of texts) writer.uvarintText(text);
}

/** Each pair has four quotes, a colon and a comma (the last one none), where it has two lengths in packed form. */
function pairsIn(size: number, packedSize: number): number {
  return packedSize === 0 ? 0 : (size - '{}'.length + 1 - packedSize) / 4;
}

/** The size of the packed form of the object that is spelled in `from[0, end)`; -1 when a length takes more than one byte. */
function pack(from: Uint8Array, end: number, into: Uint8Array): number {
  let size = 0;
  for (let at = 2; at < end; at += 3) {
    const start = ++size;
    for (let byte = from[at]!; byte !== QUOTE; byte = from[++at]!) into[size++] = byte;
    const length = size - start;
    if (length >= 0x80) return -1;
    into[start - 1] = length;
  }
  return size;
}
