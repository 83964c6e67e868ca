import {
  FunctionError,
  type Functions,
  formatFloat,
  GoFunction,
  GoList,
  GoMap,
  type GoMapType,
  GoScalar,
  GoStruct,
  type GoType,
  HTML_TYPE,
  stringList,
  typeName,
  URL_TYPE,
  type Value,
} from '../index.ts';

/** The functions that the recorded templates were given in Go. */
export const FUNCTIONS: Functions = {
  toUpper: { params: ['string'], call: ([text]) => String(text).toUpperCase() },
  join: {
    params: ['string', '[]string'],
    call: ([separator, list]) => strings(list!).join(String(separator)),
  },
  list: { params: [], variadic: 'any', call: (values) => values },
  fail: {
    params: ['string'],
    call: ([message]) => {
      throw new FunctionError(String(message));
    },
  },
  add: { params: ['int', 'int'], call: ([a, b]) => (a as bigint) + (b as bigint) },
  scale: { params: ['float64'], call: ([value]) => (value as number) * 10 },
  both: {
    params: ['bool'],
    variadic: 'string',
    call: ([first, ...rest]) => `${first} [${rest.join(' ')}]`,
  },
  kind: { params: ['any'], call: ([value]) => typeName(value!) },
  safeHtml: { params: ['string'], call: ([text]) => new GoScalar(HTML_TYPE, String(text)) },
  safeUrl: { params: ['string'], call: ([text]) => new GoScalar(URL_TYPE, String(text)) },
};

function strings(value: Value): string[] {
  return value === null ? [] : (((value as GoList).items ?? value) as string[]);
}

const PAIR: GoType = { name: 'main.Pair' };
const PAIRS: GoType = {
  name: 'main.Pairs',
  methods: {
    Names: {
      params: [],
      call: (self) =>
        stringList((self as GoList).items.map((pair) => String((pair as GoStruct).fields.Name))),
    },
  },
};
const KV: GoMapType = {
  name: 'main.KV',
  zero: '',
  methods: {
    SortedPairs: { params: [], call: (self) => sortedPairs(self as GoMap) },
    Names: {
      params: [],
      call: (self) =>
        stringList(
          sortedPairs(self as GoMap).items.map((pair) => String((pair as GoStruct).fields.Name)),
        ),
    },
    Remove: {
      params: ['[]string'],
      call: (self, [names]) => {
        const rest = new Map((self as GoMap).entries);
        for (const name of strings(names!)) rest.delete(name);
        return new GoMap(KV, rest);
      },
    },
  },
};
const ALERT: GoType = {
  name: 'main.Alert',
  methods: {
    Label: {
      params: ['string'],
      call: (self, [name]) =>
        ((self as GoStruct).fields.Labels as GoMap).entries.get(String(name)) ?? '',
    },
    Twice: {
      params: ['int', 'float64'],
      call: (_, [n, f]) => `${(n as bigint) * 2n} ${formatFloat((f as number) * 2, 'g', -1)}`,
    },
    Fail: {
      params: ['string'],
      call: (_, [message]) => {
        throw new FunctionError(String(message));
      },
    },
    Any: { params: ['any'], call: (_, [value]) => typeName(value!) },
  },
};
const ALERTS: GoType = {
  name: 'main.Alerts',
  methods: {
    Firing: {
      params: [],
      call: (self) =>
        new GoList(
          { name: '[]main.Alert' },
          (self as GoList).items.filter((alert) => (alert as GoStruct).fields.Status === 'firing'),
        ),
    },
  },
};
const DURATION: GoType = {
  name: 'main.Dur',
  methods: { String: { params: [], call: () => '90s' } },
};

function sortedPairs(map: GoMap): GoList {
  const names = [...map.entries.keys()].map(String).sort();
  return new GoList(
    PAIRS,
    names.map((name) => new GoStruct(PAIR, { Name: name, Value: map.entries.get(name) ?? '' })),
  );
}

function kv(record: Readonly<Record<string, string>>): GoMap {
  return new GoMap(KV, new Map(Object.entries(record)));
}

function alert(status: string, labels: GoMap, value: number, count: bigint): GoStruct {
  return new GoStruct(ALERT, { Status: status, Labels: labels, Value: value, Count: count });
}

/** The data that the recorded templates were given in Go. */
export function recordedWorld(): Value {
  return new GoStruct(
    { name: 'main.Data' },
    {
      Title: 'Disk <full> & "hot"',
      Alerts: new GoList(ALERTS, [
        alert('firing', kv({ alertname: 'DiskFull', instance: 'a:9100' }), 0.1, 3n),
        alert(
          'resolved',
          kv({ alertname: 'HighLoad', instance: 'b:9100', severity: 'page' }),
          123456789,
          0n,
        ),
        alert('firing', kv({ alertname: 'InstanceDown' }), -2.5e-7, -1n),
      ]),
      Labels: kv({ b: '2', a: '1', Z: 'z' }),
      Empty: kv({}),
      Any: new Map<string, Value>([
        ['s', 'text'],
        ['n', 5n],
        ['f', 1.5],
        ['nil', null],
        ['m', new Map([['k', 'v']])],
        ['l', [1n, 'x', null]],
      ]),
      Ints: new GoList({ name: '[]int' }, [3n, 1n, 2n]),
      Floats: new GoList(
        { name: '[]float64' },
        [0, 1, 1.5, 1e6, 1e20, 1e21, 123456, 1234567, 1e-4, 1e-5, -0.5],
      ),
      Nested: new GoList({ name: '[][]string' }, [
        stringList(['a', 'b']),
        stringList([]),
        stringList(['c']),
      ]),
      Nil: null,
      ByInt: new GoMap(
        { name: 'map[int]string', zero: '' },
        new Map([
          [10n, 'ten'],
          [9n, 'nine'],
          [-1n, 'minus'],
        ]),
      ),
      Fn: new GoFunction({
        params: ['string', 'int'],
        call: ([text, count]) => String(text).repeat(Number(count)),
      }),
      Yes: true,
      No: false,
      Pi: Number('3.14159'),
      N: 42n,
      Took: new GoScalar(DURATION, 90n),
      Text: 'héllo, 世界',
      List: ['a', 1n, 2, true, null],
    },
  );
}
