import { OperatingError } from '@pollux/base';
import { inColumns } from '../command/columns.ts';
import type { CommandContext } from '../command/command.ts';
import type { Subcommand } from '../command/command-line.ts';
import { FAILURE_EXIT, LINT_EXIT } from './check-rules.ts';
import { readFamilies } from './metric-families.ts';
import { type LintedFamily, lintFamilies } from './metric-lint.ts';

const MAX_STDIN_BYTES = 256 * 1024 * 1024;

export const checkMetrics: Subcommand<CommandContext> = {
  words: ['check', 'metrics'],
  help: 'Pass Prometheus metrics over stdin to lint them for consistency and correctness.',
  flags: {
    extended: { kind: 'switch', help: 'Print the cardinality of the metrics.' },
  },
  run: async (call, { stdin, stdout, stderr }) => {
    const bytes = await stdin.bytes(MAX_STDIN_BYTES);
    let families: readonly LintedFamily[];
    try {
      families = readFamilies(bytes);
    } catch (error) {
      if (!OperatingError.is(error)) throw error;
      stderr.write(`error while linting: ${error.message}\n`);
      return FAILURE_EXIT;
    }
    const problems = lintFamilies(families);
    for (const { metric, text } of problems) stderr.write(`${metric} ${text}\n`);
    if (problems.length > 0) return LINT_EXIT;
    if (call.isOn('extended')) stdout.write(cardinalityTable(families));
    return 0;
  },
};

function cardinalityTable(families: readonly LintedFamily[]): string {
  const sorted = [...families].sort((a, b) => b.sampleCount - a.sampleCount);
  const total = sorted.reduce((sum, { sampleCount }) => sum + sampleCount, 0);
  const rows = sorted.map(({ name, sampleCount }) => [
    name,
    String(sampleCount),
    `${((sampleCount / total) * 100).toFixed(2)}%`,
    '',
  ]);
  const lines = [
    ['Metric', 'Cardinality', 'Percentage', ''],
    ...rows,
    ['Total', String(total), '100%', ''],
  ];
  return inColumns(lines, { padding: 4 });
}
