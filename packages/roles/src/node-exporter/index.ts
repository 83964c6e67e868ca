import { COLLECTORS, registerNodeExporter } from '@pollux/node-exporter';
import { type FlagTable, LOG_FLAGS } from '../flags/flags.ts';
import { listenAddressesOf } from '../runtime/external-url.ts';
import { type RoleModule, VERSION } from '../runtime/role.ts';
import { systemdSockets } from '../runtime/systemd-sockets.ts';
import { listenOn, observedRouter, registerHealth } from '../runtime/web.ts';

const BASE_FLAGS = {
  'web.listen-address': {
    kind: 'list',
    fallback: ['0.0.0.0:9100'],
    help: 'Address on which to expose metrics and web interface. Can be repeated.',
  },
  'web.config.file': {
    kind: 'string',
    fallback: '',
    help: 'Path to a configuration file that can enable TLS or authentication.',
  },
  'web.systemd-socket': {
    kind: 'boolean',
    fallback: false,
    help: 'Listen on the sockets that systemd hands over, instead of on --web.listen-address.',
  },
  'web.telemetry-path': {
    kind: 'string',
    fallback: '/metrics',
    help: 'Path under which to expose metrics.',
  },
  'web.disable-exporter-metrics': {
    kind: 'boolean',
    fallback: false,
    help: 'Exclude metrics about the exporter itself.',
  },
  'web.max-requests': {
    kind: 'integer',
    fallback: 40,
    help: 'Maximum number of parallel scrape requests. Use 0 to disable.',
  },
  'collector.disable-defaults': {
    kind: 'boolean',
    fallback: false,
    help: 'Set all collectors to disabled by default.',
  },
  'path.procfs': { kind: 'string', fallback: '/proc', help: 'procfs mountpoint.' },
  'path.sysfs': { kind: 'string', fallback: '/sys', help: 'sysfs mountpoint.' },
  'path.rootfs': { kind: 'string', fallback: '/', help: 'rootfs mountpoint.' },
  ...LOG_FLAGS,
} as const;

/** One switch a collector: `--collector.cpu`, `--no-collector.cpu`. */
const COLLECTOR_FLAGS: FlagTable = Object.fromEntries(
  COLLECTORS.map(({ name, isDefault }) => [
    `collector.${name}`,
    { kind: 'boolean', fallback: isDefault, help: `Enable the ${name} collector.` },
  ]),
);
const FLAGS = { ...COLLECTOR_FLAGS, ...BASE_FLAGS };

/** Metrics of this machine. */
export const role: RoleModule<typeof FLAGS> = {
  name: 'node-exporter',
  usage: 'pollux node-exporter [flags]',
  version: `node_exporter, version ${VERSION} (pollux)`,
  flags: FLAGS,
  start: async (context, values, given) => {
    const { env, log, registry } = context;
    const places = values['web.systemd-socket']
      ? systemdSockets(context.variables, process.pid)
      : listenAddressesOf(values['web.listen-address']);
    // The parser of it is loaded where it is asked for only.
    const webFile = values['web.config.file'];
    const web =
      webFile === ''
        ? null
        : new (await import('../runtime/web-config.ts')).WebConfig(context, webFile);
    const router = observedRouter({ env, log, registry, namespace: 'node_exporter', prefix: '/' });
    registerHealth(router, 'Node exporter', () => true);
    const flags: Readonly<Record<string, unknown>> = values;
    const collectors: Record<string, boolean> = {};
    for (const { name } of COLLECTORS) {
      if (given.has(`collector.${name}`)) collectors[name] = flags[`collector.${name}`] === true;
    }
    registerNodeExporter(router, {
      files: env.files,
      clock: env.clock,
      log,
      version: VERSION,
      telemetryPath: values['web.telemetry-path'],
      disableExporterMetrics: values['web.disable-exporter-metrics'],
      maxRequests: values['web.max-requests'],
      disableDefaults: values['collector.disable-defaults'],
      collectors,
      procPath: values['path.procfs'],
      sysPath: values['path.sysfs'],
      rootPath: values['path.rootfs'],
    });
    const listener = await listenOn(env, places, router, { web, maxConnections: 512 });
    return {
      address: listener.address,
      reload: async () => {},
      close: () => listener.close(),
      quit: new Promise(() => {}),
    };
  },
};
