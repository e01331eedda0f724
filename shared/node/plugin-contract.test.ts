import { expect, test } from 'vitest';
import { PluginManifest, taskTypeOf } from '../plugin.ts';
import { pluginContract, requireUsableSchemas } from './plugin-contract.ts';
import { Hello } from '../protocol/hello.ts';

const manifest = (parameters: object, result?: object) =>
  PluginManifest.parse({
    name: 'net-diag',
    version: '1.0.0',
    summary: 'Looks at networks',
    program: 'bin/netdiag',
    task_types: { TRACEROUTE: { summary: 'Traces a route', parameters, ...(result && { result }) } },
  });

test('a task type of a plugin is a contract with defaults and bounds of its own', () => {
  const { name, summary, parameters, result } = pluginContract(
    manifest({
      type: 'object',
      properties: { host: { type: 'string' }, count: { type: 'integer', maximum: 10, default: 3 } },
      required: ['host'],
      additionalProperties: false,
    }),
    'TRACEROUTE',
  );
  expect({ name, summary }).toEqual({ name: 'NET_DIAG.TRACEROUTE', summary: 'Traces a route' });
  expect(parameters.parse({ host: '1.1.1.1' })).toEqual({ host: '1.1.1.1', count: 3 });
  for (const wrong of [{}, { host: 'a', count: 11 }, { host: 'a', hots: 'b' }]) {
    expect(parameters.safeParse(wrong).success).toBe(false);
  }
  expect(result.parse({ anything: 1 })).toEqual({ anything: 1 });
});

const deep = (levels: number): object =>
  levels === 0 ? { type: 'string' } : { type: 'object', properties: { a: deep(levels - 1) } };

test.each([
  ['a keyword that is not known', { type: 'object', if: {} }, 'if/then/else'],
  [
    'a pattern that is none',
    { type: 'object', properties: { a: { type: 'string', pattern: '(' } } },
    'Invalid regular expression',
  ],
  [
    'a reference to nothing',
    { type: 'object', properties: { a: { $ref: '#/$defs/x' } } },
    'Reference not found',
  ],
  ['no end of depth', deep(2000), 'Maximum call stack'],
])('a schema with %s is refused with the type and why', (_what, schema, why) => {
  for (const one of [manifest(schema), manifest({ type: 'object' }, schema)]) {
    expect(() => requireUsableSchemas(one)).toThrow(
      expect.objectContaining({ code: 'bad_request', message: expect.stringContaining(why) }),
    );
    expect(() => requireUsableSchemas(one)).toThrow('NET_DIAG.TRACEROUTE');
  }
});

test('no name of a type is longer than what a device may say', () => {
  const { parameters } = manifest({ type: 'object' }).task_types['TRACEROUTE'] ?? {};
  const plugin = (type: string) => ({
    ...manifest({ type: 'object' }),
    name: 'n'.repeat(32),
    task_types: { [type]: { summary: 'x', parameters } },
  });
  const { name, task_types: types } = PluginManifest.parse(plugin('T'.repeat(31)));
  const [type = ''] = Object.keys(types);
  expect(Hello.shape.taskTypes.safeParse([taskTypeOf(name, type)]).success).toBe(true);
  expect(PluginManifest.safeParse(plugin('T'.repeat(32))).success).toBe(false);
});

/** `count` schemas, each of which offers the next one twice. */
const doubling = (count: number, word: 'anyOf' | 'allOf') =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => {
      const next = { $ref: `#/$defs/d${at + 1}` };
      return [`d${at}`, at === count - 1 ? { type: 'string' } : { [word]: [next, next] }];
    }),
  );

test.each([
  ['a pattern', { type: 'string', pattern: '^(a+)+$' }, `${'a'.repeat(60)}!`],
  ['many ways to the same schema', { $ref: '#/$defs/d0' }, 1],
  ['all of many schemas', { $ref: '#/$defs/a0' }, 'text'],
  ['a schema that is another, which is the first', { $ref: '#/$defs/left' }, 1],
])('%s that never ends is refused in time, and what can be checked goes on', (_what, field, value) => {
  const all = Object.entries(doubling(40, 'allOf')).map(([name, schema]) => [
    name.replace('d', 'a'),
    JSON.parse(JSON.stringify(schema).replaceAll('/d', '/a')) as object,
  ]);
  const $defs = {
    ...doubling(40, 'anyOf'),
    ...(Object.fromEntries(all) as object),
    left: { $ref: '#/$defs/right' },
    right: { $ref: '#/$defs/left' },
  };
  const { parameters } = pluginContract(
    manifest({ type: 'object', $defs, properties: { field, other: { type: 'string' } } }),
    'TRACEROUTE',
  );
  const started = performance.now();
  expect(parameters.safeParse({ field: value }).error?.message).toContain('cannot be checked');
  expect(performance.now() - started).toBeLessThan(5000);
  expect(parameters.parse({ other: 'fits' })).toEqual({ other: 'fits' });
});

test('a schema that never ends with nothing at all is refused when it is added', () => {
  const schema = { type: 'object', $defs: doubling(40, 'allOf'), allOf: [{ $ref: '#/$defs/d0' }] };
  expect(() => requireUsableSchemas(manifest(schema))).toThrow(/TRACEROUTE cannot be used: /);
});
