import type { Env } from '@pollux/base';
import { isSameConfig } from '@pollux/config';
import { clientSettings, DEFAULT_HTTP_CONFIG } from '@pollux/http';
import { resolvePath } from '../config/config.ts';
import type { EventRecorderConfig } from '../config/event-recorder-config.ts';
import { ReceiverHttp } from '../notify/receivers/receiver-http.ts';
import { type KafkaConfig, KafkaOutput } from './kafka-output.ts';
import { type EventOutput, FileOutput, type OutputContext, StdoutOutput } from './outputs.ts';
import { type WebhookConfig, WebhookOutput } from './webhook-output.ts';

/** An output and what it was opened for, its place in the file included. */
export type OpenOutput = { readonly output: EventOutput; readonly wanted: unknown };

export type OpenOptions = {
  readonly env: Env;
  readonly hostname: string;
  readonly userAgent: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
};

/**
 * The outputs of a configuration: those of `earlier` that it still has go on as they are, with what waits in them; others are opened.
 * Throws when one cannot be.
 */
export function openOutputs(
  config: EventRecorderConfig | null,
  earlier: readonly OpenOutput[],
  context: OutputContext,
  options: OpenOptions & { readonly directory: string },
): OpenOutput[] {
  const { env, directory } = options;
  const inFolder = (path: string): string => resolvePath(directory, path);
  const free = new Set(earlier);
  const keep = (wanted: unknown, open: () => EventOutput): OpenOutput => {
    for (const one of free) {
      if (!isSameConfig(one.wanted, wanted)) continue;
      free.delete(one);
      return one;
    }
    return { output: open(), wanted };
  };
  return [
    ...(config?.file_outputs ?? []).map(({ path }) =>
      keep({ file: inFolder(path) }, () => new FileOutput(inFolder(path), env)),
    ),
    ...(config?.webhook_outputs ?? []).map((webhook) =>
      keep({ webhook, directory }, () => webhookOutput(webhook, context, { ...options, inFolder })),
    ),
    ...(config?.kafka_outputs ?? []).map((kafka) =>
      keep({ kafka: { ...kafka, brokers: [...kafka.brokers].sort() }, directory }, () =>
        kafkaOutput(kafka, context, { ...options, inFolder }),
      ),
    ),
    ...(config?.stdout_outputs ?? []).map(() => keep('stdout', () => new StdoutOutput(context))),
  ];
}

type Opening = OpenOptions & { readonly inFolder: (path: string) => string };

function webhookOutput(
  config: WebhookConfig,
  context: OutputContext,
  { inFolder, ...options }: Opening,
): EventOutput {
  const http = config.http_config ?? DEFAULT_HTTP_CONFIG;
  const requests = new ReceiverHttp(http, { ...options, resolvePath: inFolder });
  return new WebhookOutput(config, context, requests);
}

function kafkaOutput(
  config: KafkaConfig,
  context: OutputContext,
  { env, hostname, inFolder }: Opening,
): EventOutput {
  const { tls_config } = config;
  // No block is no TLS, an empty one is TLS by the machine's authorities.
  const tls = () =>
    tls_config === null
      ? null
      : (clientSettings({ ...DEFAULT_HTTP_CONFIG, tls_config }, env.files, inFolder).tls ?? {});
  return new KafkaOutput(config, context, { workers: env.workers, instance: hostname, tls });
}
