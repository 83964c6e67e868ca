import { errorText, OperatingError } from '@pollux/base';
import { runScript, type ScriptMode, scriptEngine } from '@pollux/promql/script';
import { Log } from '@pollux/telemetry';
import type { CommandContext } from '../command/command.ts';
import type { Subcommand } from '../command/command-line.ts';
import { readTextFile } from '../runtime/read-file.ts';

/** Prometheus' own test scripts against our engine; not in promtool. */
export const promqltest: Subcommand<CommandContext> = {
  words: ['promqltest'],
  help: 'Run scripts of Prometheus’ PromQL test language (Pollux only).',
  flags: {
    mode: {
      kind: 'choice',
      choices: ['production', 'test'],
      fallback: 'production',
      help: 'The engine of a server without feature flags, or that of Prometheus’ own tests, with everything on.',
    },
    'type-and-unit-labels': {
      kind: 'switch',
      help: 'Labels of type and unit go with the name, as under Prometheus’ feature flag of this name.',
    },
  },
  args: ['script-file…'],
  run: async (call, context) => {
    const { env, stdout, stderr } = context;
    const mode = call.text('mode') as ScriptMode;
    const features = { typeAndUnitLabels: call.isOn('type-and-unit-labels') };
    let passed = 0;
    let failed = 0;
    for (const file of call.args) {
      try {
        const engine = scriptEngine(mode, { clock: env.clock, log: Log.silent(), features });
        const report = await runScript(readTextFile(env.files, file), () => engine);
        passed += report.passed;
        failed += report.failed.length;
        for (const { line, message } of report.failed)
          stderr.write(`${file}:${line}: ${message}\n`);
      } catch (error) {
        if (!OperatingError.is(error)) throw error;
        failed++;
        stderr.write(`${file}: ${errorText(error)}\n`);
      }
    }
    stdout.write(`${passed} passed, ${failed} failed\n`);
    return failed === 0 ? 0 : 1;
  },
};
