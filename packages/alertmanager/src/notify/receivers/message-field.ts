import { boolean, type Decoder, nullable, object, optional, refuse } from '@pollux/config';
import { text } from './fields.ts';

/** A title with its value in the attachment of a message, as Slack, Mattermost and Rocket.Chat have it. */
export const messageField = object({
  title: text(),
  value: text(),
  /** Beside others in one line; null for what the block's `short_fields` says. */
  short: optional(nullable(boolean), null),
});

/** One that must have both; `service` is named in refusals. */
export const wholeMessageField =
  (service: string): Decoder<ReturnType<typeof messageField>> =>
  (node, path, context) => {
    const read = messageField(node, path, context);
    for (const name of ['title', 'value'] as const) {
      if (read[name] !== '') continue;
      refuse(node, path, `missing ${name} in ${service} field configuration`);
    }
    return read;
  };
