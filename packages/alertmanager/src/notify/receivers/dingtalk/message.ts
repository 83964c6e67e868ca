import type { Notification } from '../../notification.ts';
import type { Rendering } from '../rendering.ts';
import { fittingBody } from '../robots/fitting.ts';
import { type Mentions, mentionsOf } from '../robots/mentions.ts';
import type { DingtalkSettings } from './config.ts';

/** The service refuses larger bodies. */
export const MAX_BODY_BYTES = 20_000;
const MAX_TITLE_LENGTH = 200;

/** The body for one notification, no larger than the service takes. */
export function dingtalkMessage(
  settings: DingtalkSettings,
  notification: Notification,
  render: (shown: Notification) => Rendering,
): string {
  const whole = render(notification);
  const title = cutTitle(whole.text(settings.title));
  const mentions = mentionsOf(settings.mention, notification);
  const buttons = buttonsOf(settings, whole);
  return fittingBody({
    notification,
    textOf: (shown) => render(shown).text(settings.text),
    bodyOf: (text) => bodyFor(settings, { title, text, mentions, buttons }),
    fits: (body) => Buffer.byteLength(body) <= MAX_BODY_BYTES,
  });
}

type Parts = {
  readonly title: string;
  readonly text: string;
  readonly mentions: Mentions;
  readonly buttons: Readonly<Record<string, unknown>>;
};

function bodyFor(
  { message_type: type }: DingtalkSettings,
  { title, text, mentions, buttons }: Parts,
): string {
  const { mobiles, userIds, all } = mentions;
  const at = { atMobiles: mobiles, atUserIds: userIds, isAtAll: all };
  switch (type) {
    case 'markdown':
      return JSON.stringify({
        msgtype: 'markdown',
        markdown: { title, text: text + mentionText(mentions) },
        at,
      });
    case 'text':
      return JSON.stringify({
        msgtype: 'text',
        text: { content: text + mentionText(mentions) },
        at,
      });
    case 'actionCard':
      return JSON.stringify({
        msgtype: 'actionCard',
        actionCard: { title, text, ...buttons, btnOrientation: '0' },
      });
  }
}

/** A mention takes effect only when the text itself holds it. */
function mentionText({ mobiles, userIds }: Mentions): string {
  const names = [...mobiles, ...userIds].map((name) => `@${name}`);
  return names.length === 0 ? '' : `\n\n${names.join(' ')}`;
}

function buttonsOf(
  settings: DingtalkSettings,
  { text }: Rendering,
): Readonly<Record<string, unknown>> {
  if (settings.buttons.length > 0) {
    const btns = settings.buttons.map(({ title, url }) => ({
      title: text(title),
      actionURL: text(url),
    }));
    return { btns };
  }
  return { singleTitle: text(settings.button_title), singleURL: text(settings.button_url) };
}

function cutTitle(title: string): string {
  const characters = [...title];
  if (characters.length <= MAX_TITLE_LENGTH) return title;
  return `${characters.slice(0, MAX_TITLE_LENGTH - 1).join('')}…`;
}
