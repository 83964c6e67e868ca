import {
  boolean,
  type Decoder,
  list,
  nonEmptyString,
  nullable,
  object,
  optional,
  parseYaml,
  record,
  refuse,
  type Secret,
  strictContext,
  string,
} from '@pollux/config';
import {
  flag,
  goDuration,
  hidden,
  NO_SECRET,
  secretUrl,
  text,
} from '../notify/receivers/fields.ts';

export type TargetMessage = { readonly title: string; readonly text: string };

export type DingtalkTarget = {
  readonly url: Secret;
  readonly secret: Secret;
  /** Null where the file says nothing: then the message has no "at" at all. */
  readonly mention: { readonly all: boolean; readonly mobiles: readonly string[] } | null;
  readonly message: TargetMessage;
};

/** The config.yml of prometheus-webhook-dingtalk 2. */
export type DingtalkWebhookConfig = {
  readonly hasBuiltIn: boolean;
  /** Globs. */
  readonly templates: readonly string[];
  readonly timeoutMs: number;
  readonly targets: Readonly<Record<string, DingtalkTarget>>;
};

const message = object({
  title: text('{{ template "ding.link.title" . }}'),
  text: text('{{ template "ding.link.content" . }}'),
});

const targetFields = object({
  url: optional(secretUrl, NO_SECRET),
  secret: hidden(),
  mention: optional(nullable(object({ all: flag(), mobiles: optional(list(string), []) })), null),
  message: optional(nullable(message), null),
});

const target: Decoder<ReturnType<typeof targetFields>> = (node, path, context) => {
  const read = targetFields(node, path, context);
  if (read.url.reveal() === '') refuse(node, path, 'url cannot be empty');
  return read;
};

const fields = object({
  no_builtin_template: optional(boolean, false),
  template: optional(string, ''),
  templates: optional(list(nonEmptyString), []),
  default_message: optional(nullable(message), null),
  timeout: optional(goDuration, 5_000),
  targets: optional(record(target), {}),
});

/** Throws ConfigError with the place. */
export function readDingtalkWebhookConfig(text: string, file: string): DingtalkWebhookConfig {
  const root = parseYaml(text, file);
  const context = strictContext();
  const read = fields(root, '', context);
  for (const name of Object.keys(read.targets)) {
    if (!/^[a-zA-Z][a-zA-Z0-9\-_]*$/.test(name)) {
      refuse(root, 'targets', `invalid target name: "${name}"`);
    }
  }
  const shared = read.default_message ?? message({ kind: 'null', place: root.place }, '', context);
  return {
    hasBuiltIn: !read.no_builtin_template,
    templates: read.template === '' ? read.templates : [...read.templates, read.template],
    timeoutMs: read.timeout,
    targets: Object.fromEntries(
      Object.entries(read.targets).map(([name, { message: own, ...rest }]) => [
        name,
        { ...rest, message: own ?? shared },
      ]),
    ),
  };
}
