import { NotificationTemplates, templateDataFromJson } from '@pollux/alertmanager';
import { OperatingError } from '@pollux/base';
import type { Subcommand } from '../command/command-line.ts';
import { readTextFile } from '../runtime/read-file.ts';
import type { Around } from './around.ts';

export const templateRender: Subcommand<Around> = {
  words: ['template', 'render'],
  help: 'Render a given definition in a template file to standard output.',
  flags: {
    'template.glob': {
      kind: 'list',
      isRequired: true,
      help: 'Glob of paths that will be expanded and used for rendering.',
    },
    'template.text': {
      kind: 'text',
      isRequired: true,
      help: 'The template that will be rendered.',
    },
    'template.type': {
      kind: 'choice',
      choices: ['html', 'text'],
      help: 'The type of the template. Can be either text (default) or html.',
    },
    'template.data': {
      kind: 'text',
      help: 'File with the data in JSON, as webhooks get it; an example of two alerts when absent.',
    },
  },
  run: async (call, { context }) => {
    const { env, stdout } = context;
    const templates = NotificationTemplates.load(env, call.list('template.glob'), '.');
    const file = call.text('template.data');
    if (file !== '' && !env.files.exists(file))
      throw new OperatingError('ROLES.AMTOOL', `open ${file}: no such file or directory`);
    const data = call.has('template.data')
      ? readTextFile(env.files, file)
      : JSON.stringify(exampleData(env.clock.now()));
    const type = call.text('template.type') === 'html' ? 'html' : 'text';
    stdout.write(templates.preview(call.text('template.text'), templateDataFromJson(data), type));
    return 0;
  },
};

const MINUTE_MS = 60_000;

/** One alert that fires and one that is resolved, as the original shows templates by. */
function exampleData(nowMs: number): unknown {
  const at = (ms: number): string => new Date(ms).toISOString();
  const common = { commonlabelkey1: 'commonlabelvalue1', commonlabelkey2: 'commonlabelvalue2' };
  const said = {
    commonannotationkey1: 'commonannotationvalue1',
    commonannotationkey2: 'commonannotationvalue2',
  };
  const ending = { endsAt: at(nowMs), generatorURL: 'https://generatorurl.com' };
  return {
    receiver: 'receiver',
    status: 'alertstatus',
    alerts: [
      {
        status: 'firing',
        labels: { label1: 'value1', label2: 'value2', instance: 'foo.bar:1234', ...common },
        annotations: { annotation1: 'value1', annotation2: 'value2', ...said },
        startsAt: at(nowMs - 5 * MINUTE_MS),
        fingerprint: 'fingerprint1',
        ...ending,
      },
      {
        status: 'resolved',
        labels: { foo: 'bar', baz: 'qux', ...common },
        annotations: { aaa: 'bbb', ccc: 'ddd', ...said },
        startsAt: at(nowMs - 10 * MINUTE_MS),
        fingerprint: 'fingerprint2',
        ...ending,
      },
    ],
    groupLabels: { grouplabelkey1: 'grouplabelvalue1', grouplabelkey2: 'grouplabelvalue2' },
    commonLabels: common,
    commonAnnotations: said,
    externalURL: 'https://example.com',
  };
}
