import { errorText } from '@pollux/base';
import { type ConfigNode, parseYaml } from '@pollux/config';
import { DeliveryError } from '../../errors.ts';
import { templateData } from '../../template/data.ts';
import { hasActions, type NotificationTemplates } from '../../template/templates.ts';
import type { Notification } from '../notification.ts';

/** The texts of one notification: templates of the configuration, expanded. A failing template is not tried again. */
export class Rendering {
  readonly #templates: NotificationTemplates;
  readonly #notification: Notification;
  #data: ReturnType<typeof templateData> | null = null;

  constructor(templates: NotificationTemplates, notification: Notification) {
    this.#templates = templates;
    this.#notification = notification;
  }

  text = (template: string): string =>
    hasActions(template) ? expanded(() => this.#templates.expand(template, this.#dot())) : template;

  /** As {@link text}, with what the data brings in escaped for its place in HTML. */
  html = (template: string): string =>
    expanded(() => this.#templates.expandHtml(template, this.#dot()));

  /** Made for the first text that asks: an address mostly does not, and a webhook has no other text. */
  #dot(): ReturnType<typeof templateData> {
    this.#data ??= templateData(this.#notification);
    return this.#data;
  }

  /** Every string of a block of the file expanded; those that read as other YAML than a string become what they read as. */
  block = (node: ConfigNode): unknown => {
    switch (node.kind) {
      case 'null':
        return null;
      case 'scalar':
        return typeof node.value === 'string' || node.isQuoted
          ? typed(this.text(node.text))
          : node.value;
      case 'list':
        return node.items.map((item) => this.block(item));
      case 'map':
        return Object.fromEntries(
          node.entries.map(({ key, value }) => [this.text(key), this.block(value)]),
        );
    }
  };
}

function expanded(expand: () => string): string {
  try {
    return expand();
  } catch (error) {
    throw new DeliveryError(`template: ${errorText(error)}`, { retry: false, cause: error });
  }
}

const MAX_PARSED_LENGTH = 1024 * 1024;

/** Upstream's rule for nested templates: a rendered text that is YAML of another kind than a string is that value. */
export function typed(text: string): unknown {
  if (text.length > MAX_PARSED_LENGTH) return text;
  try {
    return plain(parseYaml(text, 'template'));
  } catch {
    return text;
  }

  function plain(node: ConfigNode, isRoot = true): unknown {
    switch (node.kind) {
      case 'null':
        return null;
      case 'scalar':
        if (node.isQuoted) return isRoot ? text : node.text;
        if (typeof node.value !== 'string') return node.value;
        if (/^(?:y|Y|yes|Yes|YES|on|On|ON)$/.test(node.text)) return true;
        if (/^(?:n|N|no|No|NO|off|Off|OFF)$/.test(node.text)) return false;
        return isRoot ? text : node.text;
      case 'list':
        return node.items.map((item) => plain(item, false));
      case 'map':
        // Nothing but blanks and comments is no map, though a file of that kind is read as one.
        if (isRoot && node.entries.length === 0 && !text.includes('{')) return null;
        return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value, false)]));
    }
  }
}
