import { withoutEmpty } from '../../../wire/go-json.ts';
import type { Rendering } from '../rendering.ts';
import type { SlackConfig } from './config.ts';

type Settings = SlackConfig['settings'];

/** One attachment of a Slack message; `title` is expanded already. */
export function attachment(
  settings: Settings,
  title: string,
  { text }: Rendering,
): Record<string, unknown> {
  const { mrkdwn_in: markdownIn } = settings;
  return {
    ...withoutEmpty({
      title,
      title_link: text(settings.title_link),
      pretext: text(settings.pretext),
    }),
    text: text(settings.text),
    fallback: text(settings.fallback),
    callback_id: text(settings.callback_id),
    ...withoutEmpty({
      fields: settings.fields.map((field) => ({
        ...withoutEmpty({ title: text(field.title), value: text(field.value) }),
        short: field.short ?? settings.short_fields,
      })),
      actions: settings.actions.map((action) => actionOf(action, text)),
      image_url: text(settings.image_url),
      thumb_url: text(settings.thumb_url),
    }),
    footer: text(settings.footer),
    ...withoutEmpty({
      color: text(settings.color),
      mrkdwn_in: markdownIn.length === 0 ? ['fallback', 'pretext', 'text'] : markdownIn,
    }),
  };
}

function actionOf(
  action: Settings['actions'][number],
  text: Rendering['text'],
): Record<string, unknown> {
  const { confirm } = action;
  return withoutEmpty({
    type: text(action.type),
    text: text(action.text),
    url: text(action.url),
    style: text(action.style),
    name: text(action.name),
    value: text(action.value),
    confirm:
      confirm === null
        ? null
        : withoutEmpty({
            text: text(confirm.text),
            title: text(confirm.title),
            ok_text: text(confirm.ok_text),
            dismiss_text: text(confirm.dismiss_text),
          }),
  });
}
