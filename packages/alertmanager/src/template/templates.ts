import type { Env, Files } from '@pollux/base';
import { ConfigError } from '@pollux/config';
import {
  FunctionError,
  type Functions,
  GoMap,
  GoStruct,
  TemplateSet,
  type Value,
} from '@pollux/gotemplate';
import { compileRe2 } from '@pollux/model';
import { resolvePath } from '../config/config.ts';
import { DEFAULT_TEMPLATES } from './default-templates.ts';
import { templateFunctions } from './functions.ts';

const MAX_FILES = 1_000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** The built-in templates and those of the configuration; immutable once loaded. */
export class NotificationTemplates {
  readonly #text: TemplateSet;
  readonly #html: TemplateSet;

  private constructor(text: TemplateSet, html: TemplateSet) {
    this.#text = text;
    this.#html = html;
  }

  /** Reads all files that the globs name, in order. Throws TemplateError, ConfigError or a system error. */
  static load(
    env: Pick<Env, 'clock' | 'files'>,
    globs: readonly string[],
    directory: string,
  ): NotificationTemplates {
    const options = { functions: templateFunctions(env.clock), missingKey: 'zero' } as const;
    const text = new TemplateSet(options);
    text.add('default.tmpl', DEFAULT_TEMPLATES);
    let count = 0;
    for (const glob of globs) {
      for (const path of filesMatching(env.files, resolvePath(directory, glob))) {
        if (++count > MAX_FILES)
          throw new ConfigError(glob, `more than ${MAX_FILES} template files`);
        const { size } = env.files.stat(path);
        if (size > MAX_FILE_BYTES) {
          throw new ConfigError(
            path,
            `template files must be smaller than ${MAX_FILE_BYTES} bytes`,
          );
        }
        const name = path.slice(path.lastIndexOf('/') + 1);
        text.add(name, new TextDecoder().decode(env.files.readFile(path)));
      }
    }
    return new NotificationTemplates(
      text,
      new TemplateSet({ ...options, html: true }, text.trees()),
    );
  }

  /** Renders a text of the configuration. Texts without an action are themselves. */
  expand(text: string, data: Value): string {
    return this.#expand(text, data, (name) => labelsOf(data).get(name) ?? '');
  }

  /** As {@link expand} for texts that are HTML: values are escaped as their places in the document want. */
  expandHtml(text: string, data: Value): string {
    if (text === '') return '';
    const labelOf = (name: string): string => labelsOf(data).get(name) ?? '';
    return this.#html.executeText('', text, data, calling(labelOf));
  }

  /** Renders a text as a preview does: the data's route labels are the templates that the configuration has. */
  preview(text: string, data: Value, type: 'text' | 'html'): string {
    if (text === '') return '';
    const set = type === 'html' ? this.#html : this.#text;
    return set.executeText('', text, data, calling(this.#labelOf(set, data)));
  }

  /**
   * A function that renders a route's label by name from the templates in the data's RouteLabels. They may ask for one
   * another by `routeLabels`; each is rendered once, and labels that ask in a circle fail.
   */
  routeLabels(data: Value): (name: string) => string {
    return this.#labelOf(this.#text, data);
  }

  #labelOf(set: TemplateSet, data: Value): (name: string) => string {
    const known = new Map<string, string>();
    const asking: string[] = [];
    const labelOf = (name: string): string => {
      const text = labelsOf(data).get(name);
      const done = text === undefined ? '' : known.get(name);
      if (text === undefined || done !== undefined) return done ?? '';
      if (asking.includes(name)) {
        throw new FunctionError(`route label cycle detected: ${[...asking, name].join(' -> ')}`);
      }
      asking.push(name);
      try {
        const value = set.executeText('', text, data, calling(labelOf));
        known.set(name, value);
        return value;
      } finally {
        asking.pop();
      }
    };
    return labelOf;
  }

  #expand(text: string, data: Value, labelOf: (name: string) => string): string {
    return hasActions(text) ? this.#text.executeText('', text, data, calling(labelOf)) : text;
  }
}

/** A text without any is itself. */
export function hasActions(text: string): boolean {
  return text.includes('{{');
}

function calling(labelOf: (name: string) => string): Functions {
  return { routeLabels: { params: ['string'], call: ([name]) => labelOf(String(name)) } };
}

function labelsOf(data: Value): ReadonlyMap<string, string> {
  const labels = data instanceof GoStruct ? data.fields.RouteLabels : null;
  return labels instanceof GoMap ? (labels.entries as ReadonlyMap<string, string>) : new Map();
}

/** Paths that match a glob with `*`, `?` and `[…]` in its file name; folders are taken as written. */
export function filesMatching(files: Files, glob: string): string[] {
  const at = glob.lastIndexOf('/');
  const directory = at < 0 ? '.' : glob.slice(0, at + 1);
  const name = glob.slice(at + 1);
  if (/[*?[]/.test(directory)) {
    throw new ConfigError(glob, 'wildcards are served in the file name only, not in folders');
  }
  if (!/[*?[]/.test(name)) return files.exists(glob) ? [glob] : [];
  if (!files.exists(directory)) return [];
  return files
    .list(directory)
    .filter(globPattern(name, glob))
    .map((entry) => (at < 0 ? entry : directory + entry));
}

function globPattern(name: string, glob: string): (entry: string) => boolean {
  const source = name.replace(/[*?]|\[[^\]]+\]|[\s\S]/g, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length > 1) return part.replaceAll('\\', '\\\\');
    return part.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
  });
  const program = compileRe2(`^${source}$`, glob);
  return (entry) => program.matcher(entry).find();
}
