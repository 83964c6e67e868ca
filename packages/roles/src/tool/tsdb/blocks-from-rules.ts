import { OperatingError } from '@pollux/base';
import { type Labels, LabelsBuilder, METRIC_NAME, parseFloatText, wordsOf } from '@pollux/model';
import { decodeRuleFile, type GroupSpec, type RecordingRuleSpec, Schedule } from '@pollux/rules';
import type { CommandContext } from '../../command/command.ts';
import { type Call, type Subcommand, UsageError } from '../../command/command-line.ts';
import { goDurationMs } from '../../command/go-duration.ts';
import { readTextFile } from '../../runtime/read-file.ts';
import { askServer } from '../prometheus-api.ts';
import { timeOf } from '../query.ts';
import { BLOCK_FLAGS, blockSettings } from './blocks-from-openmetrics.ts';
import { reported } from './database.ts';
import { blockDurationMs, importIntoBlocks } from './import/into-blocks.ts';
import type { SampleSource, SampleTarget } from './import/sample-source.ts';

/** Newer samples may still be in the server's head, where recording rules write them themselves. */
const DEFAULT_END_AGE_MS = 3 * 3_600_000;
/** Points of one series in a range query; servers refuse more than 11,000. */
const MAX_POINTS = 10_000;

export const blocksFromRules: Subcommand<CommandContext> = {
  words: ['tsdb', 'create-blocks-from', 'rules'],
  help: 'Create blocks of data for new recording rules, by range queries to a running server. Alerting rules are left out.',
  flags: {
    ...BLOCK_FLAGS,
    url: {
      kind: 'text',
      fallback: 'http://localhost:9090',
      help: 'The URL of the server with the data that the rules read.',
    },
    start: {
      kind: 'text',
      isRequired: true,
      help: 'When to begin: RFC3339 or Unix timestamp. Required.',
    },
    end: {
      kind: 'text',
      help: 'When to end: RFC3339 or Unix timestamp. Default: three hours ago.',
    },
    'output-dir': { kind: 'text', fallback: 'data/', help: 'Output directory for the blocks.' },
    'eval-interval': {
      kind: 'text',
      fallback: '60s',
      help: 'Interval of groups that have none of their own.',
    },
  },
  args: ['rule-files…'],
  run: (call, context) => {
    const settings = blockSettings(call);
    const intervalMs = goDurationMs(call.text('eval-interval'));
    if (intervalMs < 1) throw new UsageError('--eval-interval: must be at least 1ms');
    for (const file of call.args) {
      if (!context.env.files.exists(file)) throw new UsageError(`path '${file}' does not exist`);
    }
    return reported(context, () =>
      context.interruptible(async (signal) => {
        const times = timesOf(call, context);
        const groups = call.args.flatMap((file) =>
          decodeRuleFile(readTextFile(context.env.files, file), file),
        );
        const backfill = new RuleBackfill(context, {
          url: call.text('url'),
          ...times,
          intervalMs,
          windowMs: blockDurationMs(settings.maxBlockMs),
        });
        await importIntoBlocks(context, backfill.source(groups), {
          ...settings,
          // As promtool, which says nothing about these blocks.
          isQuiet: true,
          directory: call.text('output-dir').replace(/(?<=.)\/+$/, ''),
          duplicates: 'last',
          signal,
        });
        return 0;
      }),
    );
  },
};

function timesOf(
  call: Call,
  { env }: CommandContext,
): { readonly startMs: number; readonly endMs: number } {
  const whole = (timeMs: number): number => Math.floor(timeMs / 1_000) * 1_000;
  const endMs = whole(timeOf(call, 'end', 'end', env.clock.now() - DEFAULT_END_AGE_MS));
  const startMs = whole(timeOf(call, 'start', 'start', 0));
  if (startMs >= endMs)
    throw new OperatingError('ROLES.REFUSED', 'start time is not before end time');
  return { startMs, endMs };
}

type BackfillSettings = {
  readonly url: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Of groups without one of their own. */
  readonly intervalMs: number;
  /** Of one query, aligned. */
  readonly windowMs: number;
};

/** Asks a server what recording rules would have given. */
class RuleBackfill {
  readonly #context: CommandContext;
  readonly #settings: BackfillSettings;

  constructor(context: CommandContext, settings: BackfillSettings) {
    this.#context = context;
    this.#settings = settings;
  }

  source(groups: readonly GroupSpec[]): SampleSource {
    return async (target) => {
      const rules = groups.flatMap((group) =>
        group.rules.flatMap((rule) => (rule.kind === 'recording' ? [{ group, rule }] : [])),
      );
      for (const [index, { group, rule }] of rules.entries()) {
        for (const window of this.#windows(group)) {
          await this.#query(rule, window, target);
          await target.pause(index, rules.length);
        }
      }
    };
  }

  /** Times of evaluation on the group's own grid, cut so that one query stays small. */
  *#windows(group: GroupSpec): Iterable<QueryWindow> {
    const { startMs, endMs, windowMs } = this.#settings;
    const stepMs = group.intervalMs ?? this.#settings.intervalMs;
    const schedule = new Schedule(group.file, group.name, stepMs);
    const before = schedule.before(startMs);
    let fromMs = before < startMs ? before + stepMs : before;
    while (fromMs <= endMs) {
      const windowEndMs = (Math.floor(fromMs / windowMs) + 1) * windowMs - 1;
      const toMs = Math.min(windowEndMs, endMs, fromMs + (MAX_POINTS - 1) * stepMs);
      yield { startMs: fromMs, endMs: toMs, stepMs };
      fromMs += (Math.floor((toMs - fromMs) / stepMs) + 1) * stepMs;
    }
  }

  async #query(
    rule: RecordingRuleSpec,
    { startMs, endMs, stepMs }: QueryWindow,
    target: SampleTarget,
  ): Promise<void> {
    const { env, stderr } = this.#context;
    const { data, warnings } = await askServer(env.net, {
      server: this.#settings.url,
      path: '/api/v1/query_range',
      method: 'POST',
      headers: {},
      parameters: {
        query: [rule.expression.text],
        start: [String(startMs / 1_000)],
        end: [String(endMs / 1_000)],
        step: [String(stepMs / 1_000)],
      },
    });
    for (const warning of warnings) stderr.write(`query warning: ${warning}\n`);
    for (const series of matrixOf(data)) addSeries(series, rule, target);
  }
}

type QueryWindow = { readonly startMs: number; readonly endMs: number; readonly stepMs: number };

type MatrixRow = {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [number, string])[];
  readonly histograms?: readonly unknown[];
};

function matrixOf(data: unknown): readonly MatrixRow[] {
  const { resultType, result } = data as { resultType?: unknown; result?: unknown };
  if (resultType === 'matrix' && Array.isArray(result)) return result as MatrixRow[];
  throw new OperatingError('ROLES.QUERY', `rule result is wrong type ${String(resultType)}`);
}

function addSeries(row: MatrixRow, rule: RecordingRuleSpec, target: SampleTarget): void {
  const value = new Float64Array(1);
  const words = wordsOf(value);
  const labels = (): Labels => {
    const builder = new LabelsBuilder();
    for (const [name, text] of Object.entries(row.metric)) builder.set(name, text);
    for (const [name, text] of Object.entries(rule.labels)) builder.set(name, text);
    return builder.set(METRIC_NAME, rule.name).build();
  };
  const key = labels().key();
  for (const [seconds, text] of row.values ?? []) {
    value[0] = parseFloatText(text) ?? Number.NaN;
    target.add(key, labels, {
      timestampMs: Math.round(seconds * 1_000),
      valueLow: words[0]!,
      valueHigh: words[1]!,
    });
  }
  target.leftOut('native histograms', row.histograms?.length ?? 0);
}
