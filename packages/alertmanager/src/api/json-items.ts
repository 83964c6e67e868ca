import type { Slices } from '@pollux/base';

/** The clock is looked at after so many bytes, some 50 µs of work. */
const LOOK_BYTES = 32 * 1024;

/** Where an item of a list stands in a body, and how many values it has in it, at whatever depth. */
export type ItemPlace = { readonly from: number; readonly to: number; readonly values: number };

/**
 * Where the items of a JSON list lie, found without building anything, so that they can be parsed one by one and those that are
 * too much not at all: a nanosecond a byte, where `JSON.parse` of one object of 300,000 texts holds the thread for a quarter of a
 * second. Null for what is no list, and for what can be no JSON; of the items only the brackets are looked at.
 */
export async function itemsOf(
  body: Uint8Array,
  slices: Slices,
): Promise<readonly ItemPlace[] | null> {
  const scan = new ItemScan(body);
  for (let to = LOOK_BYTES; ; to += LOOK_BYTES) {
    if (!scan.run(Math.min(to, body.length))) return null;
    if (to >= body.length) return scan.isWhole ? scan.items : null;
    if (slices.isOver) await slices.pause();
  }
}

/** How many values a JSON text can have at most. */
export function valuesIn(body: Uint8Array): number {
  let count = 1;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]!;
    if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_MAP) count++;
    else if (byte === QUOTE) at = endOfText(body, at + 1);
  }
  return count;
}

/** The offset of the quote that ends a text. */
function endOfText(body: Uint8Array, start: number): number {
  let at = start;
  for (; at < body.length && body[at] !== QUOTE; at++) if (body[at] === BACKSLASH) at++;
  return at;
}

class ItemScan {
  readonly items: ItemPlace[] = [];
  /** Since the last item began: signs that begin a value, or separate it from the one before. */
  values = 0;
  readonly #body: Uint8Array;
  #at = 0;
  #depth = 0;
  #from = 0;
  #isText = false;
  #isEscaped = false;
  #isClosed = false;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  /** The list, and nothing but it. */
  get isWhole(): boolean {
    return this.#isClosed && !this.#isText;
  }

  /** Goes on up to an offset; false once it can be no list. */
  run(to: number): boolean {
    const body = this.#body;
    for (; this.#at < to; this.#at++) {
      const byte = body[this.#at]!;
      if (this.#isText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#isText = false;
      } else if (IS_SIGN[byte] === 1 && !this.#sign(byte)) return false;
    }
    return true;
  }

  #sign(byte: number): boolean {
    if (this.#isClosed) return false;
    switch (byte) {
      case QUOTE:
        this.#isText = true;
        return this.#depth > 0;
      case COMMA:
        if (this.#depth === 1) this.#end();
        else this.values++;
        return this.#depth > 0;
      case OPEN_LIST:
      case OPEN_MAP:
        if (this.#depth++ > 0) {
          this.values++;
          return true;
        }
        this.#from = this.#at + 1;
        return byte === OPEN_LIST && isBlank(this.#body, 0, this.#at);
      default:
        if (--this.#depth > 0) return true;
        this.#isClosed = true;
        if (byte !== CLOSE_LIST) return false;
        // A list without any item has room for none.
        if (this.items.length > 0 || !isBlank(this.#body, this.#from, this.#at)) this.#end();
        return isBlank(this.#body, this.#at + 1, this.#body.length);
    }
  }

  #end(): void {
    this.items.push({ from: this.#from, to: this.#at, values: this.values });
    this.#from = this.#at + 1;
    this.values = 0;
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_MAP = 0x7b;
const IS_SIGN = Uint8Array.from({ length: 256 }, (_, byte) =>
  '",[]{}'.includes(String.fromCharCode(byte)) ? 1 : 0,
);

function isBlank(body: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = body[at]!;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false;
  }
  return true;
}
