import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NotificationTemplates, templateDataFromJson } from '@pollux/alertmanager';
import { OperatingError } from '@pollux/base';
import { nodeEnv } from '@pollux/base/node';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type GeneratedTemplate, generatedTemplate } from './generated-templates.ts';

const run = promisify(execFile);
const SEED = Number(process.env.POLLUX_SEED ?? 20_251_123);
const COUNT = Number(process.env.POLLUX_TEMPLATES ?? 150);
/** Processes of the peer at once. */
const AT_ONCE = 4;

function hasAmtool(): boolean {
  try {
    execFileSync('amtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const isThere = hasAmtool();
const why = isThere
  ? ''
  : ' (skipped: amtool is not installed; apt-get install prometheus-alertmanager)';

const DATA = {
  receiver: 'web\\.hook',
  status: 'firing',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: 'Disk <full>', instance: 'a:9100', severity: 'page' },
      annotations: { summary: `it's "q" & <b>bold</b>` },
      startsAt: '2026-01-05T10:00:00.25Z',
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: 'http://prom/graph?g0.expr=up+%3D%3D+0&g0.tab=1',
      fingerprint: '00ff',
    },
    {
      status: 'resolved',
      labels: { alertname: 'Disk <full>', instance: 'b:9100' },
      annotations: {},
      startsAt: '2026-01-05T09:00:00Z',
      endsAt: '2026-01-05T09:30:00Z',
      generatorURL: 'javascript:alert(1)',
      fingerprint: '01ff',
    },
  ],
  groupLabels: { alertname: 'Disk <full>' },
  commonLabels: { alertname: 'Disk <full>', team: 'db' },
  commonAnnotations: { note: 'a,b' },
  externalURL: 'http://am.example',
};

/**
 * What Debian's amtool 0.25, built with Go 1.19, does otherwise than Go of today, with the reason. Each row accepts a pair of
 * results that differ; how often is checked, so that none hides a mistake.
 */
const DEVIATIONS: readonly {
  readonly why: string;
  readonly most: number;
  readonly accepts: (ours: string, theirs: string) => boolean;
}[] = [
  {
    why: 'Go 1.20 and later name the types that do not compare.',
    most: 20,
    accepts: (ours, theirs) =>
      theirs.endsWith('incompatible types for comparison') && ours.startsWith(`${theirs}: `),
  },
  {
    why: 'Go 1.24 and later show the braces of template literals in contexts.',
    most: 12,
    accepts: (ours, theirs) => ours.replaceAll(' [] attr', ' attr') === theirs,
  },
  {
    why: 'Names and Values give a type of their own since Alertmanager 0.27.',
    most: 20,
    accepts: (ours, theirs) => ours.replaceAll('template.Strings', '[]string') === theirs,
  },
  {
    why: 'Go 1.22 and later range over integers.',
    most: 8,
    accepts: (_, theirs) => /range can't iterate over -?\d+$/.test(theirs),
  },
  {
    why: 'Go 1.20.4 and later write a mark for an empty attribute without quotes (CVE-2023-29400).',
    most: 6,
    accepts: (ours, theirs) => ours.replaceAll('ZgotmplZ', '') === theirs,
  },
  {
    why: 'Go 1.21 and later do not let a script end inside a comment.',
    most: 8,
    accepts: (ours) => ours.includes('ends in a non-text context: {stateJSLineCmt'),
  },
  {
    why: 'The digits inside a time.Time, which %d shows, are not those of ours.',
    most: 6,
    accepts: (ours, theirs) => ours.replace(/\{\}/g, '') === theirs.replace(/\{\d+ \d+ \d+\}/g, ''),
  },
];

describe.skipIf(!isThere)(`templates rendered by Debian's amtool${why}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-templates-'));
  const dataFile = join(directory, 'data.json');
  writeFileSync(dataFile, JSON.stringify(DATA));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const templates = NotificationTemplates.load(nodeEnv(), [], directory);

  function ours({ text, type }: GeneratedTemplate): string {
    try {
      return templates.preview(text, templateDataFromJson(JSON.stringify(DATA)), type);
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      return `error: ${error.message}`;
    }
  }

  async function theirs({ text, type }: GeneratedTemplate): Promise<string> {
    const args = [`--template.glob=${directory}/*.none`, `--template.text=${text}`];
    const more = [`--template.type=${type}`, `--template.data=${dataFile}`];
    try {
      return (await run('amtool', ['template', 'render', ...args, ...more])).stdout;
    } catch (error) {
      const { stderr } = error as { stderr: string };
      return stderr.replace(/^amtool: error: /, 'error: ').replace(/\n\n$/, '');
    }
  }

  it(`${COUNT} generated ones (seed ${SEED}) give the same text or the same error`, async () => {
    const all = fc.sample(generatedTemplate, { seed: SEED, numRuns: COUNT });
    const excused = new Map<string, number>();
    const different: { template: GeneratedTemplate; ours: string; theirs: string }[] = [];
    for (let from = 0; from < all.length; from += AT_ONCE) {
      await Promise.all(
        all.slice(from, from + AT_ONCE).map(async (template) => {
          const [mine, real] = [ours(template), await theirs(template)];
          if (mine === real) return;
          const row = DEVIATIONS.find(({ accepts }) => accepts(mine, real));
          if (row === undefined) different.push({ template, ours: mine, theirs: real });
          else excused.set(row.why, (excused.get(row.why) ?? 0) + 1);
        }),
      );
    }
    expect(different).toEqual([]);
    for (const { why: reason, most } of DEVIATIONS) {
      const share = (most * COUNT) / 150;
      expect([reason, (excused.get(reason) ?? 0) <= share]).toEqual([reason, true]);
    }
  }, 120_000);
});
