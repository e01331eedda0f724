import { expect, test } from 'vitest';
import { CliError } from '../cli-error.ts';
import { typedParameters, typesOf } from './typed-parameters.ts';

const schema = {
  properties: {
    host: { type: 'string' },
    count: { type: 'integer' },
    share: { type: 'number' },
    deep: { type: 'boolean' },
    level: { enum: [1, 2, 'most'] },
    hosts: { type: 'array', items: { type: 'string' } },
    ports: { type: 'array', items: { type: 'integer' } },
    more: { type: 'object' },
    either: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    anything: {},
  },
};

test.each([
  ['a text stays a text', ['host=1'], { host: '1' }],
  ['what stands behind the first = is the value', ['host=a=b'], { host: 'a=b' }],
  ['nothing is an empty text', ['host='], { host: '' }],
  ['numbers are numbers', ['count=3', 'share=0.5'], { count: 3, share: 0.5 }],
  ['true is true', ['deep=true'], { deep: true }],
  ['a word of a list is of the type it has there', ['level=2'], { level: 2 }],
  ['and a text of it a text', ['level=most'], { level: 'most' }],
  ['a list is one value', ['hosts=a'], { hosts: ['a'] }],
  ['or several', ['hosts=a', 'hosts=2'], { hosts: ['a', '2'] }],
  ['of numbers', ['ports=1', 'ports=2'], { ports: [1, 2] }],
  ['or JSON', ['ports=[1, 2]'], { ports: [1, 2] }],
  ['an object is JSON', ['more={"a": 1}'], { more: { a: 1 } }],
  ['of several types the narrower goes before a text', ['either=null'], { either: null }],
  ['and a text is one', ['either=nulls'], { either: 'nulls' }],
  ['where nothing is said JSON goes before a text', ['anything=1'], { anything: 1 }],
  ['what the schema does not name is left to the controller', ['hots=a'], { hots: 'a' }],
  ['a name of every object is none of the schema', ['toString=a'], { toString: 'a' }],
])('%s', (_what, pairs, parameters) => {
  expect(typedParameters(pairs, schema)).toEqual(parameters);
});

test.each([
  [['count=x'], '--param count=x: expected integer'],
  [['count=1.5'], '--param count=1.5: expected integer'],
  [['deep=yes'], '--param deep=yes: expected boolean'],
  [['ports=a', 'ports=1'], '--param ports=a: expected integer'],
  [['host=a', 'host=b'], '--param host is given 2 times: expected once, as it is no list'],
  [['host'], '--param host: expected NAME=VALUE'],
  [['=a'], '--param =a: expected NAME=VALUE'],
])('%j is refused', (pairs, message) => {
  expect(() => typedParameters(pairs, schema)).toThrow(new CliError('usage', message));
});

test('types are known only where every choice says its own', () => {
  expect(typesOf({ anyOf: [{ type: 'integer' }, { const: 'all' }] })).toEqual(['integer', 'string']);
  expect(typesOf({ oneOf: [{ type: 'integer' }, {}] })).toEqual([]);
});
