import { ByteWriter } from '@pollux/base';
import type { Alert } from './alert.ts';
import { writeAlert } from './alert-codec.ts';

/** Bytes above this are not kept until the next alert. */
const KEPT_BYTES = 64 * 1024;

/** An alert as files keep it, made once for those who write the same version one after the other. */
export class AlertBytes {
  #writer = new ByteWriter(1024);
  #bytes: Uint8Array = new Uint8Array(0);
  #alert: Alert | null = null;

  /** Lent until the next call. */
  of(alert: Alert): Uint8Array {
    if (alert === this.#alert) return this.#bytes;
    if (this.#writer.size > KEPT_BYTES) this.#writer = new ByteWriter(1024);
    this.#writer.reset();
    writeAlert(this.#writer, alert);
    this.#bytes = this.#writer.bytes();
    this.#alert = alert;
    return this.#bytes;
  }
}
