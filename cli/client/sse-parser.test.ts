import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SseParser } from './sse-parser.ts';

const text = [
  ': open\nid: 4\n\n',
  'id: 5\nevent: task.started\ndata: {"a":1}\n\n',
  ': heartbeat\n\n',
  'id: 6\r\nevent: x\r\ndata: one\r\ndata:two\r\n\r\n',
  'data: no id of its own\n\n',
].join('');

const events = [
  { id: '4', event: 'message', data: '' },
  { id: '5', event: 'task.started', data: '{"a":1}' },
  { id: '6', event: 'x', data: 'one\ntwo' },
  { id: '6', event: 'message', data: 'no id of its own' },
];

test('reads events, comments and a place to resume', () => {
  expect(new SseParser().push(text)).toEqual(events);
});

test('reads the same however the text is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: text.length })), (cuts) => {
      const parser = new SseParser();
      const edges = [0, ...cuts.toSorted((left, right) => left - right), text.length];
      const read = edges.slice(1).flatMap((end, at) => parser.push(text.slice(edges[at], end)));
      expect(read).toEqual(events);
    }),
  );
});

test('does not keep an event without end in memory', () => {
  const parser = new SseParser();
  expect(() => {
    for (let part = 0; part < 10; part += 1) parser.push('x'.repeat(1024 * 1024));
  }).toThrow(/too large/);
});
