import {
  deadline,
  type Env,
  errorText,
  OperatingError,
  type StopSignal,
  TimeoutError,
} from '@pollux/base';
import { GoStruct, TemplateSet, type Value } from '@pollux/gotemplate';
import { DEFAULT_HTTP_CONFIG, type Exchange, type Router, text } from '@pollux/http';
import type { Log, Registry } from '@pollux/telemetry';
import { resolvePath } from '../config/config.ts';
import { DeliveryError } from '../errors.ts';
import type { Notification } from '../notify/notification.ts';
import { DINGTALK_PROTOCOL } from '../notify/receivers/dingtalk/protocol.ts';
import { fittingBody } from '../notify/receivers/robots/fitting.ts';
import { RobotSender } from '../notify/receivers/robots/robot-sender.ts';
import type { Robots } from '../notify/receivers/robots/robots.ts';
import { templateData } from '../template/data.ts';
import { filesMatching } from '../template/templates.ts';
import { BUILT_IN_TEMPLATES } from './built-in-templates.ts';
import { type DingtalkTarget, readDingtalkWebhookConfig } from './config.ts';
import { webhookFunctions } from './functions.ts';
import { notificationFrom } from './message.ts';

const MAX_REQUEST_BYTES = 16 * 1024 * 1024;
const MAX_MESSAGE_BYTES = 20_000;
const MAX_TEMPLATE_BYTES = 4 * 1024 * 1024;
/** How long a message may wait for its robot's turn, beside the file's time-out for the service's answer. */
const MAX_WAIT_MS = 20_000;

export type DingtalkWebhookOptions = {
  readonly env: Env;
  readonly log: Log;
  readonly registry: Registry;
  /** Limits are shared with the receivers of this process and its cluster. */
  readonly robots: Robots;
  readonly userAgent: string;
  /** The environment's: the original goes through the proxy that they name, and so does this. */
  readonly variables: Readonly<Record<string, string | undefined>>;
};

type Live = {
  readonly targets: ReadonlyMap<string, DingtalkTarget>;
  readonly templates: TemplateSet;
  readonly senders: ReadonlyMap<string, RobotSender>;
  readonly timeoutMs: number;
};

/**
 * `POST /dingtalk/{target}/send` of prometheus-webhook-dingtalk 2, by its config.yml: one markdown message for a webhook
 * message of any Alertmanager. Unlike the original, a failure that may pass (the rate, a broken connection) is answered by
 * 503, which Alertmanager tries again; it answers 400 to all, which is never tried again.
 */
export class DingtalkWebhook {
  readonly #options: DingtalkWebhookOptions;
  #live: Live | null = null;

  constructor(options: DingtalkWebhookOptions) {
    this.#options = options;
  }

  /** Reads and checks everything; `commit` cannot fail. Throws ConfigError, TemplateError or a system error. */
  prepare(text: string, file: string): { commit(): void } {
    const config = readDingtalkWebhookConfig(text, file);
    const targets = Object.entries(config.targets);
    const live: Live = {
      targets: new Map(targets),
      templates: this.#templates(config.templates, config.hasBuiltIn, file),
      senders: new Map(targets.map(([name, target]) => [name, this.#sender(target)])),
      timeoutMs: config.timeoutMs,
    };
    return {
      commit: () => {
        this.#live = live;
      },
    };
  }

  registerRoutes(router: Router): void {
    router.post('/dingtalk/:target/send', (exchange) => this.#receive(exchange));
  }

  async #receive(exchange: Exchange) {
    const name = exchange.params.target ?? '';
    const live = this.#live;
    const target = live?.targets.get(name);
    const sender = live?.senders.get(name);
    const log = this.#options.log.with({ target: name });
    if (live === null || target === undefined || sender === undefined) {
      log.warn('target not found');
      return text(404, '404 page not found\n');
    }
    try {
      const body = await exchange.request.body(MAX_REQUEST_BYTES);
      const notification = notificationFrom(new TextDecoder().decode(body));
      const message = messageFor(notification, target, live.templates);
      await this.#send(sender, message, { timeoutMs: live.timeoutMs, signal: exchange.signal });
      return text(200, 'OK');
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      log.error('Failed to send notification to DingTalk', { err: errorText(error) });
      const isPassing = error instanceof DeliveryError && error.retry;
      if (!(error instanceof DeliveryError)) return text(400, 'Bad Request\n');
      return text(isPassing ? 503 : 400, 'Unable to talk to DingTalk\n');
    }
  }

  async #send(
    sender: RobotSender,
    message: string,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: StopSignal },
  ): Promise<void> {
    const waitMs = MAX_WAIT_MS + (timeoutMs > 0 ? timeoutMs : MAX_WAIT_MS);
    const late = (): Error => new TimeoutError(`no answer of DingTalk in ${waitMs} ms`);
    const end = deadline(this.#options.env.clock, waitMs, late, signal);
    try {
      await sender.send(message, end.signal);
    } finally {
      end.release();
    }
  }

  #sender({ url, secret }: DingtalkTarget): RobotSender {
    const { env, registry, robots, userAgent, variables } = this.#options;
    return new RobotSender(
      [{ url, url_file: '', secret, secret_file: '' }],
      { ...DEFAULT_HTTP_CONFIG, proxy_from_environment: true },
      { ...DINGTALK_PROTOCOL, name: 'dingtalk_webhook' },
      { env, registry, robots, userAgent, variables, resolvePath: (path) => path },
    );
  }

  #templates(globs: readonly string[], hasBuiltIn: boolean, file: string): TemplateSet {
    const { clock, files } = this.#options.env;
    const set = new TemplateSet({ functions: webhookFunctions(clock), missingKey: 'zero' });
    if (hasBuiltIn) set.add('default.tmpl', BUILT_IN_TEMPLATES);
    const directory = file.includes('/') ? file.slice(0, file.lastIndexOf('/')) || '/' : '.';
    for (const glob of globs) {
      for (const path of filesMatching(files, resolvePath(directory, glob))) {
        const { size } = files.stat(path);
        if (size > MAX_TEMPLATE_BYTES) {
          throw new DeliveryError(`${path}: larger than ${MAX_TEMPLATE_BYTES} bytes`, {
            retry: false,
          });
        }
        set.add(
          path.slice(path.lastIndexOf('/') + 1),
          new TextDecoder().decode(files.readFile(path)),
        );
      }
    }
    return set;
  }
}

function messageFor(
  notification: Notification,
  target: DingtalkTarget,
  templates: TemplateSet,
): string {
  const mobiles = target.mention?.mobiles ?? [];
  const render = (template: string, shown: Notification): string =>
    templates.executeText('', template, withMobiles(templateData(shown), mobiles));
  const title = render(target.message.title, notification);
  const at =
    target.mention === null ? {} : { at: { atMobiles: mobiles, isAtAll: target.mention.all } };
  return fittingBody({
    notification,
    textOf: (shown) => render(target.message.text, shown),
    bodyOf: (content) =>
      JSON.stringify({ msgtype: 'markdown', markdown: { title, text: content }, ...at }),
    fits: (body) => Buffer.byteLength(body) <= MAX_MESSAGE_BYTES,
  });
}

/** The data of notifications with `.AtMobiles`, whom the target mentions. */
function withMobiles(data: Value, mobiles: readonly string[]): Value {
  if (!(data instanceof GoStruct)) return data;
  return new GoStruct(data.type, { ...data.fields, AtMobiles: mobiles });
}
