import { OperatingError } from '@pollux/base';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  FunctionError,
  type GoList,
  GoMap,
  GoScalar,
  GoStruct,
  parseTemplate,
  quote,
  stringList,
  stringMap,
  TemplateError,
  TemplateLimitError,
  TemplateSet,
  unquote,
  type Value,
} from './index.ts';

const caught = (work: () => unknown): Error => {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};

describe('a template set', () => {
  test('lets a later file redefine what an earlier one defines', () => {
    const set = new TemplateSet();
    set.add(
      'default.tmpl',
      '{{define "subject"}}default{{end}}{{define "body"}}<{{template "subject"}}>{{end}}',
    );
    set.add('user.tmpl', '{{define "subject"}}mine{{end}}');
    expect(set.execute('body', null)).toBe('<mine>');
  });

  test('keeps a definition when a later one of its name is empty', () => {
    const set = new TemplateSet();
    set.add('a', '{{define "subject"}}default{{end}}');
    set.add('b', '{{define "subject"}} {{/* nothing */}} {{end}}');
    expect(set.execute('subject', null)).toBe('default');
  });

  test('is unchanged by a file that does not parse', () => {
    const set = new TemplateSet();
    set.add('a', '{{define "x"}}old{{end}}');
    expect(caught(() => set.add('b', '{{define "x"}}new{{end}}{{if}}'))).toBeInstanceOf(
      TemplateError,
    );
    expect(set.execute('x', null)).toBe('old');
  });

  test('renders a text beside its templates without taking it over', () => {
    const set = new TemplateSet();
    set.add('a', '{{define "x"}}[{{.}}]{{end}}');
    expect(set.executeText('', '{{template "x" .}}{{define "y"}}{{end}}', 'v')).toBe('[v]');
    expect(set.has('y')).toBe(false);
  });

  test('names an unknown template', () => {
    const error = caught(() => new TemplateSet().execute('none', null));
    expect(error).toMatchObject({ code: 'GOTEMPLATE.UNKNOWN_TEMPLATE' });
    expect(error.message).toContain('"none"');
  });

  test('tells the place of an error in the file where the failing template was defined', () => {
    const set = new TemplateSet();
    set.add('lib.tmpl', 'x\n{{define "inner"}}\n  é{{.Missing}}{{end}}');
    set.add('main.tmpl', '{{template "inner" .}}');
    const error = caught(() => set.execute('main.tmpl', new GoStruct({ name: 'T' }, {})));
    expect(error.message).toBe(
      'template: lib.tmpl:3:6: executing "inner" at <.Missing>: can\'t evaluate field Missing in type T',
    );
    expect(error).toMatchObject({ code: 'GOTEMPLATE.EXECUTE', line: 3, column: 6 });
  });

  test('keeps the cause of an error that a function throws', () => {
    const cause = new FunctionError('upstream said no');
    const set = parseTemplate('t', '{{fetch}}', {
      functions: {
        fetch: {
          params: [],
          call: () => {
            throw cause;
          },
        },
      },
    });
    expect(caught(() => set.execute('t', null))).toMatchObject({
      cause,
      message: 'template: t:1:2: executing "t" at <fetch>: error calling fetch: upstream said no',
    });
  });

  test('does not hide a bug in a function as an error of the template', () => {
    const set = parseTemplate('t', '{{broken}}', {
      functions: {
        broken: {
          params: [],
          call: () => {
            throw new TypeError('a bug');
          },
        },
      },
    });
    expect(caught(() => set.execute('t', null))).toBeInstanceOf(TypeError);
  });
});

describe('functions that wait', () => {
  const functions = {
    query: {
      params: ['string' as const],
      call: async ([text]: readonly Value[]) => {
        await Promise.resolve();
        if (text === 'bad') throw new FunctionError('no such series');
        return [`${text}1`, `${text}2`];
      },
    },
  };

  test('are awaited wherever they stand', async () => {
    const set = new TemplateSet({ functions });
    set.add(
      't',
      '{{range query "a"}}{{.}}{{range query .}}<{{.}}>{{end}}{{end}}{{with query "b" | len}}{{.}}{{end}}',
    );
    expect(await set.executeWaiting('t', null)).toBe('a1<a11><a12>a2<a21><a22>2');
  });

  test('fail with the place where they were called', async () => {
    const set = new TemplateSet({ functions });
    await expect(set.executeTextWaiting('t', 'x{{query "bad"}}', null)).rejects.toThrow(
      'template: t:1:3: executing "t" at <query "bad">: error calling query: no such series',
    );
  });

  test('are refused by the call that cannot wait', () => {
    const set = new TemplateSet({ functions });
    const error = caught(() => set.executeText('t', '{{query "bad"}}', null));
    expect(error).toBeInstanceOf(TemplateError);
    expect(error.message).toContain('executeWaiting');
  });

  test('end with their signal', async () => {
    const controller = new AbortController();
    const set = new TemplateSet({ functions });
    const rendering = set.executeTextWaiting(
      't',
      '{{query "a"}}{{query "b"}}',
      null,
      controller.signal,
    );
    controller.abort(new FunctionError('shut down'));
    await expect(rendering).rejects.toThrow('shut down');
  });
});

describe('limits', () => {
  const limits = { maxSteps: 10_000, maxOutputLength: 1_000, maxDepth: 50 };
  const failure = (text: string): Error =>
    caught(() => new TemplateSet({ limits }).executeText('t', text, null));

  test.each([
    ['an endless loop', '{{range 1000000000}}{{end}}', 'steps'],
    ['nested loops', '{{range 1000}}{{range 1000}}{{end}}{{end}}', 'steps'],
    ['too much text', '{{range 200}}0123456789{{end}}', 'output length'],
    ['a doubling string', '{{$x := "xx"}}{{range 60}}{{$x = print $x $x}}{{end}}', 'output length'],
  ])('stop %s', (_, text, limit) => {
    const error = failure(text);
    expect(error).toBeInstanceOf(TemplateLimitError);
    expect(error).toMatchObject({ limit });
  });

  test('stop a template that calls itself', () => {
    expect(failure('{{template "t"}}').message).toBe(
      'template: t:1:11: executing "t" at <{{template "t"}}>: exceeded maximum template depth (50)',
    );
  });

  test('stop a printf that pads without end', () => {
    expect(failure('{{printf "%999999d" 1}}').message).toContain('longer than');
    expect(failure('{{printf "%.999999f" 1.0}}').message).toContain('longer than');
  });

  test('stop nesting before the stack does', () => {
    expect(failure(`{{${'('.repeat(50_000)}`).message).toContain('nested deeper');
    expect(failure('{{if true}}'.repeat(50_000)).message).toContain('nested deeper');
  });

  test('leave room at the default for every depth they allow', () => {
    const set = new TemplateSet();
    const text =
      '{{define "r"}}{{if gt . 0}}{{with (print (print .))}}{{end}}{{template "r" (dec .)}}{{end}}{{end}}{{template "r" 99}}done';
    const withDec = new TemplateSet({
      functions: { dec: { params: ['int'], call: ([n]) => (n as bigint) - 1n } },
    });
    expect(set.has('r')).toBe(false);
    expect(withDec.executeText('t', text, null)).toBe('done');
  });
});

describe('values', () => {
  const render = (text: string, data: Value): string =>
    new TemplateSet().executeText('t', text, data);

  test('have only the fields and methods they were given', () => {
    const data = new GoStruct({ name: 'T', methods: {} }, {});
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(() => render(`{{.${name}}}`, data)).toThrow(`can't evaluate field ${name} in type T`);
      expect(render(`{{.${name}}}`, new Map())).toBe('<no value>');
    }
  });

  test('print maps in the order of their UTF-8 keys', () => {
    const map = stringMap([
      ['\u{1f600}', 'astral'],
      ['\uff5e', 'plane 0'],
      ['a', '1'],
    ]);
    expect(render('{{.}}', map)).toBe('map[a:1 \uff5e:plane 0 \u{1f600}:astral]');
  });

  test('give the zero of their map for a missing key when asked to', () => {
    const map = new GoMap({ name: 'map[string]int', zero: 0n }, new Map());
    const set = new TemplateSet({ missingKey: 'zero' });
    expect(set.executeText('t', '{{.x}} {{index . "y"}}', map)).toBe('0 0');
    expect(render('{{.x}}', map)).toBe('<no value>');
  });

  test('of named types print by their String method and count as what they are', () => {
    const duration = new GoScalar(
      { name: 'time.Duration', methods: { String: { params: [], call: () => '1m30s' } } },
      90_000_000_000n,
    );
    expect(render('{{.}} {{printf "%s %v %d" . . .}} {{gt . 5}}', duration)).toBe(
      '1m30s 1m30s 1m30s 90000000000 true',
    );
  });

  test('that are lists of strings fit []string parameters', () => {
    const set = new TemplateSet({
      functions: {
        count: {
          params: ['[]string'],
          call: ([list]) => BigInt((list as GoList).items.length),
        },
      },
    });
    expect(set.executeText('t', '{{count .}}', stringList(['a', 'b']))).toBe('2');
  });
});

describe('hostile input', () => {
  const fragments = fc.constantFrom(
    '{{',
    '}}',
    '{{-',
    '-}}',
    ' ',
    '.',
    '$',
    '$x',
    ':=',
    '=',
    '|',
    '(',
    ')',
    ',',
    'if',
    'else',
    'end',
    'range',
    'with',
    'define',
    'template',
    'block',
    'break',
    'continue',
    '"a"',
    '`b`',
    "'c'",
    '1',
    '1.5',
    '0x',
    'nil',
    'true',
    '.A',
    '.A.B',
    'print',
    'printf',
    'index',
    'slice',
    'len',
    'call',
    'and',
    'eq',
    '/*',
    '*/',
    '\n',
    '"%d%s%[9]v%*d"',
    'é',
    '\u0000',
    '{{end}}',
    '{{.}}',
    '{{range .}}',
    '{{if .}}',
  );
  const data: Value = new Map<string, Value>([['A', new Map([['B', [1n, 2.5, 'x', null, true]]])]]);

  test('gives a text or a typed error, never anything else', () => {
    fc.assert(
      fc.property(fc.array(fragments, { maxLength: 40 }), fc.string(), (parts, junk) => {
        for (const text of [parts.join(''), `{{${parts.join(' ')}}}`, junk, `{{${junk}}}`]) {
          try {
            const limits = { maxSteps: 1_000, maxOutputLength: 10_000, maxDepth: 20 };
            expect(typeof new TemplateSet({ limits }).executeText('t', text, data)).toBe('string');
          } catch (error) {
            expect(OperatingError.is(error), `${text}: ${String(error)}`).toBe(true);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('text without delimiters comes out as it went in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.includes('{{'));
        expect(new TemplateSet().executeText('t', text, null)).toBe(text);
      }),
    );
  });

  test('strings survive quoting and unquoting', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(unquote(quote(text))).toBe(text);
        expect(unquote(quote(text, true))).toBe(text);
      }),
    );
  });
});
