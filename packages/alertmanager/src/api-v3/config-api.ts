import { errorText, type HttpResponse, InputError, OperatingError, systemCode } from '@pollux/base';
import { TemplateError } from '@pollux/gotemplate';
import type { Exchange } from '@pollux/http';
import { answer } from '../api/respond.ts';
import { type AlertmanagerConfig, readConfig } from '../config/config.ts';
import { compareAlerts } from '../config-check/compare-alerts.ts';
import { compareRoutes } from '../config-check/compare-routes.ts';
import { Inhibitor } from '../inhibit/inhibitor.ts';
import { Route } from '../route/route.ts';
import type { ApiV3 } from './api-v3-options.ts';
import { Fields, integerWithin } from './input.ts';

const MAX_CONFIG = 4_000_000;
const FILE = 'alertmanager.yml';
const FILE_BESIDE = 'alertmanager.pollux.yml';

/** What a configuration would change if it came into force; nothing is applied. */
export async function postConfigCheck(api: ApiV3, exchange: Exchange): Promise<HttpResponse> {
  const limit = integerWithin('limit', exchange.query.get('limit') ?? 200, { min: 0, max: 10_000 });
  const fields = await Fields.of(exchange);
  const text = fields.requiredText('config', MAX_CONFIG);
  const beside = fields.text('beside', MAX_CONFIG);
  fields.end();
  const live = api.live();
  let config: AlertmanagerConfig;
  try {
    config = readConfig(text, {
      file: `${live.config.directory}/${FILE}`,
      beside: beside === '' ? null : { text: beside, file: FILE_BESIDE },
      matcherMode: api.matcherMode,
    });
    checkTemplatePaths(config, live.config);
    api.tryConfig(config);
  } catch (error) {
    return answer(200, { isValid: false, error: problemOf(error, live.config.directory) });
  }
  const inhibitor = new Inhibitor(config.inhibitRules);
  const end = api.provider.subscribe(inhibitor);
  try {
    const route = new Route(config.route);
    const rules = { before: live, after: { route, inhibitor } };
    const names = (of: AlertmanagerConfig): string[] => of.receivers.map(({ name }) => name);
    const known = new Set(names(live.config));
    const wanted = new Set(names(config));
    return answer(200, {
      isValid: true,
      warnings: config.warnings,
      receivers: {
        added: [...wanted].filter((name) => !known.has(name)),
        removed: [...known].filter((name) => !wanted.has(name)),
      },
      routes: compareRoutes(live.route, route),
      inhibitRules: { before: live.config.inhibitRules.length, after: config.inhibitRules.length },
      alerts: await compareAlerts(api.provider.all(), rules, { clock: api.clock, limit }),
    });
  } finally {
    end();
  }
}

/** A trial must not read, and quote in errors, files that the program's own configuration does not name. */
function checkTemplatePaths({ templates }: AlertmanagerConfig, live: AlertmanagerConfig): void {
  for (const glob of templates) {
    if (live.templates.includes(glob)) continue;
    if (!glob.startsWith('/') && !glob.split('/').includes('..')) continue;
    throw new InputError(
      'ALERTMANAGER.TEMPLATE_OUTSIDE',
      'templates',
      `"${glob}" lies outside the configuration's folder; a trial reads templates there, and those that are in force`,
    );
  }
}

/** The place without the folder that the program runs in. */
function problemOf(error: unknown, directory: string): object {
  if (error instanceof TemplateError) {
    const { template, line, column, code, message } = error;
    return { code, message, place: `${template}:${line}:${column}` };
  }
  if (error instanceof InputError) {
    const own = (text: string): string => text.replaceAll(`${directory}/`, '');
    return { code: error.code, message: own(error.message), place: own(error.place) };
  }
  if (!OperatingError.is(error) && systemCode(error) === '') throw error;
  const code = OperatingError.is(error) ? error.code : systemCode(error);
  return { code, message: errorText(error), place: '' };
}
