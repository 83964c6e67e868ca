import type { StopSignal } from '@pollux/base';
import type { HttpConfig } from '@pollux/http';
import type { Counter, Family } from '@pollux/telemetry';
import { DeliveryError, type FailureReason } from '../../../errors.ts';
import type { BuildOptions } from '../build-options.ts';
import { checkedUrl, checkStatus, jsonObject, ReceiverHttp, secretOf } from '../receiver-http.ts';
import type { RobotAddress } from './address.ts';
import type { RobotLimit, RobotRate } from './rate.ts';

/** The services answer within a second or not at all. */
const TIMEOUT_MS = 10_000;

export type RobotRefusal = {
  readonly code: string;
  readonly message: string;
  readonly retry: boolean;
  readonly reason: FailureReason;
};

/** How a service of robots is spoken to. */
export type RobotProtocol = {
  /** Of the metric. */
  readonly name: string;
  readonly limit: RobotLimit;
  /** Address and body of a message now; a signature holds the time. */
  readonly sign: (
    message: string,
    robot: { readonly url: string; readonly secret: string },
    nowMs: number,
  ) => { readonly url: string; readonly body: string };
  /** The refusal in an answer of status 200; null for an accepted message. `fields` is null when it is no JSON. */
  readonly refusal: (fields: Readonly<Record<string, unknown>> | null) => RobotRefusal | null;
};

type SenderOptions = Pick<
  BuildOptions,
  'env' | 'registry' | 'robots' | 'resolvePath' | 'userAgent' | 'variables'
>;

/** Sends messages by that of several robots of a receiver which is free soonest. */
export class RobotSender {
  readonly #robots: readonly RobotAddress[];
  readonly #protocol: RobotProtocol;
  readonly #options: SenderOptions;
  readonly #http: ReceiverHttp;
  readonly #refusals: Family<Counter>;
  #next = 0;

  constructor(
    robots: readonly RobotAddress[],
    http: HttpConfig,
    protocol: RobotProtocol,
    options: SenderOptions,
  ) {
    this.#robots = robots;
    this.#protocol = protocol;
    this.#options = options;
    this.#http = new ReceiverHttp(http, options);
    this.#refusals = options.registry.counters(
      'pollux_alertmanager_robot_errors_total',
      'Messages that a service of robots refused, by its error code.',
      ['integration', 'errcode'],
    );
  }

  async send(message: string, signal: StopSignal): Promise<void> {
    const { name, limit, sign, refusal } = this.#protocol;
    const { env } = this.#options;
    const { url, secret, rate } = this.#soonest();
    await rate.acquire(limit, signal);
    const answer = await this.#http.json({
      ...sign(message, { url, secret }, env.clock.now()),
      timeoutMs: TIMEOUT_MS,
      signal,
      secrets: [url, secret],
    });
    const refused = refusal(jsonObject(answer));
    // A code of the service says more than the status that it comes with.
    if (refused === null || refused.code === 'none') checkStatus(answer, { retryCodes: [429] });
    if (refused === null) return;
    this.#refusals.with(name, refused.code).inc();
    if (refused.reason === 'rateLimited') rate.rest(limit);
    throw new DeliveryError(answer.mask(refused.message), refused);
  }

  /** Ties go round, so that no robot speaks alone. */
  #soonest(): { readonly url: string; readonly secret: string; readonly rate: RobotRate } {
    const { files } = this.#options.env;
    const { limit } = this.#protocol;
    const start = this.#next++ % this.#robots.length;
    const turned = [...this.#robots.slice(start), ...this.#robots.slice(0, start)];
    const [first, ...others] = turned.map((robot) => {
      const url = checkedUrl(secretOf(files, robot.url, robot.url_file));
      const secret = secretOf(files, robot.secret, robot.secret_file);
      const rate = this.#options.robots.of(url);
      return { url, secret, rate, waitMs: rate.waitMs(limit), waiting: rate.waitingCount };
    });
    if (first === undefined) throw new DeliveryError('no robot is configured', { retry: false });
    return others.reduce(
      (best, each) =>
        each.waitMs - best.waitMs < 0 ||
        (each.waitMs === best.waitMs && each.waiting < best.waiting)
          ? each
          : best,
      first,
    );
  }
}
