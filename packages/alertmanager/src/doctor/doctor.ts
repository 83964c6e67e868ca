import { type Clock, errorText, OperatingError, type Random, randomHex, sleep } from '@pollux/base';
import type { Log } from '@pollux/telemetry';
import type { ClusterPort, ClusterStatePart, MemberLink } from '../cluster-port.ts';
import { type Answer, type Ask, decodeDoctorMessages, encodeDoctorMessage } from './codec.ts';

/** How long a way has to answer, ms. */
const TRY_MS = 2_000;
/** How long members have to answer, ms: they try all ways first, and gossip takes its time both ways. */
const ANSWER_MS = 4_000;
const POLL_MS = 100;
/** Questions answered at most once in this time, ms. */
const PAUSE_MS = 2_000;

export type DoctorOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly cluster: ClusterPort;
  readonly version: string;
};

/** What this member sees of another, and what that one says that it sees of us; null when it said nothing. */
export type Examined = { readonly link: MemberLink; readonly answer: DatedAnswer | null };

/** An answer with when, by this member's wall clock, the question went and the answer came. */
export type DatedAnswer = Answer & { readonly askedMs: number; readonly answeredMs: number };

type Question = { readonly askedMs: number; readonly answers: Map<string, DatedAnswer> };

/** Examines the ways between members, in both directions. The state "pollux_doctor". */
export class Doctor implements ClusterStatePart {
  readonly #options: DoctorOptions;
  readonly #questions = new Map<string, Question>();
  #broadcast: (data: Uint8Array) => void = () => {};
  #answeredMs = Number.NEGATIVE_INFINITY;
  /** An examination under way serves all who ask meanwhile. */
  #running: Promise<readonly Examined[]> | null = null;

  constructor(options: DoctorOptions) {
    this.#options = options;
  }

  connect(broadcast: (data: Uint8Array) => void): void {
    this.#broadcast = broadcast;
  }

  /** Takes about two seconds, four when a member does not answer. */
  examine(): Promise<readonly Examined[]> {
    this.#running ??= this.#examine().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Questions are of the moment: nothing is handed on. */
  marshal(): Uint8Array {
    return new Uint8Array(0);
  }

  merge(data: Uint8Array): void {
    for (const message of decodeDoctorMessages(data)) {
      if (message.kind === 'ask') this.#onAsk(message);
      else this.#onAnswer(message);
    }
  }

  async #examine(): Promise<readonly Examined[]> {
    const { clock, random, cluster } = this.#options;
    const others = cluster.peers().filter(({ name }) => name !== cluster.name);
    if (others.length === 0) return [];
    const id = randomHex(random, 8);
    const question: Question = { askedMs: clock.now(), answers: new Map() };
    this.#questions.set(id, question);
    try {
      this.#broadcast(encodeDoctorMessage({ kind: 'ask', id, member: cluster.name }));
      const links = await cluster.diagnose(TRY_MS);
      const endMs = clock.monotonic() + ANSWER_MS - TRY_MS;
      while (question.answers.size < others.length && clock.monotonic() < endMs) {
        await sleep(clock, POLL_MS);
      }
      return links.map((link) => ({ link, answer: question.answers.get(link.name) ?? null }));
    } finally {
      this.#questions.delete(id);
    }
  }

  #onAsk({ id, member }: Ask): void {
    const { clock, cluster, log } = this.#options;
    if (member === cluster.name) return;
    const nowMs = clock.monotonic();
    if (nowMs - this.#answeredMs < PAUSE_MS) return;
    this.#answeredMs = nowMs;
    const receivedMs = clock.now();
    cluster.diagnose(TRY_MS).then(
      (links) => this.#answer(id, receivedMs, links),
      (error: unknown) => {
        if (!OperatingError.is(error)) throw error;
        log.warn('Ways to members cannot be tried', { err: errorText(error) });
      },
    );
  }

  #answer(id: string, receivedMs: number, links: readonly MemberLink[]): void {
    const { clock, cluster, version } = this.#options;
    const answer: Answer = {
      kind: 'answer',
      id,
      member: cluster.name,
      version,
      receivedMs,
      sentMs: clock.now(),
      links,
    };
    this.#broadcast(encodeDoctorMessage(answer));
  }

  #onAnswer(answer: Answer): void {
    const question = this.#questions.get(answer.id);
    if (question === undefined) return;
    const { askedMs, answers } = question;
    answers.set(answer.member, { ...answer, askedMs, answeredMs: this.#options.clock.now() });
  }
}
