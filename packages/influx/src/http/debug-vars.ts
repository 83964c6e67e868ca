import type { HttpResponse } from '@pollux/base';
import type { Statistic } from '../query/statistics.ts';
import { jsonText } from './answers.ts';
import type { HttpContext } from './context.ts';
import { goJsonString } from './json-answer.ts';

/** GET /debug/vars: one entry per statistic, in the form that Telegraf's influxdb input reads. */
export function serveDebugVars(context: HttpContext): HttpResponse {
  const now = context.clock.now();
  const system = {
    currentTime: new Date(now).toISOString(),
    started: new Date(context.startedMs).toISOString(),
    uptime: Math.floor((now - context.startedMs) / 1_000),
  };
  const entries = context
    .statistics()
    .map((statistic) => `${goJsonString(keyOf(statistic))}: ${JSON.stringify(statistic)}`);
  const lines = [`"system": ${JSON.stringify(system)}`, '"cmdline": ["influxd"]', ...entries];
  return jsonText(200, `{\n${lines.join(',\n')}\n}\n`);
}

/** The name, and what of the tags tells statistics of one name apart. */
function keyOf({ name, tags }: Statistic): string {
  const { bind, database } = tags;
  if (bind !== undefined) return `${name}:${bind}`;
  return database === undefined ? name : `${name}:${database}`;
}
