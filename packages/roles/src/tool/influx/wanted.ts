import { type Call, type CommandFlags, UsageError } from '../../command/command-line.ts';
import type { Wanted } from './influx-contents.ts';

export const SOURCE_FLAGS: CommandFlags = {
  from: {
    kind: 'text',
    isRequired: true,
    help: 'Server to read from, as http://user:password@host:8086; INFLUX_USERNAME and INFLUX_PASSWORD where it names nobody.',
  },
  database: {
    kind: 'list',
    help: 'Database to read; several may be given. All but _internal by default.',
  },
  retention: {
    kind: 'list',
    help: 'Retention policy to read; several may be given. All by default.',
  },
  start: { kind: 'text', help: 'Oldest time, as RFC 3339.' },
  end: { kind: 'text', help: 'Time before which all points lie, as RFC 3339.' },
};

export function wantedOf(call: Call): Wanted {
  const time = (name: string): string => {
    const text = call.text(name);
    if (text !== '' && Number.isNaN(Date.parse(text)))
      throw new UsageError(`--${name}: "${text}" is no time; write 2024-01-15T00:00:00Z`);
    return text;
  };
  return {
    databases: call.list('database'),
    policies: call.list('retention'),
    start: time('start'),
    end: time('end'),
  };
}
