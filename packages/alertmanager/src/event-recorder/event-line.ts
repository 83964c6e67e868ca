import { eventProtobuf } from './event-protobuf.ts';

export type EventFormat = 'json' | 'protobuf';

/** One event in the forms in which outputs want it, each made for the first that does. */
export class EventLine {
  readonly type: string;
  readonly #content: object;
  #json: string | null = null;
  #protobuf: Uint8Array | null = null;

  /** `content` is what is written as JSON, the time and the instance included. */
  constructor(type: string, content: object) {
    this.type = type;
    this.#content = content;
  }

  get json(): string {
    this.#json ??= JSON.stringify(this.#content);
    return this.#json;
  }

  get protobuf(): Uint8Array {
    this.#protobuf ??= eventProtobuf(this.#content);
    return this.#protobuf;
  }

  sizeBytes(format: EventFormat): number {
    return format === 'json' ? Buffer.byteLength(this.json) : this.protobuf.length;
  }
}
