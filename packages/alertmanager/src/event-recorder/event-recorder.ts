import { type Env, errorText, type Timer } from '@pollux/base';
import type { Log, Registry } from '@pollux/telemetry';
import type { Alert } from '../alert/alert.ts';
import type { EventRecorderConfig } from '../config/event-recorder-config.ts';
import type { GroupObserver, ObservedGroup } from '../dispatch/group-observer.ts';
import type { NotifyEvent, WithheldEvent } from '../events/notify-event.ts';
import type { NotifyEvents } from '../events/notify-events.ts';
import type { Inhibitor } from '../inhibit/inhibitor.ts';
import type { SilenceStore } from '../silence/silence-store.ts';
import {
  alertCreatedEvent,
  alertGroupedEvent,
  alertResolvedEvent,
  flushKey,
  inhibitionMutedEvent,
  notificationEvent,
  type RecordedEvent,
  shutdownEvent,
  silenceEvent,
  silenceMutedEvent,
  startupEvent,
} from './event-json.ts';
import { EventLine } from './event-line.ts';
import { type OpenOutput, openOutputs } from './open-outputs.ts';
import { type EventOutput, RecorderMetrics } from './outputs.ts';

const MAX_WAITING = 8_192;
/** Events of so long are written together, ms. */
const WRITE_MS = 50;
/** Written in one go: a tenth of a millisecond each would be the most. */
const WRITTEN_AT_ONCE = 500;
/** What outputs of an earlier configuration have to get rid of their events, ms. */
const REPLACED_MS = 30_000;

export type EventRecorderOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  readonly events: NotifyEvents;
  readonly silences: SilenceStore;
  /** Of the configuration in force. */
  readonly inhibitor: () => Inhibitor | null;
  readonly position: () => number;
  readonly hostname: string;
  readonly version: string;
  readonly userAgent: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Writes to standard output. */
  readonly print: (text: string) => void;
};

/**
 * Tells the outputs of `event_recorder:` what happens, in upstream's words. An event is made when it happens and written a moment later;
 * when more wait than the queue holds, further ones are dropped and counted.
 */
export class EventRecorder implements GroupObserver {
  readonly #options: EventRecorderOptions;
  readonly #metrics: RecorderMetrics;
  readonly #waiting: {
    readonly event: RecordedEvent;
    readonly atMs: number;
    readonly position: number;
  }[] = [];
  /** Hashes of what a flush under way left out, by {@link flushKey}. */
  readonly #muted = new WeakMap<object, bigint[]>();
  #outputs: readonly OpenOutput[] = [];
  #timer: Timer | null = null;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#metrics = new RecorderMetrics(options.registry, () => this.#waiting.length);
    options.events.subscribe((event) => this.#onEvent(event));
  }

  /**
   * Takes the outputs of a configuration; where one of them cannot be opened, the earlier ones stay. An output that is in both goes on,
   * so that a reload does not break off what it has to deliver.
   */
  use(config: EventRecorderConfig | null, directory: string): void {
    const { env, log, print } = this.#options;
    const context = { ...env, log, print, metrics: this.#metrics };
    const earlier = this.#outputs;
    let opened: readonly OpenOutput[];
    try {
      opened = openOutputs(config, earlier, context, { ...this.#options, directory });
    } catch (error) {
      log.error('an output of the event recorder cannot be opened; the earlier ones stay', {
        err: errorText(error),
      });
      return;
    }
    this.#write(Number.POSITIVE_INFINITY);
    this.#outputs = opened;
    for (const one of earlier) if (!opened.includes(one)) void one.output.close(REPLACED_MS);
  }

  started(): void {
    const { version } = this.#options;
    this.#record(
      startupEvent(
        version,
        `(node=${process.version}, platform=${process.platform}/${process.arch})`,
      ),
    );
  }

  /** Tells of the end, and waits so long for what is under way. */
  async close(graceMs: number): Promise<void> {
    this.#record(shutdownEvent());
    this.#timer?.cancel();
    this.#write(Number.POSITIVE_INFINITY);
    await Promise.all(this.#outputs.map(({ output }) => output.close(graceMs)));
    this.#outputs = [];
  }

  onGrouped(group: ObservedGroup, alert: Alert): void {
    this.#tell(() => alertGroupedEvent(alert, nameOf(group), this.#nowMs()));
  }

  onEnded(group: ObservedGroup, alert: Alert): void {
    this.#tell(() => alertResolvedEvent(alert, nameOf(group), this.#nowMs()));
  }

  #onEvent(event: NotifyEvent): void {
    if (this.#outputs.length === 0) return;
    switch (event.kind) {
      case 'alert':
        if (event.change === 'fired' && event.previous === null) {
          this.#record(alertCreatedEvent(event.alert, this.#nowMs()));
        }
        return;
      case 'withheld':
        this.#onWithheld(event);
        return;
      case 'silence':
        if (event.origin === 'here' && event.change !== 'expired') {
          this.#record(silenceEvent(event.change, event.silence));
        }
        return;
      case 'delivery': {
        if (event.outcome.result !== 'sent') return;
        const muted = this.#muted.get(flushKey(event.flush)) ?? [];
        this.#record(notificationEvent(event, muted));
        return;
      }
      default:
        // Upstream's recorder has no words for the others.
        return;
    }
  }

  #onWithheld({ flush, reason, withheld }: WithheldEvent): void {
    if (reason !== 'silence' && reason !== 'inhibition') return;
    const key = flushKey(flush);
    const muted = this.#muted.get(key) ?? [];
    this.#muted.set(key, muted);
    for (const { alert, by } of withheld) {
      muted.push(alert.identity.hash);
      if (reason === 'inhibition') {
        const found =
          this.#options.inhibitor()?.inhibitionOf(alert.identity.labels, flush.nowMs) ?? null;
        if (found !== null) this.#record(inhibitionMutedEvent(alert, found));
        continue;
      }
      for (const id of by) {
        const silence = this.#options.silences.get(id);
        if (silence !== undefined) this.#record(silenceMutedEvent(alert, silence));
      }
    }
  }

  /** Where nothing is written to, nothing is made. */
  #tell(make: () => RecordedEvent): void {
    if (this.#outputs.length > 0) this.#record(make());
  }

  #record(event: RecordedEvent): void {
    if (this.#outputs.length === 0) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.#metrics.dropped.with(event.type).inc();
      return;
    }
    this.#waiting.push({ event, atMs: this.#nowMs(), position: this.#options.position() });
    this.#wake(WRITE_MS);
  }

  #wake(delayMs: number): void {
    this.#timer ??= this.#options.env.clock.after(delayMs, () => {
      this.#timer = null;
      this.#write(WRITTEN_AT_ONCE);
      if (this.#waiting.length > 0) this.#wake(0);
    });
  }

  #write(atMost: number): void {
    const taken = this.#waiting.splice(0, Math.min(atMost, this.#waiting.length));
    if (taken.length === 0) return;
    const { hostname } = this.#options;
    const lines = taken.map(({ event, atMs, position }) => {
      const content = {
        '@timestamp': new Date(atMs).toISOString(),
        instance: hostname,
        data: event.data,
        ...(position === 0 ? {} : { clusterPosition: position }),
      };
      return new EventLine(event.type, content);
    });
    for (const { output } of this.#outputs) this.#writeTo(output, lines);
  }

  #writeTo(output: EventOutput, lines: readonly EventLine[]): void {
    const { recorded, writtenBytes } = this.#metrics;
    let result = 'success';
    try {
      output.write(lines);
    } catch (error) {
      result = 'error';
      this.#options.log.error('events could not be written', {
        output: output.name,
        events: lines.length,
        err: errorText(error),
      });
    }
    for (const line of lines) {
      recorded.with(line.type, output.name, result).inc();
      if (result !== 'success') continue;
      writtenBytes.with(line.type, output.name).inc(line.sizeBytes(output.format));
    }
  }

  #nowMs(): number {
    return this.#options.env.clock.now();
  }
}

function nameOf({ key, labels, route }: ObservedGroup) {
  return { key, labels, receiver: route.settings.receiver };
}
