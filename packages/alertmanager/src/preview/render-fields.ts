import { OperatingError } from '@pollux/base';
import { Secret } from '@pollux/config';
import { TemplateError } from '@pollux/gotemplate';
import type { IntegrationConfig } from '../config/receiver-config.ts';
import type { Notification } from '../notify/notification.ts';
import { templateData } from '../template/data.ts';
import type { NotificationTemplates } from '../template/templates.ts';

export type RenderedField = {
  /** Path within the integration's block: `title`, `fields[0].value`. */
  readonly field: string;
  readonly template: string;
} & Rendered;

export type Rendered =
  | { readonly text: string }
  | {
      readonly error: {
        readonly message: string;
        /** Of the template in which it is; empty for the text itself. */
        readonly template: string;
        /** From 1; 0 when no place is known. */
        readonly line: number;
        readonly column: number;
      };
    };

const MAX_FIELDS = 500;
const MAX_DEPTH = 20;

/** Every field of an integration that is a template, rendered. Secrets are passed over, templates or not. */
export function renderFields(
  templates: NotificationTemplates,
  integration: IntegrationConfig,
  notification: Notification,
): readonly RenderedField[] {
  const rendered: RenderedField[] = [];
  for (const { path, text } of templatesIn(integration.settings, '', 0)) {
    if (rendered.length >= MAX_FIELDS) break;
    const type = integration.kind === 'email' && path === 'html' ? 'html' : 'text';
    const result = render(templates, { text, type }, notification);
    rendered.push({ field: path, template: text, ...result });
  }
  return rendered;
}

export function render(
  templates: NotificationTemplates,
  { text, type }: { readonly text: string; readonly type: 'text' | 'html' },
  notification: Notification,
): Rendered {
  const data = templateData(notification);
  try {
    const isHtml = type === 'html';
    return { text: isHtml ? templates.expandHtml(text, data) : templates.expand(text, data) };
  } catch (error) {
    if (error instanceof TemplateError) {
      const { message, template, line, column } = error;
      return { error: { message, template, line, column } };
    }
    if (!OperatingError.is(error)) throw error;
    return { error: { message: error.message, template: '', line: 0, column: 0 } };
  }
}

type Found = { readonly path: string; readonly text: string };

function* templatesIn(value: unknown, path: string, depth: number): IterableIterator<Found> {
  if (typeof value === 'string') {
    if (value.includes('{{')) yield { path, text: value };
    return;
  }
  if (typeof value !== 'object' || value === null || value instanceof Secret) return;
  if (depth >= MAX_DEPTH) return;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      yield* templatesIn(item, `${path}[${index}]`, depth + 1);
    }
    return;
  }
  // A block kept as it stands in the file: a scalar's text, and the values of a map.
  const node = value as { readonly kind?: unknown; readonly place?: unknown };
  if (typeof node.kind === 'string' && node.place !== undefined) {
    yield* templatesInNode(value as BlockNode, path, depth);
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    yield* templatesIn(item, path === '' ? key : `${path}.${key}`, depth + 1);
  }
}

type BlockNode = {
  readonly text?: string;
  readonly items?: readonly unknown[];
  readonly entries?: readonly { readonly key: string; readonly value: unknown }[];
};

function* templatesInNode(node: BlockNode, path: string, depth: number): IterableIterator<Found> {
  if (node.text !== undefined) yield* templatesIn(node.text, path, depth + 1);
  if (node.items !== undefined) yield* templatesIn(node.items, path, depth + 1);
  for (const { key, value } of node.entries ?? []) {
    yield* templatesIn(value, `${path}.${key}`, depth + 1);
  }
}
