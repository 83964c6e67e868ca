import { existsSync, readFileSync } from 'node:fs';
import { parseYaml, plainValue } from '@pollux/config';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestNode } from '../testing/world.ts';

const conformance =
  process.env.POLLUX_CONFORMANCE ??
  new URL('../../../../../shared/conformance', import.meta.url).pathname;
const file = `${conformance}/alertmanager-openapi.yaml`;
const isThere = existsSync(file);
const why = isThere ? '' : ` (skipped: ${file} is missing)`;

type Schema = {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly required?: readonly string[];
  readonly allOf?: readonly Schema[];
};
type Parameter = {
  readonly name: string;
  readonly in: 'query' | 'body' | 'path';
  readonly type?: string;
};
type Response = { readonly schema?: Schema };
type Operation = {
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<Record<string, Response>>;
};
type Description = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

const description = isThere
  ? (resolved(plainValue(parseYaml(readFileSync(file, 'utf8'), file))) as Description)
  : { paths: {} };

const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([method]) => method !== 'parameters')
    .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);
const declared = operations.flatMap(({ operation, ...rest }) =>
  Object.entries(operation.responses).map(([status, response]) => ({
    ...rest,
    operation,
    status: Number(status),
    response,
  })),
);

const CONFIG = `
route: {receiver: hook, group_by: [alertname], routes: [{matchers: [team=db], receiver: db, labels: {owner: dba}}]}
receivers: [{name: hook}, {name: db, labels: {owner: dba}}]
inhibit_rules: [{source_matchers: [sev=crit], target_matchers: [sev=warn]}]
`;
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

describe.skipIf(!isThere)(`the description of API v2${why}`, () => {
  let node: TestNode;
  let silenceId = '';
  const bodies: Record<string, unknown> = {};

  beforeEach(async () => {
    node = new TestNode({ config: CONFIG });
    await node.fire(
      { labels: { alertname: 'A', team: 'db' }, annotations: { a: 'b' }, endsIn: 600 },
      { labels: { alertname: 'B', sev: 'crit' }, endsIn: 600 },
      { labels: { alertname: 'C', sev: 'warn' }, endsIn: 600 },
    );
    silenceId = await node.silence(['alertname=A'], 600);
    await node.silence(['alertname=P'], 600, 100);
    const ended = await node.silence(['alertname=E'], 600);
    await node.request('DELETE', `/api/v2/silence/${ended}`);
    bodies.alerts = [{ labels: { alertname: 'D' }, generatorURL: 'http://p/' }];
    bodies.silence = {
      matchers: [{ name: 'a', value: 'b', isRegex: false }],
      startsAt: node.isoIn(0),
      endsAt: node.isoIn(60),
      createdBy: 'me',
      comment: 'why',
      annotations: { ticket: '1' },
    };
  });
  afterEach(async () => {
    await node.close();
    node.removeDirectory();
  });

  it('has nine operations and more than twenty answers', () => {
    expect(operations.length).toBeGreaterThanOrEqual(9);
    expect(declared.length).toBeGreaterThanOrEqual(20);
  });

  /** A request that brings this answer; null for "internal error", which no request may bring. */
  function requestFor(
    { method, path, operation }: (typeof declared)[number],
    status: number,
  ): { method: string; target: string; body?: unknown } | null {
    if (status === 500) return null;
    const of = operation.parameters ?? [];
    const body = of.find((parameter) => parameter.in === 'body');
    const texts = of.filter(({ in: place, type }) => place === 'query' && type !== 'boolean');
    const id = status === 404 ? UNKNOWN_ID : silenceId;
    const target = `/api/v2${path.replace('{silenceID}', id)}`;
    if (status === 404 && body !== undefined) {
      return { method, target, body: { ...(bodies[body.name] as object), id: UNKNOWN_ID } };
    }
    if (status !== 400) return { method, target, body: body && bodies[body.name] };
    if (body !== undefined) return { method, target, body: '{' };
    return {
      method,
      target: `${target}?${texts[0]?.name ?? 'none'}=${encodeURIComponent('a=~"("')}`,
    };
  }

  it.each(declared.map((one) => [`${one.method} ${one.path}`, one.status, one] as const))(
    '%s answers %i as described',
    async (_name, status, one) => {
      const request = requestFor(one, status);
      if (request === null) return;
      const answer = await node.request(request.method, request.target, request.body);
      expect(answer.status).toBe(status);
      // Refusals of a body's form are objects in the original too, whatever its description says.
      if (status === 400 && request.body === '{') return;
      if (one.response.schema !== undefined) {
        expect(faults(answer.json, one.response.schema, '')).toEqual([]);
      } else expect(answer.text).toBe('');
    },
  );

  it.each(
    operations.flatMap(({ method, path, operation }) =>
      (operation.parameters ?? [])
        .filter(({ in: place }) => place === 'query')
        .map(({ name, type }) => [name, `${method} ${path}`, method, path, type] as const),
    ),
  )('%s of %s has an effect', async (name, _operation, method, path, type) => {
    // Alerts are processed when they are received, and no group is muted here: leaving them out changes nothing.
    const isIdle = name === 'unprocessed' || name === 'muted';
    const of = async (query: string): Promise<string> =>
      (await node.request(method, `/api/v2${path}${query}`)).text;
    const none = `${name}=${encodeURIComponent(type === 'boolean' ? 'false' : name === 'receiver' ? 'nobody' : 'nosuch="x"')}`;
    const [without, whole] = [await of(`?${none}`), await of('')];
    if (isIdle) expect(without).toBe(whole);
    else expect(without).not.toBe(whole);
  });

  it('refuses ids of silences that are none, and methods and paths that are not there', async () => {
    for (const [method, target, status] of [
      ['GET', '/silence/x', 422],
      ['DELETE', '/silence/x', 422],
      ['PUT', '/alerts', 405],
      ['DELETE', '/status', 405],
      ['GET', '/nosuch', 404],
    ] as const) {
      const answer = await node.request(method, `/api/v2${target}`);
      expect(answer.status).toBe(status);
      expect(answer.json).toMatchObject({ message: expect.any(String) as string });
    }
  });
});

/** What is wrong with a value, by its places. Members that the schema does not name are wrong too. */
function faults(value: unknown, schema: Schema, place: string): string[] {
  if (schema.allOf !== undefined) return faults(value, merged(schema.allOf), place);
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' && isOfFormat(value, schema)
        ? []
        : [`${place}: ${String(value)}`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${place}: no boolean`];
    case 'array': {
      if (!Array.isArray(value)) return [`${place}: no list`];
      return value.flatMap((item, i) => faults(item, schema.items ?? {}, `${place}[${i}]`));
    }
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? memberFaults(value as Record<string, unknown>, schema, place)
        : [`${place}: no object`];
    default:
      return [`${place}: a schema without a type`];
  }
}

function memberFaults(value: Record<string, unknown>, schema: Schema, place: string): string[] {
  const { properties = {}, required = [], additionalProperties } = schema;
  const missing = required.filter((key) => !Object.hasOwn(value, key));
  return [
    ...missing.map((key) => `${place}.${key} is missing`),
    ...Object.entries(value).flatMap(([key, member]) => {
      const known = properties[key] ?? additionalProperties;
      if (known === undefined) return [`${place}.${key} is not described`];
      return faults(member, known, `${place}.${key}`);
    }),
  ];
}

function merged(parts: readonly Schema[]): Schema {
  return {
    type: 'object',
    properties: Object.assign({}, ...parts.map(({ properties }) => properties)) as Record<
      string,
      Schema
    >,
    required: parts.flatMap(({ required = [] }) => required),
  };
}

function isOfFormat(text: string, schema: Schema): boolean {
  if (schema.enum !== undefined && !schema.enum.includes(text)) return false;
  if (schema.format === 'date-time') return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text);
  return schema.format !== 'uri' || URL.canParse(text);
}

/** The description with each reference replaced by what it refers to. */
function resolved(root: unknown): unknown {
  const at = (path: string): unknown =>
    path
      .slice(2)
      .split('/')
      .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], root);
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const reference = (value as Schema).$ref;
    if (reference !== undefined) return walk(at(reference));
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member)]));
  };
  return walk(root);
}
