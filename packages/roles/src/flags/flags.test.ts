import { describe, expect, it } from 'vitest';
import { helpText, parseFlags } from './flags.ts';

const TABLE = {
  'config.file': { kind: 'string', fallback: 'prometheus.yml', help: 'File.' },
  'web.enable-lifecycle': { kind: 'boolean', fallback: false, help: 'Reload by HTTP.' },
  'cluster.peer': { kind: 'list', fallback: [], help: 'Peers.' },
  'query.timeout': { kind: 'duration', fallback: '2m', help: 'Longest query.' },
  'query.max-samples': { kind: 'integer', fallback: 50_000_000, help: 'Samples.' },
} as const;

describe('flags', () => {
  it('take both forms of values, repeats, switches and their negation', () => {
    const { values, rest } = parseFlags(TABLE, [
      '--config.file=a.yml',
      '--web.enable-lifecycle',
      '--cluster.peer',
      'a:1',
      '--cluster.peer=b:2',
      '--query.timeout=1.5s',
      'extra',
    ]);
    expect(values).toEqual({
      'config.file': 'a.yml',
      'web.enable-lifecycle': true,
      'cluster.peer': ['a:1', 'b:2'],
      'query.timeout': 1_500,
      'query.max-samples': 50_000_000,
    });
    expect(rest).toEqual(['extra']);
    expect(parseFlags(TABLE, ['--no-web.enable-lifecycle']).values['web.enable-lifecycle']).toBe(
      false,
    );
  });

  it('take the single dash of influxd', () => {
    expect(parseFlags(TABLE, ['-config.file', 'x']).values['config.file']).toBe('x');
  });

  it.each([
    [['--nope'], /Unknown option '--nope'/],
    [['--query.timeout=soon'], /--query.timeout: "soon" is no duration/],
    [['--query.max-samples=1e3'], /--query.max-samples: "1e3" is no whole number/],
    [['--config.file'], /--config.file/],
  ])('refuse %j and name the flag', (args, message) => {
    expect(() => parseFlags(TABLE, args)).toThrow(message);
  });

  it('are all in the help', () => {
    const help = helpText('pollux server [flags]', TABLE);
    for (const name of Object.keys(TABLE)) expect(help).toContain(name);
  });
});
