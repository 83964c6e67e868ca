import { escapeHtml } from '@pollux/gotemplate';
import { contentOf, type SinkMessage } from './message.ts';

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:52rem;padding:0 1rem;background:#f5f6f8;color:#1b1f24}
article{background:#fff;border-radius:8px;padding:.8rem 1rem;margin:.8rem 0;box-shadow:0 1px 2px #0002}
time{color:#5b6470;font-size:13px}pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.4rem 0 0;font:inherit}`;

/** The messages, newest first, as a small page that loads itself anew. */
export function sinkPage(messages: readonly SinkMessage[]): string {
  const articles = [...messages].reverse().map((message) => {
    const time = new Date(message.receivedAt).toISOString();
    const text = contentOf(message.body) ?? JSON.stringify(message.body);
    return `<article><time>${time}</time><pre>${escapeHtml(text)}</pre></article>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>DingTalk sink</title>
<meta http-equiv="refresh" content="5"><meta name="viewport" content="width=device-width,initial-scale=1">
<style>${STYLE}</style></head><body><h1>DingTalk sink</h1>
<p>${messages.length} messages</p>
${articles.join('\n')}
</body></html>
`;
}
