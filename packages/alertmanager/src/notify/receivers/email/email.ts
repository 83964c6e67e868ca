import {
  errorText,
  OperatingError,
  randomHex,
  type StopSignal,
  type TlsClientOptions,
} from '@pollux/base';
import { clientSettings, DEFAULT_HTTP_CONFIG } from '@pollux/http';
import { DeliveryError } from '../../../errors.ts';
import type { Integration } from '../../integration.ts';
import type { Notification } from '../../notification.ts';
import type { BuildOptions } from '../build-options.ts';
import { groupHash } from '../group-hash.ts';
import { secretOf } from '../receiver-http.ts';
import { Rendering } from '../rendering.ts';
import { addressList } from './address-list.ts';
import { DEFAULT_SUBJECT, type EmailConfig } from './config.ts';
import { encodedHeader, mailDate, mailOf } from './message.ts';
import { SmtpClient } from './smtp-client.ts';

/** For the whole conversation, where the flush gives more. */
const TIMEOUT_MS = 60_000;
const IMPLICIT_TLS_PORT = 465;

/** One mail for each notification, to all addresses, by a mail server that relays for us. */
export function email(config: EmailConfig, options: BuildOptions): Integration {
  const { settings } = config;
  const { env, log, templates } = options;
  const at = settings.smarthost.lastIndexOf(':');
  const host = settings.smarthost.slice(0, at).replace(/^\[|\]$/g, '');
  const port = Number(settings.smarthost.slice(at + 1));
  const isImplicit = settings.force_implicit_tls ?? port === IMPLICIT_TLS_PORT;

  async function send(notification: Notification, signal: StopSignal): Promise<void> {
    const client = await step('establish connection to server', connect(signal));
    const onAbort = (): void => client.close();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await open(client);
      await deliver(client, notification);
      await client.quit().catch((error) => {
        log.warn('failed to close SMTP connection', { err: errorText(error) });
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
      client.close();
    }
  }

  async function connect(signal: StopSignal): Promise<SmtpClient> {
    const connection = await env.net.connectTcp({ host, port }, { timeoutMs: TIMEOUT_MS, signal });
    return new SmtpClient(connection, {
      clock: env.clock,
      timeoutMs: TIMEOUT_MS,
      isSecure: false,
    });
  }

  /** Up to the point where mail is taken: TLS, greeting, authentication. */
  async function open(client: SmtpClient): Promise<void> {
    if (isImplicit) await step('establish TLS connection to server', client.secure(tls()));
    await step('create SMTP client', client.greeting());
    await step('send EHLO command', client.hello(settings.hello || 'localhost'));
    if (settings.require_tls && !isImplicit) {
      if (client.extension('STARTTLS') === null) {
        throw new DeliveryError(
          `'require_tls' is true (default) but "${settings.smarthost}" does not advertise the STARTTLS extension`,
          { retry: true },
        );
      }
      await step('send STARTTLS command', client.startTls(tls()));
    }
    const mechanisms = client.extension('AUTH');
    if (mechanisms === null || settings.auth_username === '') return;
    await step('auth', authenticate(client, mechanisms));
  }

  async function authenticate(client: SmtpClient, mechanisms: string): Promise<void> {
    await client.authenticate(mechanisms, {
      isLocal: ['localhost', '127.0.0.1', '::1'].includes(host),
      username: settings.auth_username,
      identity: settings.auth_identity,
      password: () => secretOf(env.files, settings.auth_password, settings.auth_password_file),
      secret: () => {
        const file = config.hasOwnSecret ? '' : settings.auth_secret_file;
        return secretOf(env.files, settings.auth_secret, file);
      },
    });
  }

  async function deliver(client: SmtpClient, notification: Notification): Promise<void> {
    const rendering = new Rendering(templates, notification);
    const senders = parsed('from', rendering.text(settings.from));
    if (senders.length !== 1) {
      const message = `must be exactly one 'from' address (got: ${senders.length})`;
      throw new DeliveryError(message, { retry: false });
    }
    const recipients = parsed('to', rendering.text(settings.to));
    const mail = compose(notification, rendering);
    await step('send MAIL command', client.mailFrom(senders[0] ?? ''));
    for (const address of recipients) {
      await step('send RCPT command', client.recipient(address));
    }
    await step('delivery failure', client.data(mail));
  }

  function compose(notification: Notification, rendering: Rendering): string {
    const { text, html } = rendering;
    const nowMs = env.clock.now();
    const written = {
      Subject: DEFAULT_SUBJECT,
      To: settings.to,
      From: settings.from,
      ...settings.headers,
    };
    const headers: (readonly [string, string])[] = Object.entries(written).map(
      ([name, template]) => [name, encodedHeader(text(template))] as const,
    );
    if (!Object.hasOwn(written, 'Message-Id')) {
      const id = `${nowMs}.${randomHex(env.random, 16)}@${options.hostname}`;
      headers.push(['Message-Id', `<${id}>`]);
    }
    if (settings.threading.enabled) {
      const isDaily = settings.threading.thread_by_date !== 'none';
      const day = isDaily ? new Date(nowMs).toISOString().slice(0, 10) : '';
      const hash = groupHash(notification.groupKey).slice(0, 16);
      // No mail has this id; clients make an empty root of the thread for it.
      const root = `<alert-${hash}-${day}@alertmanager>`;
      headers.push(['References', root], ['In-Reply-To', root]);
    }
    headers.push(['Date', mailDate(nowMs)]);
    return mailOf({
      headers,
      boundary: randomHex(env.random, 30),
      text: settings.text === '' ? '' : text(settings.text),
      html: settings.html === '' ? '' : html(settings.html),
    });
  }

  function tls(): TlsClientOptions {
    try {
      const found = clientSettings(
        { ...DEFAULT_HTTP_CONFIG, tls_config: settings.tls_config },
        env.files,
        options.resolvePath,
      ).tls;
      return { serverName: host, ...found };
    } catch (error) {
      throw new DeliveryError(`parse TLS configuration: ${errorText(error)}`, { retry: false });
    }
  }

  return { receiver: options.receiver, sendResolved: config.sendResolved, send };
}

/** Names the step that failed; whatever a mail server refuses may be taken later. */
async function step<T>(name: string, done: Promise<T>): Promise<T> {
  try {
    return await done;
  } catch (error) {
    if (error instanceof DeliveryError) throw error;
    throw new DeliveryError(`${name}: ${errorText(error)}`, { retry: true, cause: error });
  }
}

function parsed(name: string, text: string): readonly string[] {
  try {
    return addressList(text);
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    throw new DeliveryError(`parse '${name}' addresses: ${error.message}`, { retry: false });
  }
}
