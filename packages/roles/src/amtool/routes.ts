import { type AlertmanagerConfig, readConfig } from '@pollux/alertmanager';
import { OperatingError } from '@pollux/base';
import { Labels, matchesAll } from '@pollux/model';
import type { Call, CommandFlags, Subcommand } from '../command/command-line.ts';
import { readTextFile } from '../runtime/read-file.ts';
import type { Around } from './around.ts';
import { labelPair, sortedMatchers } from './matchers.ts';
import { statusOf } from './status.ts';
import { type TreeNode, treeText } from './tree-text.ts';

type Route = AlertmanagerConfig['route'];

const CONFIG: CommandFlags = {
  'config.file': { kind: 'text', help: 'Config file to be tested instead of the running one.' },
};

export const routesShow: Subcommand<Around> = {
  words: ['config', 'routes', 'show'],
  isDefault: true,
  help: 'Print the routing tree.',
  flags: CONFIG,
  run: async (call, around) => {
    const route = await routeOf(call, around);
    around.context.stdout.write(`Routing tree:\n${treeText([wholeTree(route, route.receiver)])}\n`);
    return 0;
  },
};

export const routesTest: Subcommand<Around> = {
  words: ['config', 'routes', 'test'],
  help: 'Print the receivers that an alert with the given labels goes to.',
  flags: {
    ...CONFIG,
    'verify.receivers': { kind: 'text', help: 'Fail unless these are the receivers (a,b).' },
    tree: { kind: 'switch', help: 'Print the matching routes as a tree.' },
  },
  args: ['labels…?'],
  run: async (call, around) => {
    const { stdout } = around.context;
    const route = await routeOf(call, around);
    const labels = testedLabels(call.args);
    if (call.isOn('tree')) {
      const tree = matchingTree(route, labels, route.receiver);
      stdout.write(`Matching routes:\n${treeText([tree])}\n\n`);
    }
    const receivers = receiversOf(route, labels, route.receiver).join(',');
    stdout.write(`${receivers}\n`);
    const expected = call.text('verify.receivers');
    if (expected === '' || expected === receivers) return 0;
    stdout.write('WARNING: Expected receivers did not match resolved receivers.\n');
    return 1;
  },
};

async function routeOf(call: Call, around: Around): Promise<Route> {
  const file = call.text('config.file');
  if (file === '') {
    const { config } = await statusOf(call, around);
    return readConfig(config.original, { file: 'the running configuration' }).route;
  }
  if (call.has('alertmanager.url')) {
    around.context.stderr.write('Warning: --config.file flag overrides the --alertmanager.url.\n');
  }
  return readConfig(readTextFile(around.context.env.files, file), { file }).route;
}

function testedLabels(args: readonly string[]): Labels {
  try {
    return Labels.from(Object.fromEntries(args.map(labelPair)));
  } catch (error) {
    if (!OperatingError.is(error)) throw error;
    throw new OperatingError('ROLES.AMTOOL', `Failed to parse labels: ${error.message}`);
  }
}

function wholeTree(route: Route, inherited: string): TreeNode {
  const receiver = route.receiver === '' ? inherited : route.receiver;
  return {
    text: [matchersText(route), ...continueText(route), `receiver: ${receiver}`].join('  '),
    children: route.routes.map((child) => wholeTree(child, receiver)),
  };
}

function matchingTree(route: Route, labels: Labels, inherited: string): TreeNode {
  const receiver = route.receiver === '' ? inherited : route.receiver;
  const children = matchingChildren(route, labels);
  return {
    text:
      children.length > 0 ? matchersText(route) : `${matchersText(route)}  receiver: ${receiver}`,
    children: children.map((child) => matchingTree(child, labels, receiver)),
  };
}

function receiversOf(route: Route, labels: Labels, inherited: string): readonly string[] {
  const receiver = route.receiver === '' ? inherited : route.receiver;
  const children = matchingChildren(route, labels);
  if (children.length === 0) return [receiver];
  return children.flatMap((child) => receiversOf(child, labels, receiver));
}

/** The children that an alert enters: up to the first match that does not continue. */
function matchingChildren(route: Route, labels: Labels): readonly Route[] {
  const entered: Route[] = [];
  for (const child of route.routes) {
    if (!matchesAll(child.matchers, labels)) continue;
    entered.push(child);
    if (!child.continues) break;
  }
  return entered;
}

function matchersText(route: Route): string {
  if (route.matchers.length === 0) return 'default-route';
  return `{${sortedMatchers(route.matchers).join(',')}}`;
}

function continueText(route: Route): readonly string[] {
  return route.continues ? ['continue: true'] : [];
}
