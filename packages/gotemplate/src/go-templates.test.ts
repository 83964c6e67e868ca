import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type MissingKey, parseTemplate, TemplateError, type Value } from './index.ts';
import { FUNCTIONS, recordedWorld } from './testing/recorded-world.ts';

type Recorded = {
  readonly name: string;
  readonly text: string;
  readonly missingKey?: MissingKey;
  readonly output?: string;
  readonly error?: string;
};
type Deviation = { readonly text: string; readonly ours: string; readonly why: string };

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../testdata/${name}`, import.meta.url), 'utf8')) as T;

for (const { file, what, html } of [
  { file: 'go-templates.json', what: 'templates recorded from Go', html: false },
  { file: 'generated-templates.json', what: 'generated templates recorded from Go', html: false },
  { file: 'html-templates.json', what: 'generated HTML templates recorded from Go', html: true },
]) {
  describe(what, () => {
    const deviations = new Map(
      read<Deviation[]>('deviations.json').map((deviation) => [deviation.text, deviation]),
    );
    const world = recordedWorld();
    for (const [index, recorded] of read<Recorded[]>(file).entries()) {
      const option =
        recorded.missingKey === undefined ? '' : ` (missingkey=${recorded.missingKey})`;
      const deviation = deviations.get(recorded.text);
      const label = deviation === undefined ? '' : ' as its deviation says';
      test(`#${index} ${recorded.text}${option}${label}`, () => {
        const actual = render(recorded, world, html);
        const expected = recorded.error ?? recorded.output;
        if (deviation !== undefined) expect(actual).not.toBe(expected);
        expect(actual).toBe(deviation?.ours ?? expected);
      });
    }
  });
}

function render(recorded: Recorded, world: Value, html: boolean): string {
  try {
    const set = parseTemplate(recorded.name, recorded.text, {
      functions: FUNCTIONS,
      missingKey: recorded.missingKey ?? 'default',
      html,
    });
    return set.execute(recorded.name, world);
  } catch (error) {
    expect(error).toBeInstanceOf(TemplateError);
    return (error as TemplateError).message;
  }
}
