import { errorText } from '@pollux/base';
import type { SimHost } from '../../sim-world.ts';
import { API_PORT } from '../simulated-member.ts';
import { type AlertName, alertText } from './cluster-plan.ts';
import { labelsOf } from './held-log.ts';

/** How often a server repeats its alerts, and for how long it repeats that one has ended, as Prometheus does. */
export const RESEND_MS = 5_000;
/** So long an alert fires at a member that hears no more of it. */
export const LIFE_MS = 4 * RESEND_MS;
const REPEAT_END_MS = 15 * 60_000;
const REQUEST_TIMEOUT_MS = 4_000;

/** An alert as a server knows it. */
type Sent = { readonly name: AlertName; readonly startsAtMs: number; endsAtMs: number | null };

/** An alert as it is written into a request. */
type SentAlert = {
  readonly text: string;
  readonly labels: ReturnType<typeof labelsOf>;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
};

/** A member writes alerts to its disk within this time; what it acknowledged before outlives a power loss. */
const DURABLE_MS = 2_000;

/** What a member was told of an alert last and has acknowledged, and still knows. */
export type Held = { readonly endsAtMs: number; readonly takenMs: number };

export type AlertSendersOptions = {
  readonly servers: readonly SimHost[];
  readonly members: readonly string[];
  readonly now: () => number;
  readonly after: (delayMs: number, work: () => void) => void;
  readonly delayMs: () => number;
  readonly onLog: (line: string) => void;
};

/**
 * Servers that evaluate the same rules and send their alerts to every member again and again, whether it answers or not,
 * one request to a member after the other.
 * They note which member has acknowledged what.
 */
export class AlertSenders {
  readonly #options: AlertSendersOptions;
  readonly #alerts = new Map<string, Sent>();
  readonly #held = new Map<string, Map<string, Held>>();
  readonly #begun: { readonly text: string; readonly atMs: number }[] = [];
  readonly #ended: { readonly text: string; readonly atMs: number }[] = [];
  readonly #lives = new Map<string, number>();
  /** By server and member: what is to be sent when the request that is under way has ended. */
  readonly #waiting = new Map<string, SentAlert[]>();

  constructor(options: AlertSendersOptions) {
    this.#options = options;
    for (const member of options.members) this.#held.set(member, new Map());
  }

  start(): void {
    for (const server of this.#options.servers) this.#repeat(server, this.#options.delayMs());
  }

  fire(name: AlertName): void {
    const startsAtMs = this.#options.now();
    this.#begun.push({ text: alertText(name), atMs: startsAtMs });
    this.#alerts.set(alertText(name), { name, startsAtMs, endsAtMs: null });
    this.#tell(name);
  }

  resolve(name: AlertName): void {
    const alert = this.#alerts.get(alertText(name));
    if (alert !== undefined) alert.endsAtMs = this.#options.now();
    this.#ended.push({ text: alertText(name), atMs: this.#options.now() });
    this.#tell(name);
  }

  /** Whether an alert has begun anew since then. */
  firedAnew(text: string, sinceMs: number): boolean {
    return this.#begun.some((begun) => begun.text === text && begun.atMs > sinceMs);
  }

  /** Whether an alert has ended since then. */
  hasEnded(text: string, sinceMs: number): boolean {
    return this.#ended.some((ended) => ended.text === text && ended.atMs > sinceMs);
  }

  /** When an alert ended last before then, by what the servers know; null when it fires or never did. */
  lastEndMs(text: string, beforeMs: number): number | null {
    const last = (all: readonly { readonly text: string; readonly atMs: number }[]): number =>
      all.findLast((one) => one.text === text && one.atMs <= beforeMs)?.atMs ?? -Infinity;
    const endedMs = last(this.#ended);
    return endedMs > last(this.#begun) ? endedMs : null;
  }

  held(member: string, text: string): Held | undefined {
    return this.#held.get(member)?.get(text);
  }

  /** Its power is gone: it knows what is on its disk. */
  forget(member: string): void {
    const durableMs = this.#options.now() - DURABLE_MS;
    const held = [...(this.#held.get(member) ?? [])];
    this.#held.set(member, new Map(held.filter(([, { takenMs }]) => takenMs <= durableMs)));
    this.#lives.set(member, this.#lifeOf(member) + 1);
  }

  /** A server tells of a change at its next evaluation, so not all at once. */
  #tell(name: AlertName): void {
    for (const server of this.#options.servers) {
      this.#options.after(this.#options.delayMs() % 1_000, () => this.#send(server, [name]));
    }
  }

  #repeat(server: SimHost, delayMs: number): void {
    this.#options.after(delayMs, () => {
      this.#send(
        server,
        [...this.#alerts.values()].map(({ name }) => name),
      );
      this.#repeat(server, RESEND_MS);
    });
  }

  #send(server: SimHost, which: readonly AlertName[]): void {
    const nowMs = this.#options.now();
    const alerts = which
      .map((name) => this.#alerts.get(alertText(name)))
      .filter((alert) => alert !== undefined)
      .filter(({ endsAtMs }) => endsAtMs === null || nowMs - endsAtMs < REPEAT_END_MS)
      .map(({ name, startsAtMs, endsAtMs }) => ({
        text: alertText(name),
        labels: labelsOf(name),
        startsAtMs,
        endsAtMs: endsAtMs ?? nowMs + LIFE_MS,
      }));
    if (alerts.length === 0) return;
    for (const member of this.#options.members) {
      const key = `${server.name} ${member}`;
      const waiting = this.#waiting.get(key);
      if (waiting === undefined) void this.#sendInTurn(server, member, key, alerts);
      else waiting.push(...alerts);
    }
  }

  /** As servers do: what comes while a member has not answered yet waits, and goes in one request behind that. */
  async #sendInTurn(
    server: SimHost,
    member: string,
    key: string,
    first: readonly SentAlert[],
  ): Promise<void> {
    const waiting = [...first];
    this.#waiting.set(key, waiting);
    while (waiting.length > 0) {
      const alerts = waiting.splice(0);
      const life = this.#lifeOf(member);
      try {
        const isTaken = await this.#post(server, member, alerts);
        if (isTaken && this.#lifeOf(member) === life) this.#noteHeld(member, alerts);
      } catch (error) {
        this.#options.onLog(`${server.name} | to ${member}: ${errorText(error)}`);
      }
    }
    this.#waiting.delete(key);
  }

  #noteHeld(member: string, alerts: readonly SentAlert[]): void {
    const held = this.#held.get(member);
    const takenMs = this.#options.now();
    for (const { text, endsAtMs } of alerts) held?.set(text, { endsAtMs, takenMs });
  }

  async #post(server: SimHost, member: string, alerts: readonly SentAlert[]): Promise<boolean> {
    const { status } = await server.env.net.request({
      method: 'POST',
      url: `http://${member}:${API_PORT}/api/v2/alerts`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(
        alerts.map(({ labels, startsAtMs, endsAtMs }) => ({
          labels,
          startsAt: new Date(startsAtMs).toISOString(),
          endsAt: new Date(endsAtMs).toISOString(),
        })),
      ),
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    return status === 200;
  }

  #lifeOf(member: string): number {
    return this.#lives.get(member) ?? 0;
  }
}
