import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '@pollux/base';
import { NodeFiles } from '@pollux/base/node';
import { Labels } from '@pollux/model';
import { afterAll, describe, expect, it } from 'vitest';
import { sampleAlert, sampleNotification } from '../testing/sample-notification.ts';
import { START_MS } from '../testing/world.ts';
import { templateData } from './data.ts';
import { NotificationTemplates } from './templates.ts';

const directory = mkdtempSync(join(tmpdir(), 'pollux-tmpl-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const env = { clock: new VirtualClock(START_MS + 90_000), files: new NodeFiles() };
const templates = NotificationTemplates.load(env, [], directory);

const data = templateData(
  sampleNotification(
    [
      sampleAlert({ alertname: 'Down', job: 'db', instance: 'h1' }, { summary: 'x' }),
      sampleAlert(
        { alertname: 'Down', job: 'db', instance: 'h2' },
        { summary: 'y' },
        START_MS + 5_000,
      ),
    ],
    { groupLabels: Labels.from({ alertname: 'Down', zone: 'a' }) },
  ),
);

const expand = (text: string): string => templates.expand(text, data);

describe('the data of templates', () => {
  it.each([
    [
      '{{ .Receiver }} {{ .Status }} {{ .NotificationReason }}',
      'web\\.hook firing first notification',
    ],
    ['{{ len .Alerts }} {{ len .Alerts.Firing }} {{ .Alerts.Resolved | len }}', '2 1 1'],
    ['{{ range .Alerts }}{{ .Labels.instance }}:{{ .Status }};{{ end }}', 'h1:firing;h2:resolved;'],
    ['{{ .CommonLabels.job }}{{ .CommonLabels.instance }}{{ .CommonAnnotations.summary }}', 'db'],
    ['{{ .GroupLabels.SortedPairs.Values | join "," }}', 'Down,a'],
    ['{{ .CommonLabels.Names.Join "+" }}', 'alertname+job'],
    ['{{ .CommonLabels }}', 'alertname=Down, job=db'],
    ['{{ .CommonLabels.SortedPairs }}', 'alertname=Down, job=db'],
    ['{{ .CommonLabels.Remove .GroupLabels.Names }}', 'job=db'],
    ['{{ (index .Alerts 1).EndsAt.Format "15:04:05" }}', '10:00:05'],
    ['{{ (index .Alerts 0).EndsAt.IsZero }}', 'true'],
    ['{{ (index .Alerts 0).Fingerprint | len }} {{ .ExternalURL }}', '16 http://am.example'],
    [
      '{{ range $i, $p := .GroupLabels.SortedPairs }}{{ $i }}{{ $p.Name }}{{ end }}',
      '0alertname1zone',
    ],
  ])('%s', (text, expected) => {
    expect(expand(text)).toBe(expected);
  });
});

describe('the functions of templates', () => {
  it.each([
    ['{{ "aB" | toUpper }}{{ "aB" | toLower }}{{ "hello WORLD" | title }}', 'ABabHello World'],
    ['{{ trimSpace "  x " }}{{ join "-" (stringSlice "a" "b") }}', 'xa-b'],
    ['{{ match "^a.c$" "abc" }} {{ match "b$" "abc" }}', 'true false'],
    ['{{ reReplaceAll "(a)(b)" "$2-$1$$" "abab" }}', 'b-a$b-a$'],
    ['{{ urlUnescape "a%20b+c" }}{{ "a b" | urlquery }}', 'a b ca+b'],
    ['{{ base64encode "a?>" }} {{ base64decode "YT8-" }}', 'YT8- a?>'],
    ['{{ date "2006-01-02 15:04 MST" (index .Alerts 0).StartsAt }}', '2026-01-05 10:00 UTC'],
    ['{{ (tz "Asia/Shanghai" (index .Alerts 0).StartsAt).Format "15:04 -07:00" }}', '18:00 +08:00'],
    [
      '{{ since (index .Alerts 0).StartsAt }} {{ humanizeDuration (since (index .Alerts 0).StartsAt) }}',
      '1m30s 1m 30s',
    ],
    ['{{ toJson .GroupLabels }}', '{"alertname":"Down","zone":"a"}'],
    [
      '{{ $d := dict "a" 1 "b" (list "x" 2) }}{{ toJson $d }}{{ len (append $d.b 3) }}',
      '{"a":1,"b":["x",2]}3',
    ],
    ['{{ if gt (len .Alerts) 1 }}many{{ else }}one{{ end }}', 'many'],
  ])('%s', (text, expected) => {
    expect(expand(text)).toBe(expected);
  });

  it.each([
    ['{{ match "(?=x)" "x" }}', 'error parsing regexp'],
    ['{{ tz "Mars/X" (index .Alerts 0).StartsAt }}', 'unknown time zone Mars/X'],
    ['{{ humanizeDuration "abc" }}', 'parsing "abc": invalid syntax'],
    ['{{ .Nope }}', "can't evaluate field Nope"],
    ['{{ dict "a" }}', 'dict requires an even number of arguments'],
    ['{{ range .Alerts }}', 'unexpected EOF'],
  ])('%s fails with its reason', (text, message) => {
    expect(() => expand(text)).toThrow(message);
  });
});

describe('the built-in templates', () => {
  it('give a subject with counts, group and common labels', () => {
    expect(expand('{{ template "__subject" . }}')).toBe('[FIRING:1] Down a ');
    expect(expand('{{ define "x" }}{{ end }}{{ template "slack.default.fallback" . }}')).toBe(
      '[FIRING:1] Down a  | http://am.example/#/alerts?receiver=web%5C.hook',
    );
    expect(expand('{{ template "__alertmanagerURL" . }}')).toBe(
      'http://am.example/#/alerts?receiver=web%5C.hook',
    );
  });

  it('list alerts', () => {
    const list = expand('{{ template "__text_alert_list" .Alerts.Firing }}');
    expect(list).toBe(
      'Labels:\n - alertname = Down\n - instance = h1\n - job = db\nAnnotations:\n - summary = x\n' +
        'Source: http://prom/graph?g0.expr=up&g0.tab=1\n',
    );
  });
});

describe('template files', () => {
  it('are found by glob, in order, and may redefine the built-in ones', () => {
    writeFileSync(join(directory, 'a.tmpl'), '{{ define "own" }}A{{ end }}');
    writeFileSync(
      join(directory, 'b.tmpl'),
      '{{ define "own" }}B{{ end }}{{ define "__subject" }}S{{ end }}',
    );
    writeFileSync(join(directory, 'c.txt'), '{{ broken');
    const loaded = NotificationTemplates.load(env, ['*.tmpl'], directory);
    expect(loaded.expand('{{ template "own" . }}{{ template "__subject" . }}', data)).toBe('BS');
  });

  it('that are broken are refused with file and line', () => {
    expect(() => NotificationTemplates.load(env, ['c.txt'], directory)).toThrow(/c\.txt:1/);
  });
});
