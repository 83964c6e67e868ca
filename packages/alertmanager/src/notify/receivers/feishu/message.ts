import type { Notification } from '../../notification.ts';
import type { Rendering } from '../rendering.ts';
import { fittingBody } from '../robots/fitting.ts';
import { type Mentions, mentionsOf } from '../robots/mentions.ts';
import type { FeishuSettings } from './config.ts';

/** The service takes 20 kB with the signature, which is added when the message goes. */
const MAX_BODY_BYTES = 20_000 - 200;
const MAX_TITLE_LENGTH = 200;

/** The body, without signature, for one notification. */
export function feishuMessage(
  settings: FeishuSettings,
  notification: Notification,
  render: (shown: Notification) => Rendering,
): string {
  const whole = render(notification);
  const parts = {
    title: [...whole.text(settings.title)].slice(0, MAX_TITLE_LENGTH).join(''),
    isFiring: notification.status === 'firing',
    button: { title: whole.text(settings.button_title), url: whole.text(settings.button_url) },
    mentions: mentionsOf(settings.mention, notification),
  };
  return fittingBody({
    notification,
    textOf: (shown) => render(shown).text(settings.text),
    bodyOf: (text) => JSON.stringify(bodyFor(settings.message_type, text, parts)),
    fits: (body) => Buffer.byteLength(body) <= MAX_BODY_BYTES,
  });
}

type Parts = {
  readonly title: string;
  readonly isFiring: boolean;
  readonly button: { readonly title: string; readonly url: string };
  readonly mentions: Mentions;
};

function bodyFor(type: FeishuSettings['message_type'], text: string, parts: Parts): unknown {
  const ids = [...parts.mentions.userIds, ...(parts.mentions.all ? ['all'] : [])];
  switch (type) {
    case 'text': {
      const names = ids.map((id) => `<at user_id="${id}"></at>`).join(' ');
      return { msg_type: 'text', content: { text: names === '' ? text : `${text}\n${names}` } };
    }
    case 'post': {
      const lines = text.split('\n').map((line) => [{ tag: 'text', text: line }]);
      const names = ids.map((id) => ({ tag: 'at', user_id: id }));
      const content = names.length === 0 ? lines : [...lines, names];
      return {
        msg_type: 'post',
        content: { post: { zh_cn: { title: parts.title, content } } },
      };
    }
    case 'interactive':
      return { msg_type: 'interactive', card: card(text, ids, parts) };
  }
}

function card(text: string, ids: readonly string[], { title, isFiring, button }: Parts): unknown {
  const names = ids.map((id) => `<at id=${id}></at>`).join(' ');
  const action = {
    tag: 'button',
    text: { tag: 'plain_text', content: button.title },
    type: 'default',
    url: button.url,
  };
  return {
    config: { wide_screen_mode: true },
    header: {
      title: { tag: 'plain_text', content: title },
      template: isFiring ? 'red' : 'green',
    },
    elements: [
      { tag: 'markdown', content: names === '' ? text : `${text}\n${names}` },
      ...(button.url === '' ? [] : [{ tag: 'action', actions: [action] }]),
    ],
  };
}
