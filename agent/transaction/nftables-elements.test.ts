import { expect, test } from 'vitest';
import { lostElements } from './nftables-elements.ts';

const ruleset = (...lines: string[]): string =>
  `table inet filter {\n${lines.map((line) => `\t${line}\n`).join('')}}\ntable ip nat {\n\tchain post {\n\t}\n}\n`;
const set = (elements: string, nature = 'type ipv4_addr\n\t\tflags timeout', kind = 'set'): string =>
  `${kind} banned {\n\t\t${nature}${elements === '' ? '' : `\n\t\telements = { ${elements} }`}\n\t}`;
const commands = (before: string, after: string, files = ''): string[] =>
  lostElements(ruleset(before), ruleset(after), files).map(({ command }) => command);
const added = (elements: string): string[] => [`add element inet filter banned { ${elements} }\n`];

test('elements come back with their state, also over several lines and with commas in comments', () => {
  const elements = '192.0.2.1 timeout 1h expires 59m comment "a, b } c",\n\t\t\t     192.0.2.2';
  expect(commands(set(elements), set(''))).toEqual(
    added('192.0.2.1 timeout 1h expires 59m comment "a, b } c", 192.0.2.2'),
  );
});

test('elements that are there already, in whatever state, do not come twice', () => {
  const before = set('192.0.2.1 timeout 1h expires 59m, 192.0.2.2 counter packets 1 bytes 2');
  expect(commands(before, set('192.0.2.1, 192.0.2.2'))).toEqual([]);
});

test.each([
  ['another type', set('', 'type ipv6_addr\n\t\tflags timeout')],
  ['other flags', set('', 'type ipv4_addr\n\t\tflags dynamic,timeout')],
  ['a map instead', set('', 'type ipv4_addr\n\t\tflags timeout', 'map')],
  ['another name', set('').replace('banned', 'allowed')],
  ['no set at all', 'chain input {\n\t}'],
])('nothing comes back into what is not the same set: %s', (_, after) => {
  expect(commands(set('192.0.2.1'), after)).toEqual([]);
});

test('a set of constants is what the files say', () => {
  const constant = 'type ipv4_addr';
  expect(commands(set('192.0.2.1', constant), set('', constant))).toEqual([]);
});

test('what the old files named is theirs; what only looks alike is not', () => {
  const before = set('192.0.2.1 timeout 1h expires 3m, 192.0.2.12, 192.0.2.1 . 22 expires 5m');
  expect(commands(before, set(''), 'elements = { 192.0.2.1,\n 192.0.2.123 }')).toEqual(
    added('192.0.2.12, 192.0.2.1 . 22 expires 5m'),
  );
});
