import type { Labels } from '@pollux/model';

const encoder = new TextEncoder();

/** A label set as `Appender.seriesOfUtf8` takes it; used again for the next one. */
export class LabelBytes {
  data = new Uint8Array(1024);
  spans = new Uint32Array(128);
  #used = 0;

  set(labels: Labels): void {
    const { size } = labels;
    if (size * 4 > this.spans.length) this.spans = new Uint32Array(size * 8);
    this.#used = 0;
    for (let i = 0; i < size; i++) {
      this.#write(labels.nameAt(i), i * 4);
      this.#write(labels.valueAt(i), i * 4 + 2);
    }
  }

  #write(text: string, span: number): void {
    const needed = this.#used + text.length * 3;
    if (needed > this.data.length) {
      const grown = new Uint8Array(needed * 2);
      grown.set(this.data);
      this.data = grown;
    }
    this.spans[span] = this.#used;
    this.#used += this.#encode(text, this.#used);
    this.spans[span + 1] = this.#used;
  }

  #encode(text: string, at: number): number {
    const { data } = this;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return encoder.encodeInto(text, data.subarray(at)).written;
      data[at + i] = unit;
    }
    return text.length;
  }
}
