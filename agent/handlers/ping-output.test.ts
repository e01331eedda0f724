import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePingOutput } from './ping-output.ts';

const head = 'PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n';

test.each([
  [
    'iputils',
    `${head}64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.244 ms\n\n--- 10.0.0.1 ping statistics ---\n4 packets transmitted, 3 received, 25% packet loss, time 3004ms\nrtt min/avg/max/mdev = 0.067/0.155/0.244/0.088 ms\n`,
    { sent: 4, received: 3, meanMs: 0.155 },
  ],
  [
    'iputils with duplicates and a pipe',
    `4 packets transmitted, 4 received, +2 duplicates, 0% packet loss, time 3004ms\nrtt min/avg/max/mdev = 1.0/2.5/4.0/0.1 ms, pipe 4\n`,
    { sent: 4, received: 4, meanMs: 2.5 },
  ],
  [
    'iputils without replies',
    `From 10.0.0.9 icmp_seq=1 Destination Host Unreachable\n\n2 packets transmitted, 0 received, +1 errors, 100% packet loss, time 1001ms\n\n`,
    { sent: 2, received: 0, meanMs: null },
  ],
  [
    'BusyBox',
    `2 packets transmitted, 2 packets received, 0% packet loss\nround-trip min/avg/max = 0.059/0.072/0.085 ms\n`,
    { sent: 2, received: 2, meanMs: 0.072 },
  ],
  [
    'FreeBSD',
    `2 packets transmitted, 2 packets received, 0.0% packet loss\nround-trip min/avg/max/stddev = 11.2/12.25/13.3/1.05 ms\n`,
    { sent: 2, received: 2, meanMs: 12.25 },
  ],
])('reads the summary of %s', (_name, text, expected) => {
  expect(parsePingOutput(text)).toEqual(expected);
});

test('text without a summary is none', () => {
  expect(parsePingOutput('ping: nosuch: Name or service not known\n')).toBeUndefined();
  expect(parsePingOutput('')).toBeUndefined();
});

test('reads whatever figures a summary has, among any lines', () => {
  const count = fc.integer({ min: 0, max: 100 });
  const mean = fc.integer({ min: 1, max: 10_000_000 }).map((micros) => micros / 1000);
  const noise = fc.string({ unit: 'grapheme-ascii' }).filter((line) => parsePingOutput(line) === undefined);
  fc.assert(
    fc.property(count, count, mean, fc.array(noise), (sent, received, meanMs, lines) => {
      const text = [
        ...lines,
        `${sent} packets transmitted, ${received} received, 0% packet loss, time 1ms`,
        ...(received > 0 ? [`rtt min/avg/max/mdev = 0.001/${meanMs.toFixed(3)}/99999.000/0.000 ms`] : []),
        '',
      ].join('\n');
      expect(parsePingOutput(text)).toEqual({ sent, received, meanMs: received > 0 ? meanMs : null });
    }),
  );
});

test('any text is a summary of whole figures or none', () => {
  const word = fc.constantFrom(
    '1',
    '99999999999',
    ' packets transmitted, ',
    ' received',
    '\n',
    'rtt min/avg/max/mdev = ',
    '1.5/',
    '.',
    '/',
    'x',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      const told = parsePingOutput(words.join(''));
      if (!told) return;
      expect(Number.isSafeInteger(told.sent) && Number.isSafeInteger(told.received)).toBe(true);
      expect(told.meanMs === null || Number.isFinite(told.meanMs)).toBe(true);
    }),
  );
});
