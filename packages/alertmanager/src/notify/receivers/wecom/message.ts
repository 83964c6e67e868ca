import type { Notification } from '../../notification.ts';
import type { Rendering } from '../rendering.ts';
import { fittingBody } from '../robots/fitting.ts';
import { type Mentions, mentionsOf } from '../robots/mentions.ts';
import type { WecomSettings } from './config.ts';

/** Bytes of the content, by kind. */
const MAX_BYTES = { text: 2048, markdown: 4096 } as const;

/** The body for one notification, its content no larger than the service takes. */
export function wecomMessage(
  settings: WecomSettings,
  notification: Notification,
  render: (shown: Notification) => Rendering,
): string {
  const mentions = mentionsOf(settings.mention, notification);
  const { message_type: type } = settings;
  return fittingBody({
    notification,
    textOf: (shown) => render(shown).text(settings.text),
    bodyOf: (text) => JSON.stringify(bodyFor(type, text, mentions)),
    fits: (_, text) => Buffer.byteLength(contentOf(type, text, mentions)) <= MAX_BYTES[type],
  });
}

function bodyFor(type: WecomSettings['message_type'], text: string, mentions: Mentions): unknown {
  const content = contentOf(type, text, mentions);
  if (type === 'markdown') return { msgtype: 'markdown', markdown: { content } };
  const { mobiles, userIds, all } = mentions;
  return {
    msgtype: 'text',
    text: {
      content,
      mentioned_list: [...userIds, ...(all ? ['@all'] : [])],
      mentioned_mobile_list: mobiles,
    },
  };
}

/** Markdown mentions inside the text, and users only: the service knows no numbers there. */
function contentOf(
  type: WecomSettings['message_type'],
  text: string,
  { userIds, all }: Mentions,
): string {
  if (type === 'text') return text;
  const names = [...userIds.map((id) => `<@${id}>`), ...(all ? ['<@all>'] : [])];
  return names.length === 0 ? text : `${text}\n${names.join(' ')}`;
}
